"""A source's key: of rows that are alike one stays, and rows that contradict each other are set aside."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from kveil.collect.contract import REASON, ROW, RULE
from kveil.settings.sources import Source

DUPLICATE = "_kveil_duplicate"
"""Whether the row repeats another one in every declared column; only where the source has a key."""

_LEAST, _GREATEST, _DIFFERS, _ASIDE = "_kveil_least", "_kveil_greatest", "_kveil_differs", "_kveil_aside"


def with_duplicates(rows: DataFrame, source: Source, there: DataFrame | None = None) -> DataFrame:
    """Judged rows with DUPLICATE; rows of one key that differ get a REASON, all of them, since none is known to be right.

    `there` are the raw zone's rows, for a source that grows: a row that is there already is a duplicate, and one that differs
    from what is there is set aside. Rows that break another rule are not compared.
    """
    marked = rows.withColumn(DUPLICATE, F.lit(False))
    if not source.key:
        return marked
    if there is not None:
        marked = _compared(marked, source, there)
    open_ = F.col(REASON).isNull() & ~F.col(DUPLICATE)
    # Rows that are not compared may share a null key; the hash spreads them over the tasks.
    alike = Window.partitionBy(F.when(~open_, F.xxhash64(ROW)), *source.key)
    ordered = alike.orderBy(*(_others(source) or source.key))
    copy = open_ & (F.row_number().over(ordered) > F.rank().over(ordered))
    differs = open_ & ~F.min(_content(_others(source))).over(alike).eqNullSafe(F.max(_content(_others(source))).over(alike))
    counted = marked.withColumns({DUPLICATE: F.col(DUPLICATE) | copy, _DIFFERS: differs})
    return _told(counted, f"key {', '.join(source.key)}: other rows have other values").select(*marked.columns)


def without_known_aside(rows: DataFrame, aside: DataFrame | None) -> DataFrame:
    """Rows with DUPLICATE also where the same row, to the letter, was set aside before; a replay decides about it."""
    if aside is None:
        return rows
    known = aside.select(F.col("row").alias(_ASIDE)).distinct()
    joined = rows.join(known, F.col(ROW) == F.col(_ASIDE), "left")
    return joined.withColumn(DUPLICATE, F.col(DUPLICATE) | F.col(_ASIDE).isNotNull()).drop(_ASIDE)


def _compared(rows: DataFrame, source: Source, there: DataFrame) -> DataFrame:
    """The rows compared with those that are in the raw zone, in what is held there; only keys that come in are looked up."""
    content = _content([name for name in _others(source) if name in there.columns])
    keys = rows.where(F.col(REASON).isNull()).select(*source.key).distinct()
    met_keys = there.join(keys, source.key, "left_semi").groupBy(*source.key)
    known = met_keys.agg(F.min(content).alias(_LEAST), F.max(content).alias(_GREATEST))
    met = F.col(REASON).isNull() & F.col(_LEAST).isNotNull()
    same = F.col(_LEAST).eqNullSafe(content) & F.col(_GREATEST).eqNullSafe(content)
    both = rows.join(known, source.key, "left").withColumns({DUPLICATE: met & same, _DIFFERS: met & ~same})
    return _told(both, f"key {', '.join(source.key)}: collected before with other values").select(*rows.columns)


def _told(rows: DataFrame, words: str) -> DataFrame:
    """The rows with reason and rule where they differ from others of their key; such a row is nobody's duplicate."""
    return rows.withColumns(
        {
            REASON: F.when(F.col(_DIFFERS), F.lit(words)).otherwise(F.col(REASON)),
            RULE: F.when(F.col(_DIFFERS), F.lit("key.unique")).otherwise(F.col(RULE)),
            DUPLICATE: F.col(DUPLICATE) & ~F.col(_DIFFERS),
        }
    )


def _others(source: Source) -> list[str]:
    return [name for name in source.columns if name not in source.key]


def _content(names: list[str]) -> Column:
    """The columns that rows of one key must agree in; a constant where every column is of the key."""
    return F.struct(*names) if names else F.struct(F.lit(1).alias("nothing"))

"""A source's key: of rows that are alike one stays, and rows that contradict each other are set aside."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from kveil.collect.contract import REASON, ROW, RULE
from kveil.settings.sources import Source

DUPLICATE = "_kveil_duplicate"
"""Whether the row repeats another one in every declared column; only where the source has a key."""

_LEAST, _GREATEST, _ASIDE = "_kveil_least", "_kveil_greatest", "_kveil_aside"


def with_duplicates(rows: DataFrame, source: Source, there: DataFrame | None = None) -> DataFrame:
    """Judged rows with DUPLICATE; rows of one key that differ get a REASON, all of them, since none is known to be right.

    `there` are the raw zone's rows, for a source that grows: a row that is there already is a duplicate, and one that differs
    from what is there is set aside. Rows that break another rule are not compared.
    """
    if not source.key:
        return rows.withColumn(DUPLICATE, F.lit(False))
    fits = F.col(REASON).isNull()
    # Broken rows may share a null key; the hash spreads them over the tasks.
    alike = Window.partitionBy(F.when(~fits, F.xxhash64(ROW)), *source.key)
    ordered = alike.orderBy(*(_others(source) or source.key))
    copy = fits & (F.row_number().over(ordered) > F.rank().over(ordered))
    differs = fits & ~F.min(_content(source)).over(alike).eqNullSafe(F.max(_content(source)).over(alike))
    marked = rows.withColumns({DUPLICATE: copy, "_kveil_differs": differs})
    marked = _told(marked, F.col("_kveil_differs"), f"key {', '.join(source.key)}: other rows have other values").drop(
        "_kveil_differs"
    )
    return marked if there is None else _compared(marked, source, there)


def without_known_aside(rows: DataFrame, aside: DataFrame | None) -> DataFrame:
    """Rows with DUPLICATE also where the same row, to the letter, was set aside before; a replay decides about it."""
    if aside is None:
        return rows
    known = aside.select(F.col("row").alias(_ASIDE)).distinct()
    joined = rows.join(known, F.col(ROW) == F.col(_ASIDE), "left")
    return joined.withColumn(DUPLICATE, F.col(DUPLICATE) | F.col(_ASIDE).isNotNull()).drop(_ASIDE)


def _compared(rows: DataFrame, source: Source, there: DataFrame) -> DataFrame:
    """The rows compared with those that are in the raw zone; only keys that come in are looked up."""
    keys = rows.where(F.col(REASON).isNull()).select(*source.key).distinct()
    met_keys = there.join(keys, source.key, "left_semi").groupBy(*source.key)
    known = met_keys.agg(F.min(_content(source)).alias(_LEAST), F.max(_content(source)).alias(_GREATEST))
    both = rows.join(known, source.key, "left")
    fits, met = F.col(REASON).isNull(), F.col(_LEAST).isNotNull()
    same = F.col(_LEAST).eqNullSafe(_content(source)) & F.col(_GREATEST).eqNullSafe(_content(source))
    copied = both.withColumns({DUPLICATE: F.col(DUPLICATE) | (fits & met & same), "_kveil_differs": fits & met & ~same})
    told = _told(copied, F.col("_kveil_differs"), f"key {', '.join(source.key)}: collected before with other values")
    return told.select(*rows.columns)


def _told(rows: DataFrame, broken: Column, words: str) -> DataFrame:
    """The rows with reason and rule where `broken`; such a row is nobody's duplicate."""
    return rows.withColumns(
        {
            REASON: F.when(broken, F.lit(words)).otherwise(F.col(REASON)),
            RULE: F.when(broken, F.lit("key.unique")).otherwise(F.col(RULE)),
            DUPLICATE: F.col(DUPLICATE) & ~broken,
        }
    )


def _others(source: Source) -> list[str]:
    return [name for name in source.columns if name not in source.key]


def _content(source: Source) -> Column:
    """The columns that rows of one key must agree in; a constant where every column is of the key."""
    return F.struct(*_others(source)) if _others(source) else F.struct(F.lit(1).alias("nothing"))

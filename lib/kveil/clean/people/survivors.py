"""One row per person of several registrations: whose id stays, and which value of each column."""

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.settings.people import People, Survivor

SURVIVOR = "survivor"


def survivors(rows: DataFrame, person: str, clusters: DataFrame) -> DataFrame:
    """Columns person and survivor (texts) of everybody in `clusters` (person, cluster): the id of the fullest row stays."""
    members = rows.join(F.broadcast(clusters), F.col(person).cast("string") == clusters["person"]).drop(clusters["person"])
    by_number = F.length(F.col(person).cast("string")), F.col(person).cast("string")
    fullest = F.struct(-_filled(rows.columns), *by_number)
    best = members.groupBy("cluster").agg(F.min_by(F.col(person).cast("string"), fullest).alias(SURVIVOR))
    return clusters.join(best, "cluster").select("person", SURVIVOR)


def with_survivors(rows: DataFrame, person: str, found: DataFrame) -> DataFrame:
    """The rows, each once, with each id exchanged for the one that stays."""
    names = found.select(F.col("person").alias("_kveil_id"), SURVIVOR)
    joined = rows.join(names, rows[person].cast("string") == F.col("_kveil_id"), "left")
    kept = F.coalesce(F.col(SURVIVOR).cast(rows.schema[person].dataType), person)
    return joined.withColumn(person, kept).select(*rows.columns)


def one_row_each(rows: DataFrame, person: str, found: DataFrame, asked: People) -> DataFrame:
    """The registrations with one row per person of `found`, its values by the rules of survivorship; the others as they are."""
    ids = found.select(SURVIVOR).distinct()
    mapped = with_survivors(rows, person, found)
    is_one = mapped[person].cast("string") == ids[SURVIVOR]
    several = mapped.join(ids, is_one, "left_semi").groupBy(person).agg(*_values(rows, person, asked))
    return mapped.join(ids, is_one, "left_anti").unionByName(several.select(*rows.columns))


def _values(rows: DataFrame, person: str, asked: People) -> list[Column]:
    others = [name for name in rows.columns if name != person]
    return [_value(name, asked.survivors.get(name, asked.survivor), rows, asked).alias(name) for name in others]


def _value(name: str, rule: Survivor, rows: DataFrame, asked: People) -> Column:
    """A person's value of a column; null gives way to any value, and equals are decided by the value."""
    value = F.col(name)
    if rule == "most_frequent":
        return F.mode(value, deterministic=True)
    rank = F.col(asked.latest_by) if rule == "latest" and asked.latest_by else _filled(rows.columns)
    return F.max_by(value, F.when(value.isNotNull(), F.struct(rank.isNotNull(), rank, value)))


def _filled(columns: list[str]) -> Column:
    """How many cells of the row hold something."""
    return reduce(lambda sum_, name: sum_ + F.col(name).isNotNull().cast("int"), columns, F.lit(0))

"""One row per person of several registrations: whose id stays, and which value of each column."""

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.settings.people import People, Survivor

SURVIVOR = "survivor"
_ID, _CLUSTER, _STAYS = "_kveil_id", "_kveil_cluster", "_kveil_stays"


def survivors(rows: DataFrame, person: str, clusters: DataFrame) -> DataFrame:
    """Columns person and survivor (texts) of everybody in `clusters` (person, cluster): the id of the fullest row stays."""
    numbered = clusters.select(F.col("person").alias(_ID), F.col("cluster").alias(_CLUSTER))
    id_ = F.col(person).cast("string")
    members = rows.join(F.broadcast(numbered), id_ == F.col(_ID))
    fullest = F.struct((-_filled(rows.columns)).alias("empty"), F.length(id_).alias("digits"), id_.alias("id"))
    best = members.groupBy(_CLUSTER).agg(F.min_by(id_, fullest).alias(SURVIVOR))
    return numbered.join(best, _CLUSTER).select(F.col(_ID).alias("person"), SURVIVOR)


def with_survivors(rows: DataFrame, person: str, found: DataFrame) -> DataFrame:
    """The rows, each once, with each id exchanged for the one that stays."""
    names = found.select(F.col("person").alias(_ID), F.col(SURVIVOR).alias(_STAYS))
    joined = rows.join(names, F.col(person).cast("string") == F.col(_ID), "left")
    kept = F.coalesce(F.col(_STAYS).cast(rows.schema[person].dataType), person)
    return joined.withColumn(person, kept).select(*rows.columns)


def one_row_each(rows: DataFrame, person: str, found: DataFrame, asked: People) -> DataFrame:
    """The registrations with one row per person of `found`, its values by the rules of survivorship; the others as they are."""
    ids = found.select(F.col(SURVIVOR).alias(_STAYS)).distinct()
    mapped = with_survivors(rows, person, found)
    is_one = F.col(person).cast("string") == F.col(_STAYS)
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

"""Columns of other sources, found by a shared key, without ever doubling a row."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.errors import ContractError
from kveil.settings.clean import Join

FOUND = "_kveil_found"
"""Whether the row found a partner in the last join."""


def joined(rows: DataFrame, other: DataFrame, join: Join) -> DataFrame:
    """Every row once, with the other source's columns (null where the key is not there) and FOUND.

    Keys are equal by value, whatever their types' width. Raises ContractError when a column name exists on both sides;
    the other side's key must be unique, which `repeated_keys` tells.
    """
    both = sorted(({name.lower() for name in rows.columns} & {name.lower() for name in other.columns}) - {join.by.lower()})
    if both:
        raise ContractError(
            f"clean.joins: source {join.source} has columns that are there already: {', '.join(both)}; "
            "leave them out of the source's columns or rename them"
        )
    right = other.withColumnRenamed(join.by, "_kveil_key").withColumn(FOUND, F.lit(True))
    found = rows.join(right, rows[join.by] == right["_kveil_key"], "left").drop("_kveil_key")
    return found.withColumn(FOUND, F.coalesce(FOUND, F.lit(False)))


def repeated_keys(other: DataFrame, key: str) -> int:
    """How many values of the key stand in more than one row; null is no key and never matches."""
    return other.where(F.col(key).isNotNull()).groupBy(key).count().where(F.col("count") > 1).count()


def check_unique(other: DataFrame, join: Join) -> None:
    """Raises ContractError when the join would double rows."""
    repeated = repeated_keys(other, join.by)
    if repeated:
        raise ContractError(
            f"clean.joins: {repeated:,} values of {join.by} stand in more than one row of source {join.source}, so the join "
            "would double rows; deliver one row per key"
        )

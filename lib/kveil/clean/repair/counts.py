"""How often each value stands in each column: one pass over a table, whatever the number of its columns."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

Counts = dict[str, dict[str, int]]
"""Per column its values, as texts, with their cells."""

LONGEST_VALUE = 1000
"""Characters; what is longer is a document, and is neither counted nor corrected."""
_SPREAD = 1.1
"""A sketch of distinct values is off by some percent; columns that it takes for small enough are counted exactly."""


def cells(rows: DataFrame, columns: Sequence[str]) -> DataFrame:
    """column, value (as text) and cells: each value that is not null."""
    each = [F.struct(F.lit(name).alias("column"), F.col(name).cast("string").alias("value")) for name in columns]
    return (
        rows.select(F.inline(F.array(*each)))
        .where("value IS NOT NULL")
        .groupBy("column", "value")
        .agg(F.count("*").alias("cells"))
    )


def about_distinct(rows: DataFrame, columns: Sequence[str]) -> dict[str, int]:
    """About how many values each column has; one job."""
    if not columns:
        return {}
    sketched = rows.agg(*[F.approx_count_distinct(name).alias(name) for name in columns]).first()
    assert sketched is not None, "an aggregation without groups has one row"
    return sketched.asDict()


def few_valued(rows: DataFrame, distinct: Mapping[str, int], most: int) -> Counts:
    """The values of those columns that have at most `most` distinct ones; one job. Columns without a value are left out.

    `distinct` has the columns that are asked for, with about how many values each has.
    """
    small = [name for name, about in distinct.items() if about <= most * _SPREAD]
    if not small:
        return {}
    # The sketch bounds what comes; the limit makes sure of it.
    counted = cells(rows, small).limit(len(small) * 2 * most).toArrow()
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for name, value, count in zip(*(counted[key].to_pylist() for key in ("column", "value", "cells")), strict=True):
        found[name][value] = count
    return {name: values for name, values in found.items() if len(values) <= most}

"""The release held against the clean table: which people stand behind each published class.

The clean rows are sent through the frozen generalizer and counted per published class. Every published class must find
exactly its own number of clean rows again, of at least k people: rows that were invented, dropped or swapped show here,
after the link between staging and people is gone. Rows that no tree covers may have been released without their cells;
of these the release may hold fewer than the clean table, never more.

Classes of local recoding overlap, so a clean row may fit several, and the release does not say in which it stood. There the
people who fit a class are counted, every published row must have a clean row of its partition, no class may show more rows
than fit it, and every clean row must fit a class. Rows that two classes would have exchanged are not told apart.
"""

from collections.abc import Mapping
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.evaluate.beside_classes import FITS, OUTSIDE, PERSON, ROWS, beside_classes
from kveil.evaluate.suppressed import without_cells
from kveil.model.generalizer import Generalizer
from kveil.settings import Policy

_LACKS = "_lacks"
"""Whether the release may hold fewer rows of a class than the clean table."""


def recheck_metrics(
    clean: DataFrame, released: DataFrame, policy: Policy, generalizers: Mapping[str, Generalizer], again: DataFrame | None = None
) -> list[dict[str, Any]]:
    """Classes, people in the smallest one, and rows that only one of the two tables has; one generalizer per split.

    `again`, of a release that was compared with earlier ones, holds what classes show that it shows as they were: behind these
    other rows stand now, so they are not looked for. Such a release may also have left rows out of its classes.
    """
    settings = policy.anonymize
    shown = settings.class_columns()
    labelled = beside_classes(clean, policy.person, settings, generalizers, dict(released.dtypes))
    found = labelled.groupBy(*shown).agg(
        F.sum(ROWS).alias("found"),
        F.sum(FITS).alias("fits"),
        F.sum(OUTSIDE).alias("outside"),
        F.countDistinct(F.when(F.col(FITS) > 0, F.col(PERSON))).alias("people"),
    )
    published = released.groupBy(*shown).agg(F.count(F.lit(1)).alias("published"))
    # A union groups null with null, which a join of class columns would not.
    both = found.unionByName(published, allowMissingColumns=True).groupBy(*shown)
    counts = ("found", "fits", "outside", "people", "published")
    classes = both.agg(*[F.coalesce(F.sum(name), F.lit(0)).alias(name) for name in counts])
    if again is not None:
        classes = classes.join(
            again, reduce(Column.__and__, [classes[name].eqNullSafe(again[name]) for name in shown]), "left_anti"
        )
    # Rows that gave a history away, that a person had too many of, or that were held back beside earlier releases, are gone
    # from their class; more rows than the clean table has are still invented ones.
    may_lack = again is not None or settings.trajectory is not None or settings.contribution is not None
    lacks, is_published = F.lit(may_lack) | without_cells(settings), F.col("published") > 0
    rows = _mismatch_where_classes_overlap() if settings.algorithm == "local_recoding" else _mismatch()
    partitions = (
        classes.withColumn(_LACKS, lacks)
        .groupBy(*settings.partition_by, _LACKS)
        .agg(
            F.count_if(is_published).alias("classes"),
            F.min(F.when(is_published, F.col("people"))).alias("people"),
            rows.alias("rows"),
        )
    )
    row = partitions.agg(
        *[F.coalesce(of(name), F.lit(0)) for of, name in ((F.sum, "classes"), (F.min, "people"), (F.sum, "rows"))]
    ).first()
    assert row is not None  # an aggregation without groups has one row
    count, smallest, differ = map(int, row)
    return [
        {"metric": "recheck_classes", "scope": "", "value": float(count)},
        {
            "metric": "recheck_people_min",
            "scope": "",
            "value": float(smallest),
            "threshold": float(settings.k),
            "met": smallest >= settings.k,
        },
        {"metric": "recheck_rows_mismatch", "scope": "", "value": float(differ), "threshold": 0.0, "met": differ == 0},
    ]


def _mismatch() -> Column:
    """Of a partition's classes: rows that only one table has; where the release may lack rows, only those that clean lacks."""
    return F.sum(_apart(F.col("published") - F.col("found")))


def _mismatch_where_classes_overlap() -> Column:
    """Of a partition's classes: rows that only one table has of it, published ones that too few fit, clean ones that fit none."""
    beyond = F.sum(F.greatest(F.col("published") - F.col("fits"), F.lit(0)))
    # Rows that were left out need not fit a class of those that were not.
    outside = F.when(F.col(_LACKS), 0).otherwise(F.sum("outside"))
    return beyond + outside + _apart(F.sum("published") - F.sum("found"))


def _apart(difference: Column) -> Column:
    return F.when(F.col(_LACKS), F.greatest(difference, F.lit(0))).otherwise(F.abs(difference))

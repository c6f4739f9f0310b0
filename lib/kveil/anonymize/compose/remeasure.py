"""What staging and each earlier release together tell of people, measured in SQL that shares nothing with the guard's.

The guard judges overlaps by class numbers; here classes are what staging shows, and what one release alone holds is counted
person by person.
"""

from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.columns import PERSON, before, of_class
from kveil.anonymize.compose.comparison import Comparison
from kveil.anonymize.metric import Metric
from kveil.settings.anonymize import Anonymize

_PEOPLE, _OVERLAP, _ARRIVAL, _STAGED, _THEN = "people", "overlap", "arrival", "staged", "then"


def composition_metrics(staging: DataFrame, comparison: Comparison, person: str, settings: Anonymize) -> list[Metric]:
    """Per known release the people in the smallest overlap and the smallest difference of its classes with staging's."""
    if not comparison.known:
        return []
    metrics = [
        Metric("composition_releases", len(comparison.known)),
        Metric("composition_rows", _held(staging, comparison) - comparison.again.represented),
        Metric("composition_rows_again", comparison.again.rows),
    ]
    if comparison.again.classes:
        least = comparison.again.people_min
        metrics.append(Metric("composition_again_people_min", least, threshold=settings.k, met=least >= settings.k))
    for number, known in enumerate(comparison.known):
        metrics.append(Metric("composition_changed_classes", comparison.changed[number], known.name))
        overlap, arrival = _smallest_overlap_and_arrival(staging, number, settings)
        found = {
            "composition_overlap_people_min": (overlap, min(settings.k, known.k)),
            "composition_new_people_min": (arrival, settings.k),
            "composition_missing_people_min": (_smallest_leftover(staging, comparison.rows, number, person), known.k),
        }
        metrics += [
            _judged(name, value, known.name, threshold, settings)
            for name, (value, threshold) in found.items()
            if value is not None
        ]
    return metrics


def _judged(name: str, value: int, release: str, threshold: int, settings: Anonymize) -> Metric:
    """What was measured against what was promised, which is no threshold where the policy accepts less."""
    if settings.composition == "accept":
        return Metric(name, value, release)
    return Metric(name, value, release, threshold, value >= threshold)


def _held(staging: DataFrame, comparison: Comparison) -> int:
    """Rows that stand in a class of an earlier release and in none of staging's."""
    known = [F.col(before(i)).isNotNull() for i in range(len(comparison.known))]
    anywhere = reduce(Column.__or__, known)
    return max(comparison.rows.where(anywhere).count() - staging.where(anywhere).count(), 0)


def _smallest_overlap_and_arrival(staging: DataFrame, number: int, settings: Anonymize) -> tuple[int | None, int | None]:
    """People in the smallest overlap of classes, and, among classes that overlap, the fewest whose rows are new there.

    People are counted once per class of both: the rows that the earlier release did not have stand beside null.
    """
    was_there = F.col(before(number)).isNotNull()
    both = staging.groupBy(*of_class(settings), before(number)).agg(F.countDistinct(PERSON).alias(_PEOPLE))
    classes = both.groupBy(*of_class(settings)).agg(
        F.min(F.when(was_there, F.col(_PEOPLE))).alias(_OVERLAP), F.min(F.when(~was_there, F.col(_PEOPLE))).alias(_ARRIVAL)
    )
    overlapping = classes.where(F.col(_OVERLAP).isNotNull())
    row: Any = overlapping.agg(F.min(_OVERLAP), F.min(_ARRIVAL)).first()
    return row[0], row[1]


def _smallest_leftover(staging: DataFrame, rows: DataFrame, number: int, person: str) -> int | None:
    """People with rows of an earlier class that staging lacks, where it has others of that class."""
    of = before(number)
    then = rows.where(F.col(person).isNotNull()).select(F.col(person).cast("string").alias(PERSON), of, *_flags(1, 0))
    both = then.unionByName(staging.select(PERSON, of, *_flags(0, 1))).where(F.col(of).isNotNull())
    each = both.groupBy(of, PERSON).agg(F.sum(_THEN).alias(_THEN), F.sum(_STAGED).alias(_STAGED))
    lacking = F.sum((F.col(_THEN) > F.col(_STAGED)).cast("int")).alias(_PEOPLE)
    classes = each.groupBy(of).agg(lacking, F.sum(_STAGED).alias(_STAGED))
    return _least(classes.where((F.col(_PEOPLE) > 0) & (F.col(_STAGED) > 0)))


def _flags(then: int, staged: int) -> list[Column]:
    return [F.lit(then).alias(_THEN), F.lit(staged).alias(_STAGED)]


def _least(classes: DataFrame) -> int | None:
    row: Any = classes.agg(F.min(_PEOPLE)).first()
    return None if row is None or row[0] is None else int(row[0])

"""Histories that hide: any few points that one person holds are held by k people (k^m-anonymity), in SQL.

Terrovitis, Mamoulis, Kalnis 2008; with a bound on what those people share, LKC-privacy (Mohammed et al. 2009). A point is
a released row's values of some columns. What breaks the bound is suppressed, smaller sets first: whoever holds a set that
too few hold loses the set's rarest point. That makes other sets rarer, so it is repeated; after a few rounds the point goes
from everybody's history, which makes no other set rarer and so comes to an end. The same rows lose the same points always.
"""

from collections.abc import Callable
from itertools import count

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.columns import PERSON
from kveil.errors import ContractError
from kveil.settings.disclosure import Trajectory

POINT, VALUE = "point", "value"

MOST_SETS = 200_000_000
_ROUNDS_OF_SOME = 10
_SET = "kveil_set"


def point(columns: list[str]) -> Column:
    """A row's point as a text that is the same exactly where all the columns are; null is a value of its own."""
    return F.to_json(F.struct(*columns), {"ignoreNullFields": "false"})


def histories(staging: DataFrame, asked: Trajectory) -> DataFrame:
    """Each person's points, each with the sensitive values of the person's rows there (null where none is asked)."""
    value = point([asked.confidence.column]) if asked.confidence else F.lit(None).cast("string")
    return staging.select(PERSON, point(asked.points).alias(POINT), value.alias(VALUE)).distinct()


def safe_histories(found: DataFrame, asked: Trajectory, k: int, keep: Callable[[DataFrame], DataFrame]) -> DataFrame:
    """The rows of `histories` without those points that must go.

    `keep` writes a table and reads it back: a plan that grew with every round would be computed anew each time.
    ContractError where there are more than MOST_SETS sets to look at.
    """
    kept = keep(found)
    rows = kept.count()
    for done in count():
        for size in range(1, asked.known + 1):
            if size > 1:
                _check_sets(kept, size)
            fewer = keep(_without_unsafe(kept, size, asked, k, everybody=done >= _ROUNDS_OF_SOME))
            left = fewer.count()
            if left < rows:
                kept, rows = fewer, left
                break
        else:
            return kept
    raise AssertionError  # count() has no end


def _check_sets(found: DataFrame, size: int) -> None:
    points = F.count_distinct(POINT).cast("double")
    sets = F.lit(1.0)
    for i in range(size):
        sets = sets * (points - i) / (i + 1)
    row = found.groupBy(PERSON).agg(F.greatest(sets, F.lit(0.0)).alias("sets")).agg(F.sum("sets")).first()
    if row is not None and row[0] is not None and row[0] > MOST_SETS:
        raise ContractError(
            f"anonymize.trajectory: people's histories hold {row[0]:.3g} sets of {size} points, more than the {MOST_SETS:,} that "
            "are looked at; lower known, or name fewer columns or more general ones in points"
        )


def _without_unsafe(found: DataFrame, size: int, asked: Trajectory, k: int, everybody: bool) -> DataFrame:
    sets = _sets(found, size)
    unsafe = _unsafe(sets, found, asked, k)
    # A set is ordered by how many people hold each of its points, so that its first point is its rarest.
    rarest = F.col(_SET)[0][POINT].alias(POINT)
    if everybody:
        return found.join(unsafe.select(rarest).distinct(), POINT, "left_anti")
    lost = sets.join(unsafe, _SET, "left_semi").select(PERSON, rarest).distinct()
    return found.join(lost, [PERSON, POINT], "left_anti")


def _sets(found: DataFrame, size: int) -> DataFrame:
    """Each person's sets of `size` points, each point with its number of people, fewest first."""
    frequent = found.groupBy(POINT).agg(F.count_distinct(PERSON).alias("people"))
    element = F.struct("people", POINT)
    points = found.select(PERSON, POINT).distinct().join(frequent, POINT).select(PERSON, element.alias("next"))
    sets = points.select(PERSON, F.array("next").alias(_SET))
    for _ in range(size - 1):
        longer = sets.join(points, PERSON).where(F.element_at(_SET, -1) < F.col("next"))
        sets = longer.select(PERSON, F.concat(_SET, F.array("next")).alias(_SET))
    return sets


def _unsafe(sets: DataFrame, found: DataFrame, asked: Trajectory, k: int) -> DataFrame:
    """The sets that fewer than k people hold, or whose people share a sensitive value too often."""
    people = sets.groupBy(_SET).agg(F.count(F.lit(1)).alias("people"))
    if asked.confidence is None:
        return people.where(F.col("people") < k).select(_SET)
    values = found.select(PERSON, VALUE).distinct()
    often = sets.join(values, PERSON).groupBy(_SET, VALUE).agg(F.count(F.lit(1)).alias("sharing"))
    most = often.groupBy(_SET).agg(F.max("sharing").alias("sharing"))
    too_often = F.col("sharing") > F.lit(asked.confidence.share) * F.col("people")
    return people.join(most, _SET).where((F.col("people") < k) | too_often).select(_SET)

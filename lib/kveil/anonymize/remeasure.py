"""The guarantee, measured again on the written rows in SQL, by code that shares nothing with the kernel."""

from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.columns import PERSON, of_class
from kveil.anonymize.metric import Metric
from kveil.anonymize.noise_metrics import person_metrics
from kveil.settings.anonymize import Anonymize

Row = dict[str, Any]

_PLACE = "place"


def measured(staging: DataFrame, settings: Anonymize, rows_in: int, represented: int = 0) -> list[Metric]:
    """Everything that staging's rows (with people) tell, against the policy's thresholds.

    So many of the `rows_in` are `represented` by classes that are published again as they were.
    """
    ranges = _ranges_of_people(_classes(staging, settings), settings)
    if not ranges:
        return _suppression(rows_in, represented, settings)
    totals = _over_all(ranges)
    return [
        *_class_metrics(totals, settings),
        *_histogram(ranges, settings.k),
        *_suppression(rows_in, int(totals["rows"]) + represented, settings),
        *person_metrics(staging, settings),
    ]


def _classes(staging: DataFrame, settings: Anonymize) -> DataFrame:
    """One row per class: its rows, its people and its distinct sensitive values (null is one)."""
    distinct = [_distinct_with_null(name).alias(f"distinct_{i}") for i, name in enumerate(settings.sensitive)]
    people = F.countDistinct(PERSON).alias("people")
    return staging.groupBy(*of_class(settings)).agg(F.count(F.lit(1)).alias("rows"), people, *distinct)


def _distinct_with_null(name: str) -> Column:
    return F.countDistinct(name) + F.coalesce(F.max(F.col(name).isNull().cast("int")), F.lit(0))


def _ranges_of_people(classes: DataFrame, settings: Anonymize) -> list[Row]:
    """Totals of the classes whose people lie between two edges, per such range: one pass over the rows tells all."""
    people, place = F.col("people"), F.lit(0)
    for i, edge in enumerate(_edges(settings.k)):
        place = F.when(people >= edge, F.lit(i)).otherwise(place)
    totals = classes.groupBy(place.alias(_PLACE)).agg(
        F.count(F.lit(1)).alias("classes"),
        F.sum("rows").alias("rows"),
        F.sum("people").alias("memberships"),
        F.min("people").alias("people_min"),
        F.sum(F.col("rows") / people).alias("row_risk"),
        F.sum(F.when(people == 1, F.col("rows")).otherwise(0)).alias("singled_out"),
        *[F.min(f"distinct_{i}").alias(f"distinct_{i}_min") for i in range(len(settings.sensitive))],
    )
    return [row.asDict() for row in totals.collect()]


def _over_all(ranges: list[Row]) -> Row:
    """The ranges' totals together: the least where a name says so, else the sum."""
    return {name: (min if name.endswith("_min") else sum)(each[name] for each in ranges) for name in ranges[0] if name != _PLACE}


def _edges(k: int) -> list[int]:
    """Where ranges of people begin; they grow with k."""
    return [0, k, k + k // 2, 2 * k, 3 * k, 5 * k, 10 * k]


def _class_metrics(totals: dict[str, Any], settings: Anonymize) -> list[Metric]:
    smallest, k = totals["people_min"], settings.k
    worst = 1 / smallest
    metrics = [
        Metric("class_people_min", smallest, threshold=k, met=smallest >= k),
        Metric("class_people_mean", totals["memberships"] / totals["classes"]),
        Metric("classes", totals["classes"]),
        Metric("prosecutor_risk_max", worst, threshold=1 / k, met=smallest >= k),
        Metric("prosecutor_risk_mean", totals["row_risk"] / totals["rows"]),
        Metric("marketer_risk", totals["classes"] / totals["memberships"]),
        Metric("singled_out_rows_share", totals["singled_out"] / totals["rows"], threshold=0.0, met=not totals["singled_out"]),
    ]
    if settings.population is None:
        # Without a population table the release's own people are all the attacker is granted, which is the worst case.
        metrics.append(Metric("journalist_risk_max", worst, threshold=1 / k, met=smallest >= k))
    for i, (name, role) in enumerate(settings.sensitive.items()):
        found = totals[f"distinct_{i}_min"]
        # One value is what every class holds: where another model is asked instead, there is no threshold.
        asked = role.distinct > 1
        metrics.append(
            Metric("distinct_min", found, name, role.distinct if asked else None, found >= role.distinct if asked else None)
        )
    return metrics


def _histogram(ranges: list[Row], k: int) -> list[Metric]:
    """Classes by people."""
    edges = _edges(k)
    counts = {row[_PLACE]: row["classes"] for row in ranges}
    ends = [*(str(edge - 1) for edge in edges[1:]), ""]
    scopes = [f"{start}-{end}" if end else f"{start}+" for start, end in zip(edges, ends, strict=True)]
    return [Metric("classes_by_people", counts[i], scope) for i, scope in enumerate(scopes) if i in counts]


def _suppression(rows_in: int, rows_kept: int, settings: Anonymize) -> list[Metric]:
    share = (rows_in - rows_kept) / rows_in
    limit = settings.suppression_limit
    return [
        Metric("suppressed_rows", rows_in - rows_kept),
        Metric("suppressed_share", share, threshold=limit, met=share <= limit and rows_kept > 0),
    ]

"""What masked columns tell of people, measured on staging: values that few people hold, and histories that a token gives away."""

from typing import Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from kveil.anonymize.columns import PERSON, of_class
from kveil.anonymize.metric import Metric
from kveil.settings.anonymize import Anonymize
from kveil.settings.mask import DateShift, Fake, Redact
from kveil.settings.mask_checks import keyed

KNOWN_POINTS = 4
SAMPLED_HISTORIES = 500
_LINK, _PLACE, _OTHER = "kveil_link", "kveil_place", "kveil_other"


def mask_metrics(staging: DataFrame, settings: Anonymize) -> list[Metric]:
    """Per masked column the fewest people who hold one of its values, which is at least k where the policy allows no link.

    For columns that link a person's rows: how many histories are recognised by a few of their points (unicity).
    """
    metrics: list[Metric] = []
    shown = {name: role for name, role in settings.mask.items() if not isinstance(role, Redact)}
    for name, role in shown.items():
        found = _people(staging.where(F.col(f"`{name}`").isNotNull()), [name])
        if found["least"] is not None:
            asked = None if role.linkable else settings.k
            metrics.append(
                Metric("mask_people_min", found["least"], name, asked, None if asked is None else found["least"] >= asked)
            )
            metrics.append(Metric("mask_singled_out_share", found["single"] / found["rows"], name))
    together = [name for name, role in shown.items() if not role.linkable]
    if together:
        found = _people(staging, [*of_class(settings), *together])
        metrics.append(Metric("mask_class_singled_out_share", found["single"] / found["rows"]))
    return metrics + _unicity_metrics(staging, settings)


def _people(rows: DataFrame, by: list[str]) -> dict[str, Any]:
    """Of groups of rows: the fewest people in one, the rows of groups of one person, and all rows."""
    columns = [F.col(f"`{name}`") for name in by]
    groups = rows.groupBy(*columns).agg(F.count_distinct(PERSON).alias("people"), F.count(F.lit(1)).alias("rows"))
    row = groups.agg(
        F.min("people").alias("least"),
        F.coalesce(F.sum(F.when(F.col("people") == 1, F.col("rows"))), F.lit(0)).alias("single"),
        F.sum("rows").alias("rows"),
    ).first()
    assert row is not None  # an aggregation without groups has one row
    return row.asDict()


def _unicity_metrics(staging: DataFrame, settings: Anonymize) -> list[Metric]:
    """Two people may share a fake, and dates moved by a shift are no name: what links rows are tokens."""
    linking = [name for name, role in keyed(settings.mask).items() if not isinstance(role, Fake | DateShift)]
    return [Metric(f"unicity_{KNOWN_POINTS}", unicity(staging, name, of_class(settings)), name) for name in linking]


def unicity(rows: DataFrame, link: str, points: list[str], known: int = KNOWN_POINTS) -> float:
    """The share of histories that are the only one with some of their own points (de Montjoye et al. 2013).

    A history is the rows of one value of `link`, a point a row's values of `points`. Looked at are SAMPLED_HISTORIES, chosen
    by hash, with `known` points each, chosen by hash, or all where a history has fewer. 0 where there is no history.
    """
    places = (
        rows.where(F.col(f"`{link}`").isNotNull())
        .select(F.col(f"`{link}`").alias(_LINK), F.xxhash64(F.struct(*[F.col(f"`{name}`") for name in points])).alias(_PLACE))
        .distinct()
    )
    some = places.select(_LINK).distinct().orderBy(F.xxhash64(_LINK), _LINK).limit(SAMPLED_HISTORIES)
    order = Window.partitionBy(_LINK).orderBy(F.xxhash64(_LINK, _PLACE))
    numbered = places.join(F.broadcast(some), _LINK, "left_semi").withColumn("number", F.row_number().over(order))
    asked = numbered.where(F.col("number") <= known).withColumn("known", F.count(F.lit(1)).over(Window.partitionBy(_LINK)))
    others = places.withColumnRenamed(_LINK, _OTHER)
    shared = asked.join(others, _PLACE).groupBy(_LINK, "known", _OTHER).agg(F.count(F.lit(1)).alias("shared"))
    alike = shared.where(F.col("shared") == F.col("known")).groupBy(_LINK).agg(F.count(F.lit(1)).alias("people"))
    row = alike.agg(F.avg((F.col("people") == 1).cast("double")).alias("unicity")).first()
    assert row is not None  # an aggregation without groups has one row
    return float(row["unicity"] or 0.0)

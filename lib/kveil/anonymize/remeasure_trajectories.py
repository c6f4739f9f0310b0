"""Histories measured again on the written rows: who shares any known points, by code that shares nothing with the suppression."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.columns import PERSON
from kveil.anonymize.metric import Metric
from kveil.settings.disclosure import Trajectory


def trajectory_metrics(staging: DataFrame, asked: Trajectory, k: int) -> list[Metric]:
    """The fewest people who share a set of up to `known` points that somebody holds, and how much they share."""
    place = F.struct(*[F.coalesce(F.concat(F.lit("="), F.col(name).cast("string")), F.lit("null")) for name in asked.points])
    of_person = [F.sort_array(F.collect_set(place)).alias("places")]
    if asked.confidence is not None:
        held = F.coalesce(F.concat(F.lit("="), F.col(asked.confidence.column).cast("string")), F.lit("null"))
        of_person.append(F.collect_set(held).alias("held"))
    people = staging.groupBy(PERSON).agg(*of_person)
    known = _known(people, asked.known)
    row = known.groupBy("known").agg(F.count_distinct(PERSON).alias("people")).agg(F.min("people")).first()
    assert row is not None and row[0] is not None  # staging has rows
    metrics = [Metric("trajectory_people_min", int(row[0]), threshold=k, met=row[0] >= k)]
    if asked.confidence is not None:
        share = _greatest_share(known)
        limit = asked.confidence.share
        # A share of whole people never differs from a limit by rounding alone and by this much.
        metrics.append(Metric("trajectory_confidence_max", share, asked.confidence.column, limit, share <= limit + 1e-9))
    return metrics


def _known(people: DataFrame, most: int) -> DataFrame:
    """Each person with every set of 1 to `most` of their places, in the places' order."""
    others = [name for name in people.columns if name != "places"]
    grown = people.select(*others, "places", F.array().cast(dict(people.dtypes)["places"]).alias("known"), F.lit(0).alias("next"))
    parts = []
    for _ in range(most):
        after = F.slice("places", F.col("next") + 1, F.size("places"))
        one = grown.select(*others, "places", "known", "next", F.posexplode(after).alias("skipped", "place"))
        known: Column = F.concat("known", F.array("place"))
        grown = one.select(*others, "places", known.alias("known"), (F.col("next") + F.col("skipped") + 1).alias("next"))
        parts.append(grown.select(*others, "known"))
    union = parts[0]
    for part in parts[1:]:
        union = union.unionByName(part)
    return union


def _greatest_share(known: DataFrame) -> float:
    people = known.groupBy("known").agg(F.count_distinct(PERSON).alias("people"))
    sharing = known.select(PERSON, "known", F.explode("held").alias("value")).groupBy("known", "value")
    counted = sharing.agg(F.count_distinct(PERSON).alias("sharing"))
    row = counted.join(people, "known").agg(F.max(F.col("sharing") / F.col("people"))).first()
    assert row is not None  # an aggregation without groups has one row
    return float(row[0])

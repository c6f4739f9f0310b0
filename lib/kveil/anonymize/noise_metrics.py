"""What the noise of a release promises and what it costs: per value, per person, and against the column's own spread."""

from fractions import Fraction
from math import exp, expm1, sqrt
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.columns import PERSON
from kveil.anonymize.metric import Metric
from kveil.privacy.laplace import scale
from kveil.privacy.randomised_response import keep_probability
from kveil.settings.anonymize import Anonymize
from kveil.settings.noise import RowNoise, total_epsilon

_AT = ("max", "p99", "median")


def noise_metrics(rows: DataFrame, settings: Anonymize, person: str) -> list[Metric]:
    """Measured on the clean rows, before bounding; a trainer de-biases a variance by the square of `noise_sd`.

    `noise_to_spread` is the noise's standard deviation over that of the clamped values: above 1, noise is most of a value.
    """
    found = _measured(rows, settings)
    metrics = [metric for name, role in settings.noise.items() for metric in _of_column(name, role, found)]
    if settings.noise_key is not None:
        metrics.append(Metric("noise_repeats", 1))
    if settings.contribution is not None:
        metrics.append(Metric("contribution_rows_dropped", _over(rows, person, settings.contribution.rows)))
    return metrics


def person_metrics(rows: DataFrame, settings: Anonymize) -> list[Metric]:
    """Rows per person (column PERSON), and what one person's whole row set costs in epsilon (basic composition)."""
    count = F.col("count")
    per_person = rows.groupBy(PERSON).count()
    row = _first(
        per_person.agg(
            F.max(count).alias("max"),
            F.percentile(count, F.lit(0.99)).alias("p99"),
            F.percentile(count, F.lit(0.5)).alias("median"),
        )
    )
    epsilon = float(total_epsilon(settings.noise))
    counts = [Metric(f"rows_per_person_{name}", row[name]) for name in _AT]
    spent = [Metric(f"epsilon_per_person_{name}", row[name] * epsilon) for name in _AT]
    return counts + (spent if settings.noise else [])


def standard_deviation(b: float) -> float:
    """Of the discrete Laplace law of scale b; close to sqrt(2) b unless b is small."""
    ratio = exp(-1 / b)
    return sqrt(2 * ratio) / -expm1(-1 / b)


def _of_column(name: str, role: RowNoise, found: dict[str, Any]) -> list[Metric]:
    metrics = [Metric("noise_epsilon", float(role.epsilon), name)]
    epsilon = Fraction(role.epsilon)
    if role.holds == "text":
        return [*metrics, Metric("noise_keep_probability", float(keep_probability(len(role.values), epsilon)), name)]
    b = float(scale(*role.span, epsilon))
    metrics += [
        Metric("noise_scale", b, name),
        Metric("noise_sd", standard_deviation(b), name),
        Metric("noise_clamped_share", found[f"{name} outside"] or 0.0, name),
    ]
    spread = found[f"{name} spread"]
    return [*metrics, Metric("noise_to_spread", standard_deviation(b) / spread, name)] if spread else metrics


def _measured(rows: DataFrame, settings: Anonymize) -> dict[str, Any]:
    asked = []
    for name, role in settings.noise.items():
        if role.holds != "text":
            lower, upper = role.span
            value = whole(name, role)
            clamped = F.greatest(F.lit(lower), F.least(F.lit(upper), value))
            asked += [
                F.avg((~value.between(lower, upper)).cast("double")).alias(f"{name} outside"),
                F.stddev_pop(F.when(value.isNotNull(), clamped)).alias(f"{name} spread"),
            ]
    return _first(rows.agg(*asked)) if asked else {}


def whole(name: str, role: RowNoise) -> Column:
    """A noisy column's values as the whole numbers that the noise is added to."""
    return F.unix_date(F.col(f"`{name}`")) if role.holds == "date" else F.col(f"`{name}`")


def _over(rows: DataFrame, person: str, most: int) -> int:
    per_person = rows.where(F.col(person).isNotNull()).groupBy(person).count()
    over = F.sum(F.greatest(F.lit(0), F.col("count") - most))
    return int(_first(per_person.agg(F.coalesce(over, F.lit(0)).alias("over")))["over"])


def _first(df: DataFrame) -> dict[str, Any]:
    row = df.first()
    assert row is not None  # an aggregation without groups has one row
    return row.asDict()

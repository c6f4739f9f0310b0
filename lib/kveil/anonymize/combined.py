"""The metrics of a release that grew: what was measured of the release before and of its new slices, as one.

Nobody stands behind the published rows any more, so they are not measured again; but classes never span two slices, so what
holds in both parts holds in the whole.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pyspark.sql import functions as F

from kveil.anonymize.metric import Metric
from kveil.context import Context
from kveil.tables.schema import PRIVACY_METRICS

_SUMS = ("classes", "classes_by_people", "suppressed_rows", "suppressed_cells_rows")
_SHARES_OF_ROWS_IN = ("suppressed_share", "suppressed_cells_share", "noise_clamped_share")
_SHARES_OF_RELEASED = ("prosecutor_risk_mean", "singled_out_rows_share")

Measures = dict[tuple[str, str], Metric]


def measured_before(ctx: Context, release_id: str) -> list[Metric]:
    """What was measured of a published release while its people were known."""
    rows = ctx.store.read(ctx.ref(PRIVACY_METRICS)).where(
        (F.col("policy") == ctx.policy.name) & (F.col("release_id") == release_id) & (F.col("measured_on") == "staging")
    )
    return [Metric(row["metric"], row["value"], row["scope"], row["threshold"], row["met"]) for row in rows.collect()]


def combined(before: Sequence[Metric], new: Sequence[Metric], parent: dict[str, Any], rows_in: int) -> list[Metric]:
    """One metric per name and scope. `parent` is the row of the release before; the new slices held `rows_in` clean rows.

    Counts add up, means and shares are weighted by what they are means of, minima stay minima. Everything else is a risk,
    a loss or a size, of which the larger counts.
    """
    old = {(metric.name, metric.scope): metric for metric in before}
    late = {(metric.name, metric.scope): metric for metric in new}
    weights = _weights(old, late, parent, rows_in)
    return [_one(key, old, late, weights) for key in [*late, *(key for key in old if key not in late)]]


def _one(key: tuple[str, str], old: Measures, late: Measures, weights: dict[str, tuple[float, float]]) -> Metric:
    if key not in old or key not in late:
        return late[key] if key in late else old[key]
    name, before, after = key[0], old[key].value, late[key].value
    if name in _SUMS:
        return replace(late[key], value=before + after)
    if name in weights:
        a, b = weights[name]
        value = (before * a + after * b) / (a + b)
        threshold = late[key].threshold
        return replace(late[key], value=value, met=None if threshold is None else value <= threshold)
    worse = min if name.endswith("_min") else max
    met = None if late[key].met is None else bool(late[key].met) and old[key].met is not False
    return replace(late[key], value=worse(before, after), met=met)


def _weights(old: Measures, late: Measures, parent: dict[str, Any], rows_in: int) -> dict[str, tuple[float, float]]:
    """Per mean or share what it is a mean over, before and in the new slices."""

    def value(measures: Measures, name: str) -> float:
        return measures[name, ""].value

    classes = (value(old, "classes"), value(late, "classes"))
    memberships = tuple(value(each, "class_people_mean") * value(each, "classes") for each in (old, late))
    released = (parent["rows_released"], rows_in - value(late, "suppressed_rows"))
    return {
        "class_people_mean": classes,
        "marketer_risk": (memberships[0], memberships[1]),
        **dict.fromkeys(_SHARES_OF_RELEASED, released),
        **dict.fromkeys(_SHARES_OF_ROWS_IN, (parent["rows_in"], rows_in)),
    }

"""Normalized certainty penalty (Xu et al. 2006): per quasi-identifier the share of its domain that a released row leaves open.

0 is a single value, 1 the whole domain. Measured on released rows, from their bounds and labels alone.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.evaluate.suppressed import without_cells
from kveil.privacy import labels
from kveil.privacy.coding import Coding
from kveil.settings.anonymize import Anonymize

Penalty = Callable[[str, str | None], float]
Shares = Mapping[str, Mapping[str, float]]


def certainty_metrics(
    release: DataFrame, settings: Anonymize, domains: Mapping[str, int], shares: Shares | None = None
) -> list[dict[str, Any]]:
    """`ncp` per quasi-identifier, and `ncp_mean` over them; `domains` holds each category's number of released values,
    `shares` which share of its domain each label of a hierarchy leaves open, as the frozen generalizer says.

    Null for a column of which only the representative is released: how much it leaves open cannot be seen.
    """
    seen = [name for name in settings.quasi_identifiers if settings.shown(name) != ["representative"]]
    measured = [name for name in seen if settings.quasi_identifiers[name].kind in ("number", "date")]
    listed = [name for name in seen if name not in measured]
    orders = {name: tuple(settings.quasi_identifiers[name].order) for name in listed}
    found = _of_bounds(release, settings, measured)
    found |= _of_labels(release, listed, label_penalty(orders, domains, shares or {}))
    values = [found.get(name) for name in settings.quasi_identifiers]
    known = [value for value in values if value is not None]
    rows = [{"metric": "ncp", "scope": name, "value": found.get(name)} for name in settings.quasi_identifiers]
    return [*rows, {"metric": "ncp_mean", "scope": "", "value": sum(known) / len(known) if known else None}]


def category_domains(codings: Iterable[Coding]) -> dict[str, int]:
    """How many values of each category the release names, which labels are measured against; all others together are one."""
    found: dict[str, set[str]] = {}
    for coding in codings:
        if coding.is_set:
            found.setdefault(coding.name, set()).update(coding.values)
    return {name: len(values) for name, values in found.items()}


def label_penalty(orders: Mapping[str, tuple[str, ...]], domains: Mapping[str, int], shares: Shares) -> Penalty:
    """(values a label stands for - 1) / (domain - 1), from 0 to 1, as a function of column and label."""

    def penalty(name: str, label: str | None) -> float:
        if name in shares:
            return _of_node(shares[name], label)
        order = orders[name]
        domain = len(order) or domains.get(name, 1)
        return min((labels.size(label, domain, order) - 1) / (domain - 1), 1.0) if domain > 1 else 0.0

    return penalty


def _of_node(shares: Mapping[str, float], label: str | None) -> float:
    """Nulls alone leave nothing open; what the release does not name, such as a suppressed cell, all."""
    if label is None:
        return 0.0
    return shares.get(label, shares.get(label.removesuffix(labels.OR_NULL), 1.0))


def _of_bounds(release: DataFrame, settings: Anonymize, names: list[str]) -> dict[str, float | None]:
    """Mean of (upper - lower) / (range of the whole release); a row of nulls alone leaves nothing open, a suppressed one all."""
    if not names:
        return {}
    ends = {name: _ends(name, settings) for name in names}
    kinds = {name: settings.quasi_identifiers[name].kind for name in names}
    known = release.select(
        without_cells(settings).alias("_suppressed"),
        *[end.alias(f"{name}_{side}") for name in names for end, side in zip(ends[name], ("lo", "hi", "all"), strict=True)],
    )
    ranges = known.agg(
        *[_width(F.max(f"{name}_hi"), F.min(f"{name}_lo"), kind).alias(f"range_{name}") for name, kind in kinds.items()]
    )
    joined = known.crossJoin(F.broadcast(ranges))
    means = []
    for name, kind in kinds.items():
        share = F.try_divide(_width(F.col(f"{name}_hi"), F.col(f"{name}_lo"), kind), F.col(f"range_{name}"))
        everything = F.col("_suppressed") | F.col(f"{name}_all")
        means.append(F.avg(F.when(everything, 1.0).otherwise(F.coalesce(share, F.lit(0.0)))).alias(name))
    row = joined.agg(*means).first()
    assert row is not None  # an aggregation without groups has one row
    return row.asDict()


def _ends(name: str, settings: Anonymize) -> tuple[Column, Column, Column]:
    """A class's lower and upper bound, from their columns or else read from the label, and whether it shows the whole domain."""
    if "bounds" in settings.shown(name):
        return F.col(f"`{name}_lo`"), F.col(f"`{name}_hi`"), F.lit(False)
    kind = "date" if settings.quasi_identifiers[name].kind == "date" else "bigint"
    label = F.regexp_replace(F.col(f"`{name}`"), f"{labels.OR_NULL}$", "")
    parts = F.split(label, re.escape(labels.RANGE))
    lower, upper = F.element_at(parts, 1).try_cast(kind), F.element_at(parts, -1).try_cast(kind)
    return lower, upper, F.coalesce(label == labels.WHOLE, F.lit(False))


def _width(upper: Column, lower: Column, kind: str) -> Column:
    return (F.datediff(upper, lower) if kind == "date" else upper - lower).cast("double")


def _of_labels(release: DataFrame, names: list[str], penalty: Penalty) -> dict[str, float | None]:
    """Mean penalty over rows; each distinct label is read once, wherever Spark holds it."""
    if not names:
        return {}
    pairs = F.explode(F.array(*[F.struct(F.lit(name).alias("name"), F.col(f"`{name}`").alias("label")) for name in names]))
    distinct = release.select(pairs.alias("pair")).groupBy("pair.name", "pair.label").agg(F.count(F.lit(1)).alias("rows"))

    def measure(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            pairs = zip(batch.column("name").to_pylist(), batch.column("label").to_pylist(), strict=True)
            penalties = pa.array([penalty(name, label) for name, label in pairs], pa.float64())
            yield pa.RecordBatch.from_arrays(
                [batch.column("name"), batch.column("rows"), penalties], names=["name", "rows", "penalty"]
            )

    weighted = distinct.mapInArrow(measure, "name string, rows bigint, penalty double").groupBy("name")
    means = weighted.agg((F.sum(F.col("rows") * F.col("penalty")) / F.sum("rows")).alias("mean")).collect()
    return {**dict.fromkeys(names), **{row["name"]: row["mean"] for row in means}}

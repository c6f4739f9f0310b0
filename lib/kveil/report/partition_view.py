"""What the figure of a partition is drawn from: the bounds of its classes in two columns, as published."""

import re
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.privacy.labels import OR_NULL, RANGE
from kveil.settings.anonymize import Anonymize

Fact = dict[str, Any]

MOST_CLASSES = 300
"""More rectangles than this are neither seen nor sent; the classes with the most rows are kept."""


def partition_view(released: DataFrame, settings: Anonymize) -> Fact | None:
    """Classes [x_lower, x_upper, y_lower, y_upper, rows] of the partition with the most rows, over two columns.

    The columns are the two with an order whose intervals differ most. None where the release shows the intervals of fewer
    than two, or holds no row with both. Dates are ISO texts, ordered values their place in the order.
    """
    ends = {name: _ends(name, settings) for name in settings.quasi_identifiers if _has_interval(name, settings)}
    if len(ends) < 2:
        return None
    two = _most_different(released, ends)
    by = settings.partition_by
    known = [end.alias(f"_{axis}{side}") for axis, name in zip("xy", two, strict=True) for side, end in enumerate(ends[name])]
    classes = released.groupBy(*[F.col(f"`{name}`") for name in settings.class_columns()]).agg(F.count(F.lit(1)).alias("_rows"))
    intervals = classes.select(*[F.col(f"`{name}`") for name in by], *known, "_rows").where(
        F.col("_x0").isNotNull() & F.col("_y0").isNotNull()
    )
    largest = intervals.groupBy(*by).agg(F.sum("_rows").alias("_all"), F.count(F.lit(1)).alias("_classes"))
    head = largest.orderBy(F.desc("_all"), *by).first()
    if head is None:
        return None
    chosen = intervals.where(_is(head.asDict(), by))
    shown = chosen.orderBy(F.desc("_rows"), "_x0", "_x1", "_y0", "_y1").limit(MOST_CLASSES).collect()
    return {
        "partition": {name: str(head[name]) for name in by},
        "x": _column(two[0], settings),
        "y": _column(two[1], settings),
        "others": len(settings.quasi_identifiers) - 2,
        "classes": [[_plain(row[place]) for place in ("_x0", "_x1", "_y0", "_y1", "_rows")] for row in shown],
        "classes_total": int(head["_classes"]),
        "rows_total": int(head["_all"]),
    }


def _has_interval(name: str, settings: Anonymize) -> bool:
    role = settings.quasi_identifiers[name]
    return "bounds" in settings.shown(name) or (role.kind == "ordered" and "label" in settings.shown(name))


def _ends(name: str, settings: Anonymize) -> tuple[Column, Column]:
    """A class's lower and upper end; null where it shows no interval (nulls alone, suppressed cells)."""
    if settings.quasi_identifiers[name].has_bounds:
        return F.col(f"`{name}_lo`"), F.col(f"`{name}_hi`")
    order = settings.quasi_identifiers[name].order
    body = F.regexp_replace(F.col(f"`{name}`"), f"{OR_NULL}$", "")
    parts = F.split(body, re.escape(RANGE))
    listed = F.array(*[F.lit(value) for value in order])

    def place(end: int, of_whole: int) -> Column:
        found = F.array_position(listed, F.element_at(parts, end))
        return F.when(body == "*", F.lit(of_whole)).when(found > 0, (found - 1).cast("int"))

    return place(1, 0), place(-1, len(order) - 1)


def _most_different(released: DataFrame, ends: dict[str, tuple[Column, Column]]) -> list[str]:
    """The two columns with the most distinct intervals, in the policy's order."""
    row = released.agg(*[F.approx_count_distinct(F.struct(*pair)).alias(name) for name, pair in ends.items()]).first()
    assert row is not None  # an aggregation without groups has one row
    ranked = sorted(ends, key=lambda name: -row[name])[:2]
    return [name for name in ends if name in ranked]


def _column(name: str, settings: Anonymize) -> Fact:
    role = settings.quasi_identifiers[name]
    return {"name": name, "kind": role.kind, "step": role.step, "values": role.order}


def _is(values: dict[str, Any], names: list[str]) -> Column:
    same = F.lit(True)
    for name in names:
        same = same & F.col(f"`{name}`").eqNullSafe(F.lit(values[name]))
    return same


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value

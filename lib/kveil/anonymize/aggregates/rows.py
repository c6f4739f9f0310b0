"""What each row adds to each total: clamped values, squares, items; the rows of public cells, and cheaper ones for norms."""

from collections.abc import Iterator

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.aggregates.bounding import ITEM, PERSON, Part
from kveil.anonymize.aggregates.cells import Grid, coded
from kveil.anonymize.aggregates.design import Design
from kveil.anonymize.aggregates.total import Total
from kveil.context import Context
from kveil.settings.aggregates import Aggregate
from kveil.settings.measures import Measure


def rows_of(ctx: Context, asked: Aggregate, clean: DataFrame) -> DataFrame:
    """The clean rows that have a person: PERSON and the columns that the aggregate reads."""
    person = F.col(f"`{ctx.policy.person}`")
    return clean.where(person.isNotNull()).select(person.alias(PERSON), *[F.col(f"`{column}`") for column in asked.columns])


def parts(rows: DataFrame, grid: Grid, design: Design) -> Iterator[Part]:
    """The totals of an aggregate in as few passes as their groupings allow: plain ones by rows, plain ones by person and
    cell, and each total of items by itself. `rows` have PERSON, the aggregate's columns and CODE where groups were unknown.
    """
    placed = grid.of_rows(rows)
    inside = rows.where(grid.has_row())
    for by_rows in (True, False):
        mine = [total for total in design.totals if total.adds != "items" and total.by_rows == by_rows]
        if mine:
            adds = tuple(_adds(total) for total in mine)
            yield Part(tuple(mine), placed, adds, inside)
    for total in design.totals:
        if total.adds == "items":
            role = grid.asked.measures[total.measure]
            counted = _with_items(placed, role, total, grid.types)
            yield Part((total,), counted, (F.lit(1),), counted)


def _adds(total: Total) -> Column:
    """What a row adds; null, which adds nothing, where its column is null."""
    if total.adds in ("rows", "people"):
        return F.lit(1) if total.column is None else F.when(F.col(f"`{total.column}`").isNotNull(), 1)
    value = _clamped(total) - F.lit(total.centre)
    return value if total.adds == "sum" else value * value - F.lit(total.middle)


def _clamped(total: Total) -> Column:
    column = F.col(f"`{total.column}`").cast("bigint")
    inside = F.least(F.lit(total.upper), F.greatest(F.lit(total.lower), column))
    # least and greatest skip nulls, and a row without a value adds nothing.
    return F.when(column.isNotNull(), inside.cast("bigint"))


def _with_items(rows: DataFrame, role: Measure, total: Total, types: dict[str, str]) -> DataFrame:
    """The rows that show one of the items, with its number in ITEM."""
    name = f"`{role.column}`"
    if role.values:
        assert role.column is not None  # what has values has a column
        joined, code = coded(rows, role.column, role.values, types[role.column], "inner")
        return joined.withColumn(ITEM, code)
    if role.edges:
        edges = role.edges
        inside = rows.where((F.col(name) >= F.lit(edges[0])) & (F.col(name) < F.lit(edges[-1])))
        return inside.withColumn(ITEM, _interval(F.col(name), edges, 0, len(edges) - 1))
    clamped = _clamped(total)
    width = F.lit(total.upper - total.lower)
    item = F.least(F.lit(total.items - 1), F.call_function("div", (clamped - F.lit(total.lower)) * total.items, width))
    return rows.where(F.col(name).isNotNull()).withColumn(ITEM, item)


def _interval(value: Column, edges: list[int], low: int, high: int) -> Column:
    """The number of the interval between edges low and high that holds the value, by halving."""
    if high - low == 1:
        return F.lit(low)
    middle = (low + high) // 2
    return F.when(value < F.lit(edges[middle]), _interval(value, edges, low, middle)).otherwise(
        _interval(value, edges, middle, high)
    )

"""Group keys as numbers and back: the cell of a row, and the keys of a cell."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.settings.aggregates import Aggregate
from kveil.settings.group_keys import GroupKey, period_start

I64 = NDArray[np.int64]

CELL, CODE = "kveil_cell", "kveil_code"
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True)
class Grid:
    """The cells of an aggregate: every combination of public keys, once for each of the `kept` unknown groups.

    A cell's number is that of its unknown group, then of each public key in the policy's order, as digits.
    """

    asked: Aggregate
    types: dict[str, str]
    kept: int = 1

    @property
    def public(self) -> dict[str, GroupKey]:
        """The group columns whose keys are public."""
        return {name: key for name, key in self.asked.group_by.items() if not key.unknown}

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return self.kept * self.asked.public_cells

    def of_rows(self, rows: DataFrame) -> DataFrame:
        """The rows of public cells with CELL; the unknown group's number is expected in CODE, where there are any."""
        unknown = F.col(CODE).cast("bigint") if self.asked.unknown else F.lit(0).cast("bigint")
        digits = []
        for name, key in self.public.items():
            if key.every is None:
                rows, digit = coded(rows, name, list(key.keys), self.types[name], "inner")
            else:
                rows, digit = rows.where(_inside(name, key)), _period(name, key)
            digits.append((digit, len(key.keys)))
        number = reduce(lambda known, digit: known * F.lit(digit[1]) + digit[0], digits, unknown)
        return rows.withColumn(CELL, number.cast("bigint"))

    def has_row(self) -> Column:
        """Whether a row lies in one of the public cells, of unknown group or none."""
        inside = F.lit(True)
        for name, key in self.public.items():
            inside &= F.col(f"`{name}`").isin(list(key.keys)) if key.every is None else _inside(name, key)
        return inside

    def keys_of(self, cells: I64, shown: Collection[str]) -> dict[str, pa.Array]:
        """The public key columns of cells [n]; null in those that are not shown."""
        columns, rest = {}, cells % self.asked.public_cells
        for name, key in reversed(self.public.items()):
            keys = list(key.keys)
            places = pa.array(rest % len(keys), mask=np.full(len(rest), name not in shown))
            columns[name] = pa.array(keys, key_type(key, self.types[name])).take(places)
            rest = rest // len(keys)
        return dict(reversed(columns.items()))


def key_type(key: GroupKey, sql_type: str) -> pa.DataType:
    """How a group column is shown: a period by its first day, another key as the clean table has it."""
    if key.every is not None:
        return pa.date32()
    return {"string": pa.string(), "boolean": pa.bool_()}.get(sql_type, pa.int64())


def shown_type(key: GroupKey, sql_type: str) -> str:
    """The same in SQL."""
    return "date" if key.every is not None else sql_type if sql_type in ("string", "boolean") or key.unknown else "bigint"


def coded(rows: DataFrame, column: str, values: list[Any], sql_type: str, how: str) -> tuple[DataFrame, Column]:
    """The rows, joined with the public values of a column, and the place of a row's value in that list."""
    code, value = f"kveil_code_{column}", f"kveil_value_{column}"
    listed = [(each, place) for place, each in enumerate(values)]
    table = rows.sparkSession.createDataFrame(listed, f"`{value}` {sql_type}, `{code}` bigint")
    joined = rows.join(F.broadcast(table), F.col(f"`{column}`") == F.col(f"`{value}`"), how).drop(value)
    return joined, F.col(f"`{code}`")


def _inside(name: str, key: GroupKey) -> Column:
    """Whether a row's day lies in one of the calendar's periods."""
    assert key.every is not None  # the caller's condition
    assert key.last is not None  # what a calendar has
    after = period_start(key.last, key.every) + timedelta(days={"day": 1, "month": 32, "quarter": 95, "year": 367}[key.every])
    day = F.col(f"`{name}`").cast("date")
    return (day >= F.lit(key.keys[0])) & (day < F.lit(period_start(after, key.every)))


def _period(name: str, key: GroupKey) -> Column:
    """The number of a row's period, from 0."""
    assert key.every is not None  # the caller's condition
    day, first = F.col(f"`{name}`").cast("date"), key.keys[0]
    if key.every == "day":
        return F.datediff(day, F.lit(first))
    months = (F.year(day) - first.year) * 12 + F.month(day) - first.month
    return F.call_function("div", months, F.lit(_MONTHS[key.every]))

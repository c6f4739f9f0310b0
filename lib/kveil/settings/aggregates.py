"""`anonymize.aggregates`: statistics of groups under differential privacy, in which one person's rows all count as one change."""

from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from math import prod
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from kveil.settings.base import ColumnName, Epsilon, Identifier, Section
from kveil.settings.budget import Delta

SpentDelta = Annotated[Delta, Field(gt=0)]
Kind = Literal["count", "people", "sum", "mean", "variance", "quantiles", "histogram", "top_k"]
Count = Annotated[int, Field(ge=1, le=10**9)]

MOST_CELLS = 10**6
MOST_ADDED = 2**50
"""What one person may add to a total, in the column's unit."""

_MOST_UNITS = 2**63 - 1
_NEEDS: dict[str, tuple[str, ...]] = {
    "count": (),
    "people": (),
    "sum": ("column", "lower", "upper"),
    "mean": ("column", "lower", "upper"),
    "variance": ("column", "lower", "upper"),
    "quantiles": ("column", "lower", "upper"),
    "histogram": ("column",),
    "top_k": ("column", "values", "k"),
}
_MAY_HAVE: dict[str, tuple[str, ...]] = {"sum": ("total",), "quantiles": ("at", "bins"), "histogram": ("edges", "values")}


class GroupKey(Section):
    """Which groups of a column are shown. Public keys, known without the data, all appear: `values`, or every day, month, quarter
    or year from the one of `first` to that of `last`. `unknown` keys are those of the data that a private choice keeps.
    """

    values: list[Any] = Field(default_factory=list)
    every: Literal["day", "month", "quarter", "year"] | None = None
    first: date | None = None
    last: date | None = None
    unknown: bool = False

    @field_validator("values")
    @classmethod
    def _exact(cls, values: list[Any]) -> list[Any]:
        return _public(values)

    @model_validator(mode="after")
    def _one_way(self) -> "GroupKey":
        if [bool(self.values), self.every is not None, self.unknown].count(True) != 1:
            raise ValueError("give public keys as values, or a calendar as every, first and last, or write unknown")
        if (self.every is None) != (self.first is None) or (self.every is None) != (self.last is None):
            raise ValueError("every, first and last belong together: the calendar's public range")
        if self.first is not None and self.last is not None and self.first > self.last:
            raise ValueError("first must not be after last")
        if self.first is not None and self.last is not None and (self.last - self.first).days > MOST_CELLS:
            raise ValueError(f"first and last are more than {MOST_CELLS:,} days apart")
        return self

    @property
    def keys(self) -> list[Any]:
        """The public keys in order: the values, or the first day of each period; none where unknown."""
        if self.first is None or self.last is None or self.every is None:
            return self.values
        days = (self.first + timedelta(days=i) for i in range((self.last - self.first).days + 1))
        return list(dict.fromkeys(period_start(day, self.every) for day in days))


def period_start(day: date, every: str) -> date:
    """The first day of the period that a day lies in."""
    month = {"day": day.month, "month": day.month, "quarter": day.month - (day.month - 1) % 3, "year": 1}[every]
    return day.replace(month=month, day=day.day if every == "day" else 1)


def _public(values: list[Any]) -> list[Any]:
    for value in values:
        if value is None:
            raise ValueError("null is no public key, since rows without a value are left out; remove it")
        if not isinstance(value, str | int):
            raise ValueError(f"a public key is a text, a whole number or true and false, not a {type(value).__name__}; change it")
    if len({type(value) for value in values}) > 1:
        raise ValueError("public keys are all of one kind: texts, whole numbers, or true and false")
    twice = [str(value) for value, times in Counter(values).items() if times > 1]
    if twice:
        raise ValueError(f"a public key stands twice: {', '.join(twice)}")
    return values


class Measure(Section):
    """One statistic per group; `weight` is its part of the aggregate's loss.

    count: rows. people: distinct persons. sum, mean, variance, quantiles: of a whole-number column whose values are clamped
    to the public bounds; `total` caps what one person adds to a sum over all groups. histogram: rows per interval
    [edge, next edge) or per value. top_k: the k most frequent of `values`.
    """

    kind: Kind
    column: ColumnName | None = None
    lower: int | None = None
    upper: int | None = None
    total: Annotated[int, Field(ge=1)] | None = None
    edges: list[int] = Field(default_factory=list)
    values: list[Any] = Field(default_factory=list)
    at: list[Annotated[Decimal, Field(gt=0, lt=1)]] = Field(default_factory=list)
    bins: Annotated[int, Field(ge=2, le=4096)] | None = None
    k: Annotated[int, Field(ge=1)] | None = None
    weight: Annotated[int, Field(ge=1, le=1000)] = 1

    @field_validator("values")
    @classmethod
    def _exact(cls, values: list[Any]) -> list[Any]:
        return _public(values)

    @model_validator(mode="after")
    def _what_the_kind_needs(self) -> "Measure":
        given = [name for name in type(self).model_fields if name not in ("kind", "weight") and getattr(self, name)]
        given += [name for name in ("lower", "upper") if getattr(self, name) == 0]
        needs, may = _NEEDS[self.kind], _MAY_HAVE.get(self.kind, ())
        missing = [name for name in needs if name not in given]
        if missing:
            raise ValueError(f"kind {self.kind} needs {', '.join(missing)}, which are public and not taken from the data")
        surplus = [name for name in given if name not in (*needs, *may)]
        if surplus:
            raise ValueError(f"kind {self.kind} knows no {', '.join(surplus)}; allowed: {', '.join((*needs, *may)) or 'weight'}")
        if self.kind == "histogram" and bool(self.edges) == bool(self.values):
            raise ValueError("a histogram needs edges or values, not both")
        return self

    @model_validator(mode="after")
    def _bounds_in_order(self) -> "Measure":
        if self.lower is not None and self.upper is not None and self.lower >= self.upper:
            raise ValueError("lower must be below upper")
        if any(abs(each) > _MOST_UNITS for each in (self.lower or 0, self.upper or 0, self.total or 0, *self.edges)):
            raise ValueError("a bound does not fit 64 bits; give it in the column's unit, within 9.2e18")
        if self.edges and (len(self.edges) < 2 or sorted(set(self.edges)) != self.edges):
            raise ValueError("edges are at least two, in ascending order")
        if self.kind == "top_k" and self.k is not None and self.k > len(self.values):
            raise ValueError("k is larger than the number of values")
        return self

    @property
    def largest(self) -> int:
        """The most that one row may add to a total of this measure: a value, or the square of half the range of values."""
        lower, upper = self.lower or 0, self.upper or 0
        if self.kind == "variance":
            return ((upper - lower) // 2 + 1) ** 2
        return max(1, abs(lower), abs(upper), upper - lower if self.kind != "sum" else 0)

    @property
    def shares(self) -> list[Decimal]:
        """Which quantiles are asked: the quartiles where the policy names none."""
        return self.at or [Decimal("0.25"), Decimal("0.5"), Decimal("0.75")]

    @property
    def items(self) -> int:
        """How many totals the measure has per group, besides those that means and variances are made of."""
        if self.kind == "quantiles":
            assert self.lower is not None  # the validator's condition
            assert self.upper is not None
            return min(self.bins or 64, self.upper - self.lower)
        if self.kind in ("histogram", "top_k"):
            return len(self.values) or len(self.edges) - 1
        return 1


class Contribution(Section):
    """What a person may add and still be counted whole; who has more is scaled down. Public, like every bound."""

    rows: Count | None = None
    groups: Count | None = None
    rows_per_group: Count | None = None


class Selection(Section):
    """What the private choice of unknown groups costs, besides the measures."""

    epsilon: Epsilon
    delta: SpentDelta


def _spelt_out(value: Any) -> Any:
    return {"unknown": True} if value == "unknown" else value


class Aggregate(Section):
    """One table of statistics: its groups, its measures and what all measures together cost one person.

    `mechanism: auto` takes discrete Laplace (pure epsilon) or, where delta is given, discrete Gaussian (zCDP) if its error is
    expected to be smaller.
    """

    group_by: dict[ColumnName, Annotated[GroupKey, BeforeValidator(_spelt_out)]] = Field(default_factory=dict)
    measures: dict[Identifier, Measure] = Field(min_length=1)
    epsilon: Epsilon
    delta: SpentDelta | None = None
    mechanism: Literal["auto", "laplace", "gaussian"] = "auto"
    contribution: Contribution
    selection: Selection | None = None

    @property
    def unknown(self) -> list[str]:
        """The columns whose groups are chosen privately."""
        return [name for name, key in self.group_by.items() if key.unknown]

    @property
    def public_cells(self) -> int:
        """The number of combinations of public keys."""
        return prod(len(key.keys) for key in self.group_by.values() if not key.unknown)

    @property
    def columns(self) -> list[str]:
        """The clean columns that it reads, each once."""
        return list(dict.fromkeys([*self.group_by, *(each.column for each in self.measures.values() if each.column)]))

    @model_validator(mode="after")
    def _what_belongs_together(self) -> "Aggregate":
        if self.mechanism == "gaussian" and self.delta is None:
            raise ValueError("mechanism gaussian needs delta, since it is never free of one")
        if bool(self.unknown) != (self.selection is not None):
            raise ValueError("unknown group keys and selection, the epsilon and delta of choosing them, belong together")
        limits = self.contribution
        if self.unknown and limits.groups is None:
            raise ValueError("unknown group keys need contribution.groups: in how many of them a person may be counted")
        if limits.rows is None and (limits.groups is None or limits.rows_per_group is None):
            raise ValueError("contribution needs rows, or groups and rows_per_group, else one person could add any amount")
        taken = {"measure", "item", "value", "standard_error", "lower_95", "upper_95"} & {name.lower() for name in self.group_by}
        if taken:
            raise ValueError(f"group_by: {', '.join(sorted(taken))} is a column of the result; rename it in clean.derive")
        return self

    @model_validator(mode="after")
    def _within_integers(self) -> "Aggregate":
        limits = self.contribution
        known = [limits.rows, limits.groups * limits.rows_per_group if limits.groups and limits.rows_per_group else None]
        rows = min(each for each in known if each is not None)
        for name, role in self.measures.items():
            if min(rows * role.largest, role.total or _MOST_UNITS) > MOST_ADDED or role.largest > _MOST_UNITS:
                raise ValueError(
                    f"measures.{name}: its bounds let one person add more than {MOST_ADDED:,} units, beyond which sums might "
                    "not fit 64 bits; give a coarser column or tighter bounds"
                )
        return self

    @model_validator(mode="after")
    def _of_a_size(self) -> "Aggregate":
        entries = self.public_cells * sum(each.items for each in self.measures.values())
        if entries > MOST_CELLS:
            raise ValueError(
                f"its public groups hold {entries:,} numbers; at most {MOST_CELLS:,} are allowed; use fewer or coarser"
            )
        return self


def aggregate_problems(aggregates: dict[str, Aggregate], person: str, known: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Key and sentence of every column that the clean table has not, or that is the person."""
    allowed = sorted(known)
    for name, each in aggregates.items():
        asked = {f"group_by.{column}": column for column in each.group_by}
        asked |= {f"measures.{measure}.column": role.column for measure, role in each.measures.items() if role.column}
        for place, column in asked.items():
            key = f"anonymize.aggregates.{name}.{place}"
            if column == person:
                yield key, f"{column!r} is the privacy unit, which no group or measure may show; use kind people to count them"
            elif column not in allowed:
                yield key, f"the clean table has no column {column!r}; allowed: {', '.join(allowed)}"

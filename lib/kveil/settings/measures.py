"""The statistics of an aggregate, each with its public bounds."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from kveil.settings.base import MOST, ColumnName, Section
from kveil.settings.bounds import BoughtBounds
from kveil.settings.group_keys import public

Kind = Literal["count", "people", "sum", "mean", "variance", "quantiles", "histogram", "top_k"]

MOST_UNITS = 2**63 - 1
"""What fits a 64-bit column."""

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


class Measure(Section):
    """One statistic per group; `weight` is its part of the aggregate's loss.

    count: rows. people: distinct persons. sum, mean, variance, quantiles: of a whole-number column whose values are clamped
    to public bounds, or to bought ones; `total` caps what one person adds to a sum over all groups. histogram: rows per interval
    [edge, next edge) or per value. top_k: the k most frequent of `values`.
    """

    kind: Kind
    column: ColumnName | None = None
    lower: int | None = None
    upper: int | None = None
    bounds: BoughtBounds | None = None
    total: Annotated[int, Field(ge=1, le=MOST)] | None = None
    edges: list[int] = Field(default_factory=list)
    values: list[Any] = Field(default_factory=list)
    at: list[Annotated[Decimal, Field(gt=0, lt=1)]] = Field(default_factory=list)
    bins: Annotated[int, Field(ge=2, le=4096)] | None = None
    k: Annotated[int, Field(ge=1, le=MOST)] | None = None
    weight: Annotated[int, Field(ge=1, le=1000)] = 1

    @field_validator("values")
    @classmethod
    def _exact(cls, values: list[Any]) -> list[Any]:
        return public(values)

    @model_validator(mode="after")
    def _what_the_kind_needs(self) -> "Measure":
        given = [name for name in type(self).model_fields if name not in ("kind", "weight") and getattr(self, name)]
        given += [name for name in ("lower", "upper") if getattr(self, name) == 0]
        needs, may = _NEEDS[self.kind], _MAY_HAVE.get(self.kind, ())
        if self.bounds is not None and "lower" in needs:
            if "lower" in given or "upper" in given:
                raise ValueError("give lower and upper, which are public, or bounds, which are bought, not both")
            needs = ("column", "bounds")
        missing = [name for name in needs if name not in given]
        if missing:
            or_bought = "; bounds buys them" if "lower" in missing or "upper" in missing else ""
            raise ValueError(
                f"kind {self.kind} needs {', '.join(missing)}, which are public and not taken from the data{or_bought}"
            )
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
        if any(abs(each) > MOST_UNITS for each in (self.lower or 0, self.upper or 0, self.total or 0, *self.edges)):
            raise ValueError("a bound does not fit 64 bits; give it in the column's unit, within 9.2e18")
        if self.edges and (len(self.edges) < 2 or sorted(set(self.edges)) != self.edges):
            raise ValueError("edges are at least two, in ascending order")
        if self.kind == "top_k" and self.k is not None and self.k > len(self.values):
            raise ValueError("k is larger than the number of values")
        return self

    @property
    def widest(self) -> "Measure":
        """The measure with bounds: where they are bought and not yet found, with the outer range."""
        return self.within(*self.bounds.within) if self.bounds is not None and self.lower is None else self

    def within(self, lower: int, upper: int) -> "Measure":
        """The measure with these bounds."""
        return self.model_copy(update={"lower": lower, "upper": upper})

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

    @property
    def rows_shown(self) -> int:
        """How many rows the published table has of it per group."""
        return {"quantiles": len(self.shares), "histogram": self.items, "top_k": self.k or 0}.get(self.kind, 1)

"""Totals over people of whom each adds a bounded vector, in Spark's integers alone.

A person whose vector is beyond the bound has every entry multiplied by the same whole number of 1 / grain below one: then
the norm of what they add is within the bound exactly, whatever the order or the partitions of rows. Only people beyond
the bound are joined to the rows; nobody's rows are sorted. Scaling a vector loses less than leaving out rows or groups at
the same bound, and what is within the limits stays as it is.

Nothing here can overflow, which would end the job and thereby tell: what one row adds is clamped before it is used, a
person's norm is summed in integers that hold 4 billion rows, and totals are kept as two halves.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isqrt

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.aggregates.cells import CELL
from kveil.anonymize.aggregates.total import Total

PERSON, ITEM, SLOT, HIGH, LOW = "kveil_person", "kveil_item", "kveil_slot", "kveil_high", "kveil_low"
LIMB = 25
"""A total is HIGH * 2**LIMB + LOW; each of both is a sum that 2**37 people cannot overflow."""

_EVERY_ROW = 2**31
_SAFETY = 1 - 2.0**-40


@dataclass(frozen=True)
class Part:
    """Totals that are computed together: `adds[i]` is what a row of `rows` adds to `totals[i]`, null for nothing.

    `rows` hold PERSON, CELL and, for totals of items, ITEM. `people` are rows from which norms may be read more cheaply,
    where they are the same.
    """

    totals: tuple[Total, ...]
    rows: DataFrame
    adds: tuple[Column, ...]
    people: DataFrame

    @property
    def by_item(self) -> bool:
        """Whether rows are counted per item."""
        return self.totals[0].adds == "items"


def totals(part: Part, few_people: bool) -> DataFrame:
    """CELL, SLOT, HIGH, LOW of each total that is not zero; `few_people` says that they fit every executor's memory."""
    keys = [CELL, ITEM] if part.by_item else [CELL]
    named = [f"kveil_x{i}" for i in range(len(part.adds))]
    adds = [add.cast("bigint").alias(name) for add, name in zip(part.adds, named, strict=True)]
    rows = part.rows.select(PERSON, *keys, *adds)
    people = part.people.select(PERSON, *adds)
    if not part.totals[0].by_rows:
        rows = rows.groupBy(PERSON, *keys).agg(*[_entry(t, n).alias(n) for t, n in zip(part.totals, named, strict=True)])
        people = rows
    beyond = _beyond(people, part.totals, named)
    joined = rows.join(F.broadcast(beyond) if few_people else beyond, PERSON, "left")
    halves = [half for total, name in zip(part.totals, named, strict=True) for half in _halves(total, name)]
    return _long(joined.groupBy(*keys).agg(*halves), part, named)


def _entry(total: Total, name: str) -> Column:
    """What a person adds to one cell, cut off where it is beyond the bound in any case."""
    if total.adds == "people":
        return F.expr("max(1L)")
    most = total.sensitivity.bound if total.sensitivity.power == 1 else isqrt(total.sensitivity.bound) + 1
    summed = _sum(name, total.largest)
    return F.expr(f"cast(greatest({_literal(-most)}, least({_literal(most)}, {summed})) AS bigint)")


def _sum(value: str, largest: int) -> str:
    """A person's sum of values up to `largest`; what 4 billion rows could overflow is summed in decimals."""
    return f"sum({value})" if largest < _EVERY_ROW else f"sum(cast({value} AS decimal(19, 0)))"


def _beyond(people: DataFrame, totals: Sequence[Total], named: Sequence[str]) -> DataFrame:
    """Per person beyond a bound, the factor of each total in units of 1 / grain; grain itself is one."""
    bounds = {name: list(_bounds(total, name)) for total, name in zip(totals, named, strict=True)}
    every = [bound for each in bounds.values() for bound in each]
    beyond = " OR ".join(bound.is_broken for bound in every)
    factors = [
        F.expr(f"least({each[0].grain}L, {', '.join(bound.factor for bound in each)}) AS {name}_factor")
        for name, each in bounds.items()
    ]
    norms = [F.expr(bound.norm) for bound in every]
    return people.groupBy(PERSON).agg(*norms).where(beyond).select(PERSON, *factors)


def _bounds(total: Total, name: str) -> Iterator["_Bound"]:
    """What bounds a person in a total whose entries are in a column: one norm, or both where L2 alone does not bound sums."""
    kept = total.sensitivity
    # What a row adds is small, but entries may be sums already.
    yield _Bound(name, kept.power, kept.bound, total.noise.grain, total.largest)
    if total.l1 is not None:
        yield _Bound(name, 1, total.l1, total.noise.grain, _EVERY_ROW)


@dataclass(frozen=True)
class _Bound:
    """The L1 norm (power 1) or squared L2 norm (power 2) of a person's entries, each up to `largest`, may be `most`.

    In SQL's words, of which a whole expression is one call of Spark's where each Column would be one.
    """

    entries: str
    power: int
    most: int
    grain: int
    largest: int

    @property
    def norm(self) -> str:
        """Of all entries of a person, as a column of its own name."""
        if self.power == 1:
            return f"{_sum(f'abs({self.entries})', self.largest)} AS {self._name}"
        wide = f"cast({self.entries} AS decimal(19, 0))"
        return f"sum(cast({wide} * {wide} AS decimal(38, 0))) AS {self._name}"

    @property
    def is_broken(self) -> str:
        """Whether the norm is beyond the bound."""
        return f"{self._name} > {_literal(self.most)}"

    @property
    def factor(self) -> str:
        """The largest whole factor that keeps the norm within the bound; for squares one that is a little smaller."""
        if self.power == 1:
            shrunk = f"{_literal(self.most * self.grain)} div {self._name}"
        else:
            # Four roundings of 2**-53 each are far less than the safety.
            ratio = f"cast({_literal(self.most)} AS double) / cast({self._name} AS double)"
            shrunk = f"floor(sqrt({ratio}) * {self.grain * _SAFETY!r}D)"
        return f"cast(CASE WHEN {self.is_broken} THEN {shrunk} ELSE {self.grain} END AS bigint)"

    @property
    def _name(self) -> str:
        return f"{self.entries}_norm{self.power}"


def _literal(value: int) -> str:
    return f"{value}L" if abs(value) < 2**63 else f"cast('{value}' AS decimal(38, 0))"


def _halves(total: Total, name: str) -> list[Column]:
    fine = f"{name} * coalesce({name}_factor, {total.noise.grain}L)"
    return [
        F.expr(f"sum(shiftright({fine}, {LIMB})) AS {name}_high"),
        F.expr(f"sum(({fine}) & {2**LIMB - 1}L) AS {name}_low"),
    ]


def _long(wide: DataFrame, part: Part, named: Sequence[str]) -> DataFrame:
    item = f"cast({ITEM} AS int)" if part.by_item else "0"
    numbers = ", ".join(
        f"named_struct('{SLOT}', {total.slot} + {item}, '{HIGH}', {name}_high, '{LOW}', {name}_low)"
        for total, name in zip(part.totals, named, strict=True)
    )
    return wide.select(CELL, F.expr(f"inline(array({numbers}))")).where(f"{HIGH} IS NOT NULL")

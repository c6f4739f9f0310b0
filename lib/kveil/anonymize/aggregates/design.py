"""From an aggregate's settings to the totals it is made of: what bounds a person, what each costs, which noise that needs.

Reads the policy alone, so that the expected error is known before anything is spent.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from kveil.privacy.composition import rho_within
from kveil.privacy.sensitivity import Limits, Mechanism, Noise, Sensitivity, noise_of
from kveil.settings.aggregates import Aggregate, Measure

Adds = Literal["rows", "people", "sum", "square", "items"]


@dataclass(frozen=True)
class Total:
    """One vector of totals, an entry per group and item.

    A row adds 1 (rows, items), its clamped value less `centre` (sum), or the square of that less `middle` (square); a person adds
    1 per group (people). A person's vector is scaled down to `sensitivity`; `largest` bounds what one row adds. `slot` is the
    place of the first item among all numbers of a group.
    """

    measure: str
    slot: int
    adds: Adds
    column: str | None
    lower: int
    upper: int
    centre: int
    middle: int
    items: int
    largest: int
    sensitivity: Sensitivity
    noise: Noise

    @property
    def by_rows(self) -> bool:
        """Whether a person's norm is a sum over rows, so that rows need no totals per person and group first."""
        return self.sensitivity.power == 1 and self.adds != "people"


@dataclass(frozen=True)
class Design:
    """An aggregate's totals under one mechanism; `loss` is what all of them cost together: epsilon, or rho for gaussian."""

    mechanism: Mechanism
    loss: Fraction
    totals: tuple[Total, ...]
    reason: str

    @property
    def width(self) -> int:
        """How many numbers a group has."""
        return sum(total.items for total in self.totals)

    def of(self, measure: str) -> tuple[Total, ...]:
        """The totals of one measure, in the order rows, sum, square."""
        return tuple(total for total in self.totals if total.measure == measure)


def design(asked: Aggregate) -> Design:
    """The totals and noise of an aggregate; `auto` compares the standard errors that both mechanisms would give."""
    if asked.mechanism != "auto":
        return _under(asked, asked.mechanism, "as the policy says")
    laplace = _under(asked, "laplace", "the policy gives no delta")
    if asked.delta is None:
        return laplace
    gaussian = _under(asked, "gaussian", "")
    ratio = _mean_ratio(gaussian, laplace)
    better, worse = (gaussian, "laplace") if ratio < 1 else (laplace, "gaussian")
    times = 1 / ratio if ratio < 1 else ratio
    reason = f"its standard errors are on average 1 / {times:.3g} of those under {worse}"
    return Design(better.mechanism, better.loss, better.totals, reason)


@dataclass(frozen=True)
class _Shape:
    """What a row adds to a total, before it is known what that costs."""

    adds: Adds
    centre: int = 0
    middle: int = 0
    largest: int = 1


def _shapes(role: Measure) -> list[_Shape]:
    if role.kind in ("count", "people"):
        return [_Shape("rows" if role.kind == "count" else "people")]
    if role.kind not in ("sum", "mean", "variance"):
        return [_Shape("items")]
    lower, upper = _clamp(role)
    if role.kind == "sum":
        return [_Shape("sum", largest=max(abs(lower), abs(upper)))]
    # Values around their centre are half as large as the widest range, and squares around their middle again.
    centre = (lower + upper) // 2
    largest = max(upper - centre, centre - lower)
    middle = largest**2 // 2
    shapes = [_Shape("rows"), _Shape("sum", centre=centre, largest=largest)]
    square = _Shape("square", centre=centre, middle=middle, largest=max(middle, largest**2 - middle))
    return [*shapes, square] if role.kind == "variance" else shapes


def _clamp(role: Measure) -> tuple[int, int]:
    """The bounds of a value; no row of a sum may add more than the person may in total."""
    lower, upper = role.lower or 0, role.upper or 0
    return (lower, upper) if role.total is None else (max(lower, -role.total), min(upper, role.total))


def _limits(asked: Aggregate) -> Limits:
    given = asked.contribution
    return Limits(given.rows, given.groups, given.rows_per_group)


def _people(asked: Aggregate) -> int:
    """The number of groups in which a person is counted once."""
    limits = asked.contribution
    return min(each for each in (limits.groups, limits.rows) if each is not None)


def _l1(asked: Aggregate, role: Measure, shape: _Shape) -> int:
    if shape.adds == "people":
        return _people(asked)
    rows = _limits(asked).l1
    assert rows is not None  # the settings' condition
    return rows * shape.largest if role.total is None else min(rows * shape.largest, role.total)


def _sensitivity(asked: Aggregate, role: Measure, shape: _Shape, mechanism: Mechanism) -> Sensitivity:
    l1 = _l1(asked, role, shape)
    if mechanism == "laplace":
        return Sensitivity(1, l1)
    if shape.adds == "people":
        return Sensitivity(2, l1)
    most_per_group = (asked.contribution.rows_per_group or l1) * shape.largest
    return Sensitivity(2, l1 * min(l1, most_per_group))


def _under(asked: Aggregate, mechanism: Mechanism, reason: str) -> Design:
    loss = Fraction(asked.epsilon)
    if mechanism == "gaussian":
        assert asked.delta is not None  # the settings' condition
        loss = rho_within(loss, Fraction(asked.delta))
    weights = sum(role.weight for role in asked.measures.values())
    found: list[Total] = []
    for name, role in asked.measures.items():
        shapes = _shapes(role)
        each = loss * role.weight / weights / len(shapes)
        for shape in shapes:
            slot = found[-1].slot + found[-1].items if found else 0
            bound = _sensitivity(asked, role, shape, mechanism)
            found.append(_total(name, role, slot, shape, (bound, noise_of(bound, each, shape.largest))))
    return Design(mechanism, loss, tuple(found), reason)


def _total(name: str, role: Measure, slot: int, shape: _Shape, bounded: tuple[Sensitivity, Noise]) -> Total:
    lower, upper = _clamp(role)
    items = role.items if shape.adds == "items" else 1
    kept = (role.column, lower, upper, shape.centre, shape.middle, items, shape.largest)
    return Total(name, slot, shape.adds, *kept, *bounded)


def _mean_ratio(one: Design, other: Design) -> float:
    """The geometric mean of the standard errors' ratios."""
    logs = [
        math.log(mine.noise.standard_error / theirs.noise.standard_error)
        for mine, theirs in zip(one.totals, other.totals, strict=True)
    ]
    return math.exp(sum(logs) / len(logs))

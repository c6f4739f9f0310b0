"""From an aggregate's settings to the totals it is made of: what bounds a person, what each costs, which noise that needs.

Reads the policy alone, so that the expected error is known before anything is spent.
"""

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from kveil.anonymize.aggregates.total import Adds, Total
from kveil.privacy.composition import rho_within
from kveil.privacy.consistency import Tree
from kveil.privacy.sensitivity import Limits, Mechanism, Sensitivity, noises_of
from kveil.settings.aggregates import Aggregate
from kveil.settings.measures import Measure


@dataclass(frozen=True)
class LevelOfGroups:
    """Groups by `columns`; `groups` is their number, `below` how many of the finest make one (in each unknown group)."""

    columns: tuple[str, ...]
    groups: int
    below: int

    @property
    def name(self) -> str:
        """Its columns, as the published table names them."""
        return ",".join(self.columns)


@dataclass(frozen=True)
class Design:
    """An aggregate's totals under one mechanism; `loss` is what all of them cost together: epsilon, or rho for gaussian.

    `levels` are coarsest first; the last is that of the groups themselves.
    """

    mechanism: Mechanism
    loss: Fraction
    levels: tuple[LevelOfGroups, ...]
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
    """The totals and noise of an aggregate; `auto` compares the standard errors that both mechanisms would give.

    Bounds that are bought and not yet found are taken to be as wide as they may become.
    """
    asked = asked.widest
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
    return replace(better, reason=reason)


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


def _summed(finest: Sensitivity, l1: int, below: int) -> Sensitivity:
    """The sensitivity of sums of `below` entries each. An L1 norm does not grow by adding up; an L2 norm may.

    By Cauchy and Schwarz its square grows `below` times at most, and it is within the L1 norm.
    """
    return finest if finest.power == 1 else Sensitivity(2, min(finest.bound * below, l1**2))


def _levels(asked: Aggregate) -> tuple[LevelOfGroups, ...]:
    groups = [asked.public_cells_by(level.by) for level in asked.all_levels]
    columns = [tuple(name for name in asked.group_by if name in level.by) for level in asked.all_levels]
    return tuple(LevelOfGroups(by, count, groups[-1] // count) for by, count in zip(columns, groups, strict=True))


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
            finest, l1 = _sensitivity(asked, role, shape, mechanism), _l1(asked, role, shape)
            found.append(_total(name, role, slot, shape, _Drawn.of(asked, finest, l1, each)))
    return Design(mechanism, loss, _levels(asked), tuple(found), reason)


@dataclass(frozen=True)
class _Drawn:
    """What bounds a person in a total, and what is drawn for it on each level."""

    l1: int | None
    sensitivities: tuple[Sensitivity, ...]
    losses: tuple[Fraction, ...]
    fans: tuple[int, ...]

    @classmethod
    def of(cls, asked: Aggregate, finest: Sensitivity, l1: int, loss: Fraction) -> "_Drawn":
        levels, weights = _levels(asked), [level.weight for level in asked.all_levels]
        losses = tuple(loss * weight / sum(weights) for weight in weights)
        fans = tuple(lower.groups // upper.groups for upper, lower in pairwise(levels))
        sums = tuple(_summed(finest, l1, level.below) for level in levels)
        return cls(l1 if finest.power == 2 and fans else None, sums, losses, fans)


def _total(name: str, role: Measure, slot: int, shape: _Shape, drawn: _Drawn) -> Total:
    lower, upper = _clamp(role)
    items = role.items if shape.adds == "items" else 1
    kept = (role.column, lower, upper, shape.centre, shape.middle, items, shape.largest)
    tree = Tree(drawn.fans, noises_of(drawn.sensitivities, drawn.losses, shape.largest))
    return Total(name, slot, shape.adds, *kept, drawn.l1, drawn.sensitivities, tree)


def _mean_ratio(one: Design, other: Design) -> float:
    """The geometric mean of the standard errors' ratios."""
    logs = [
        math.log(my_error.standard_error / their_error.standard_error)
        for mine, theirs in zip(one.totals, other.totals, strict=True)
        for my_error, their_error in zip(mine.errors, theirs.errors, strict=True)
    ]
    return math.exp(sum(logs) / len(logs))

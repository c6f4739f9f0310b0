"""What every equivalence class must hold, all of it counted over people."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kveil.privacy import diversity

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

Cuts = Literal["width", "loss", "label"]
Distance = Literal["equal", "ordered", "hierarchical"]

_CODES: dict[Distance, int] = {
    "equal": diversity.EQUAL,
    "ordered": diversity.ORDERED,
    "hierarchical": diversity.HIERARCHICAL,
}


def _nowhere() -> I64:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class SensitiveRule:
    """What each class must hold of one sensitive column; what is left at its default is not asked.

    `reference` [m] holds the whole table's shares and is empty unless t or beta is asked; parent, height and
    node_of_value are the tree of the hierarchical distance, as kveil.privacy.diversity has it.
    """

    distinct: int = 1
    entropy: float = 0.0
    recursive: tuple[float, int] | None = None
    t: float | None = None
    distance: Distance = "equal"
    beta: float | None = None
    reference: F64 = field(default_factory=lambda: np.empty(0))
    parent: I64 = field(default_factory=_nowhere)
    height: I64 = field(default_factory=_nowhere)
    node_of_value: I64 = field(default_factory=_nowhere)

    def as_array(self) -> F64:
        """As kveil.privacy.diversity.holds takes it."""
        c, l = self.recursive or (np.inf, 0)  # noqa: E741 - the names that the literature gives them
        rule = np.empty(7)
        rule[diversity.DISTINCT], rule[diversity.ENTROPY] = self.distinct, self.entropy
        rule[diversity.RECURSIVE_C], rule[diversity.RECURSIVE_L] = c, l
        rule[diversity.T] = np.inf if self.t is None else self.t
        rule[diversity.DISTANCE] = _CODES[self.distance]
        rule[diversity.BETA] = np.inf if self.beta is None else self.beta
        return rule

    @property
    def asks_more(self) -> bool:
        """Whether more is asked than distinct values."""
        return self.entropy > 0 or not (self.recursive is None and self.t is None and self.beta is None)

    def holds(self, counts: I64) -> bool:
        """Whether a class with so many distinct (person, value) pairs per value satisfies the rule."""
        return diversity.holds(counts, self.reference, self.as_array(), self.parent, self.height, self.node_of_value)


@dataclass(frozen=True)
class PopulationRule:
    """What each class must hold against the people of a population that fit it.

    k_map: the least number of them (0: not asked). delta_min, delta_max: the bounds of the share of them that is in
    the release (delta-presence).
    """

    k_map: int = 0
    delta_min: float = 0.0
    delta_max: float = 1.0


@dataclass(frozen=True)
class Model:
    """k distinct people, a rule per sensitive column, and bounds against a population, if any.

    `cuts` chooses among allowed cuts: `width` takes the widest dimension's, near its median (fast); `loss` tries every
    place of every dimension and takes the cut that leaves least information loss (tighter classes, slower); `label` takes
    the cut that tells most of the training label (LeFevre et al. 2006), and the widest dimension's where none tells any.
    """

    k: int
    rules: tuple[SensitiveRule, ...] = ()
    cuts: Cuts = "width"
    population: PopulationRule = PopulationRule()

    @property
    def distinct(self) -> tuple[int, ...]:
        """Per sensitive column how many distinct values a class must hold."""
        return tuple(rule.distinct for rule in self.rules)

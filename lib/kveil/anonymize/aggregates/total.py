"""One vector of totals: what a row adds, what a person may, and which noise each level of groups gets."""

from dataclasses import dataclass
from typing import Literal

from kveil.privacy.consistency import Tree
from kveil.privacy.noise_sum import Error
from kveil.privacy.sensitivity import Noise, Sensitivity

Adds = Literal["rows", "people", "sum", "square", "items"]


@dataclass(frozen=True)
class Total:
    """One vector of totals, an entry per group and item.

    A row adds 1 (rows, items), its clamped value less `centre` (sum), or the square of that less `middle` (square); a person adds
    1 per group (people). A person's vector is scaled down to `sensitivity`, and where `l1` is given to that L1 norm as well;
    `largest` bounds what one row adds. `slot` is the place of the first item among all numbers of a group. `sensitivities` are
    those of each level's sums of that vector, and `tree` has their noises; the groups' own come last.
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
    l1: int | None
    sensitivities: tuple[Sensitivity, ...]
    tree: Tree

    @property
    def sensitivity(self) -> Sensitivity:
        """How much a person changes the groups' totals."""
        return self.sensitivities[-1]

    @property
    def noise(self) -> Noise:
        """What is added to the groups' totals."""
        return self.tree.noises[-1]

    @property
    def errors(self) -> tuple[Error, ...]:
        """How far the numbers of each level stray once they add up."""
        return self.tree.errors

    @property
    def by_rows(self) -> bool:
        """Whether a person's norm is a sum over rows, so that rows need no totals per person and group first."""
        return self.sensitivity.power == 1 and self.adds != "people"

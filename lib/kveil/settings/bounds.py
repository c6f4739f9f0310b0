"""Bounds of a measure that are bought: quantiles of the data, found privately, where nobody knows good ones beforehand."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field, model_validator

from kveil.settings.base import Epsilon, Section

BoundShare = Annotated[Decimal, Field(ge=0, le=1, decimal_places=6)]

_MOST = 2**62


class BoughtBounds(Section):
    """Bounds below which the shares `at` of the rows lie, within the public outer range `within`; both cost `epsilon` together.

    A share of 0 or 1 is the end of the outer range itself and costs nothing. What a person adds is bounded as the measure's
    rows are. A bound is found to about a sixteenth.
    """

    epsilon: Epsilon
    at: tuple[BoundShare, BoundShare] = (Decimal("0.01"), Decimal("0.99"))
    within: tuple[int, int]

    @model_validator(mode="after")
    def _in_order(self) -> "BoughtBounds":
        if self.at[0] >= self.at[1]:
            raise ValueError("at: the first share, of the lower bound, must be below the second")
        if not self.asked:
            raise ValueError("at: 0 and 1 are the outer range itself, which costs nothing; give it as lower and upper")
        if self.within[0] >= self.within[1]:
            raise ValueError("within: the first number must be below the second")
        if max(map(abs, self.within)) > _MOST:
            raise ValueError("within: a bound does not fit; give the column in a coarser unit, within 4.6e18")
        return self

    @property
    def asked(self) -> list[tuple[int, Decimal]]:
        """Which ends are bought: 0 for the lower and 1 for the upper one, each with its share."""
        return [(end, share) for end, share in enumerate(self.at) if share != end]

"""What a release costs, in exact numbers."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal
from fractions import Fraction
from typing import Literal, NamedTuple

Unit = Literal["row", "person"]
"""Whom a loss is counted for: one row's noisy values, or all rows of one person."""

NANO = 10**9
DELTA_PLACES, RHO_PLACES = 30, 18
"""Decimals that the ledger keeps; what has more is rounded up, so that no sum says less than was spent."""

_EXACT = Context(prec=60, rounding=ROUND_CEILING)


@dataclass(frozen=True)
class Charge:
    """One mechanism's privacy loss: epsilon in billionths, delta and rho as fractions, never floats.

    `epsilon` and `delta` are what the mechanism costs on its own and are what accounts add up, also where `rho` says that it
    is a zCDP mechanism: the caller converts, rounding up. `what` names the column or the aggregate, never a value.
    A charge per row protects one row and composes only over the slices a row lies in; one per person composes over all.
    """

    mechanism: str
    epsilon: int
    delta: Fraction
    rho: Fraction
    what: str
    unit: Unit = "person"

    def __post_init__(self) -> None:
        if type(self.epsilon) is not int or not all(isinstance(each, Fraction) for each in (self.delta, self.rho)):
            raise TypeError("a charge is exact: epsilon is an int of billionths, delta and rho are Fractions")
        if self.epsilon < 0 or not 0 <= self.delta < 1 or self.rho < 0 or not (self.epsilon or self.delta):
            raise ValueError("a charge costs something: epsilon and rho are not negative, delta is in [0, 1), not both are 0")


class Booking(NamedTuple):
    """What a release asks of the ledger: `slices` names the slices whose rows are charged, without any all rows are."""

    release_id: str
    charges: Sequence[Charge]
    slices: Sequence[str] = ()


@dataclass(frozen=True)
class Cost:
    """A sum of charges, in the decimals that the ledger keeps."""

    epsilon: Decimal = Decimal(0)
    delta: Decimal = Decimal(0)
    rho: Decimal = Decimal(0)

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(_EXACT.add(self.epsilon, other.epsilon), _EXACT.add(self.delta, other.delta), _EXACT.add(self.rho, other.rho))

    def or_more(self, other: "Cost") -> "Cost":
        """The greater of both in each part: an upper bound of either."""
        return Cost(max(self.epsilon, other.epsilon), max(self.delta, other.delta), max(self.rho, other.rho))


NOTHING = Cost()


def cost_of(charges: Sequence[Charge]) -> Cost:
    """The charges' sum: basic composition, which holds for any mechanisms."""
    return Cost(
        from_nano(sum(charge.epsilon for charge in charges)),
        rounded_up(sum((charge.delta for charge in charges), Fraction()), DELTA_PLACES),
        rounded_up(sum((charge.rho for charge in charges), Fraction()), RHO_PLACES),
    )


def from_nano(nano: int) -> Decimal:
    """Billionths as a decimal."""
    return _decimal(nano, 9)


def rounded_up(value: Fraction, places: int) -> Decimal:
    """The least decimal of so many places that is not below the fraction."""
    scaled = value * 10**places
    return _decimal(-(-scaled.numerator // scaled.denominator), places)


def _decimal(whole: int, places: int) -> Decimal:
    """A whole number of last decimals. Decimal's arithmetic, scaleb too, rounds to 28 digits; making one from text does not."""
    return Decimal(f"{whole}e-{places}")


def request_hash(charges: Sequence[Charge], slices: Sequence[str]) -> str:
    """The same for the same charges on the same slices, in any order."""
    told = sorted([each.mechanism, each.epsilon, str(each.delta), str(each.rho), each.what, each.unit] for each in charges)
    return hashlib.sha256(json.dumps([told, sorted(slices)]).encode()).hexdigest()[:32]

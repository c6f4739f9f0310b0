"""How much one person can change a vector of totals, and how far its noisy entries stray for that.

Neighbouring tables differ in all rows of one person. A person's whole vector is bounded by a norm, so that norm is the
sensitivity; no count of rows, groups or values per person needs to be kept besides.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import NormalDist
from typing import Literal

Mechanism = Literal["laplace", "gaussian"]

FINEST = 2**20
"""The finest grain of noise, in parts of a unit."""

_WIDEST = 2**49


@dataclass(frozen=True)
class Limits:
    """Public limits of what one person adds: rows in all, groups touched, rows in one group; None where not limited."""

    rows: int | None = None
    groups: int | None = None
    rows_per_group: int | None = None

    @property
    def l1(self) -> int | None:
        """The L1 norm of the numbers of rows per group, where the limits bound it."""
        both = self.groups * self.rows_per_group if self.groups and self.rows_per_group else None
        known = [each for each in (self.rows, both) if each is not None]
        return min(known) if known else None

    @property
    def l2_squared(self) -> int | None:
        """The squared L2 norm of the same: at most the L1 norm times the largest entry."""
        if self.l1 is None:
            return None
        return self.l1 * min(self.l1, self.rows_per_group or self.l1)


@dataclass(frozen=True)
class Sensitivity:
    """A bound on a person's vector in whole units: its L1 norm (power 1) or its squared L2 norm (power 2)."""

    power: Literal[1, 2]
    bound: int


@dataclass(frozen=True)
class Noise:
    """Noise on one entry in units of 1 / `grain`: discrete Laplace of scale b, or discrete Gaussian of variance sigma^2.

    `parameter` is b or sigma^2 in these fine units, never below what the loss demands.
    """

    mechanism: Mechanism
    parameter: Fraction
    grain: int

    @property
    def standard_error(self) -> float:
        """Of the noise alone, in whole units; an upper bound for the discrete laws."""
        variance = 2 * self.parameter**2 if self.mechanism == "laplace" else self.parameter
        return math.sqrt(variance) / self.grain

    def half_width(self, share: float = 0.95) -> float:
        """The noise is within this distance, in whole units, with at least this probability."""
        if self.mechanism == "gaussian":
            return NormalDist().inv_cdf(0.5 + share / 2) * self.standard_error + 1 / self.grain
        scale = float(self.parameter)
        tail = math.log(1 / (1 - share)) + math.log(2 / (1 + math.exp(-1 / scale)))
        return max(0, math.ceil(scale * tail) - 1) / self.grain


def noise_of(sensitivity: Sensitivity, loss: Fraction, largest: int, finest: int = FINEST) -> Noise:
    """The noise that makes a vector of this sensitivity `loss`-DP (power 1, epsilon) or `loss`-zCDP (power 2, rho).

    A person beyond the bound is scaled by a whole number of 1 / grain, so a fine grain keeps what rounding loses small; it
    is coarser than `finest` where a value of up to `largest`, or the noise, would else not fit 64 bits. Parameters are
    rounded up to whole numbers where that adds less than a millionth, which keeps the samplers' integers small.
    """
    if sensitivity.power == 1:
        scale = sensitivity.bound / loss
        grain = _grain(max(scale, Fraction(largest), Fraction(sensitivity.bound)), finest)
        return Noise("laplace", _rounded_up(scale * grain), grain)
    variance = sensitivity.bound / (2 * loss)
    widest = max(math.isqrt(math.ceil(variance)) + 1, largest, math.isqrt(sensitivity.bound))
    grain = _grain(Fraction(widest), finest)
    return Noise("gaussian", _rounded_up(variance * grain**2), grain)


def noises_of(sensitivities: Sequence[Sensitivity], losses: Sequence[Fraction], largest: int) -> tuple[Noise, ...]:
    """`noise_of` several sums of the same vector, all with the grain that suits them all."""
    each = list(zip(sensitivities, losses, strict=True))
    finest = min(noise_of(sensitivity, loss, largest).grain for sensitivity, loss in each)
    return tuple(noise_of(sensitivity, loss, largest, finest) for sensitivity, loss in each)


def _grain(largest: Fraction, finest: int) -> int:
    grain = finest
    while grain > 1 and largest * grain > _WIDEST:
        grain //= 2
    return grain


def _rounded_up(value: Fraction) -> Fraction:
    return Fraction(math.ceil(value)) if value > 10**6 else value

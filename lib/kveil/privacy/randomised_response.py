"""Randomised response over k public values (Warner 1965; Kairouz, Bonawitz, Ramage 2016): epsilon-DP for one value."""

from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.inversion import EXACT, Law
from kveil.privacy.randomness import Bits

I64 = NDArray[np.int64]


def keep_probability(values: int, epsilon: Fraction) -> Decimal:
    """e^epsilon / (e^epsilon + values - 1), the probability that a value stays what it is."""
    odds = EXACT.exp(EXACT.divide(Decimal(epsilon.numerator), Decimal(epsilon.denominator)))
    return EXACT.divide(odds, EXACT.add(odds, Decimal(values - 1)))


def responses(codes: I64, values: int, epsilon: Fraction, bits: Bits) -> I64:
    """Each code in 0..values-1 kept with `keep_probability`, else one of the others, each as likely; a cell of `bits` each.

    The law is within values / 2**129 of the promised one in total variation.
    """
    shift = _shift(values, epsilon).drawn(bits.words(np.arange(bits.size), 2))
    return (codes + shift) % values


@lru_cache(maxsize=64)
def _shift(values: int, epsilon: Fraction) -> Law:
    """How far to go round the list of values: nowhere, or to each of the others."""
    keep = keep_probability(values, epsilon)
    other = EXACT.divide(EXACT.subtract(Decimal(1), keep), Decimal(values - 1))
    return Law.of([EXACT.add(keep, EXACT.multiply(Decimal(i), other)) for i in range(values - 1)])

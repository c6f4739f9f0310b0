"""Discrete Gaussian noise, exact on integers: Canonne, Kamath and Steinke 2020, algorithm 3, vectorised over cells."""

from fractions import Fraction
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.coins import exp_coins_of_any_size
from kveil.privacy.laplace import sample_of
from kveil.privacy.randomness import Bits

I64 = NDArray[np.int64]

LARGEST_VARIANCE = 2**100
"""Variances are below this, so that draws fit 64 bits."""


def sample(variance: Fraction, bits: Bits) -> I64:
    """One draw per cell of `bits` with P(x) proportional to exp(-x**2 / (2 variance)), each of its own cell's words alone.

    The variance (of the continuous law; that of the draws is no larger) is positive and below 2**100; nothing is rounded.
    A candidate from the discrete Laplace law of scale t is kept with probability exp(-(|x| - variance / t)**2 / (2 variance)).
    """
    if not 0 < variance < LARGEST_VARIANCE:
        raise ValueError("the variance must be positive and below 2**100")
    p, q = variance.numerator, variance.denominator
    t = isqrt(p // q) + 1
    drawn = np.empty(bits.size, dtype=np.int64)
    todo = np.arange(bits.size)
    while todo.size:
        candidate = sample_of(Fraction(t), todo, bits)
        distance = np.abs(candidate).astype(object) * (q * t) - p
        keep = exp_coins_of_any_size(distance * distance, 2 * p * q * t * t, todo, bits)
        drawn[todo[keep]] = candidate[keep]
        todo = todo[~keep]
    return drawn

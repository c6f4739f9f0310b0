"""Discrete Laplace noise, exact on integers.

Floating-point samplers leak the true value through the gaps between representable numbers (Mironov 2012, "On
significance of the least significant bits for differential privacy"). This sampler never leaves the integers:
Canonne, Kamath and Steinke 2020, "The discrete Gaussian for differential privacy", algorithms 1 and 2, vectorised.
It rejects often; for whole columns of values there is `row_laplace`.
"""

from fractions import Fraction
from math import ceil

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.coins import exp_coins
from kveil.privacy.randomness import Bits, below

I64 = NDArray[np.int64]

LARGEST_SCALE = 2**55
"""Scales are below this, so that their numerators, times the rounds of a coin, fit 64 bits."""


def scale(lower: int, upper: int, epsilon: Fraction) -> Fraction:
    """The noise scale b = (upper - lower) / epsilon that makes one value in [lower, upper] epsilon-private."""
    return Fraction(upper - lower) / epsilon


def sample(b: Fraction, bits: Bits) -> I64:
    """One draw per cell of `bits` with P(x) proportional to exp(-|x| / b), each of its own cell's words alone.

    b is positive and below 2**55; it is rounded up to `rounded_up(b)`, by less than one part in 2**54 where b >= 1.
    """
    b = rounded_up(b)
    return sample_of(b, np.arange(bits.size), bits)


def rounded_up(b: Fraction) -> Fraction:
    """The scale itself where 55 bits hold its numerator, else the next larger one on a grid of powers of two."""
    if not 0 < b < LARGEST_SCALE:
        raise ValueError("the scale must be positive and below 2**55")
    if b.numerator < LARGEST_SCALE:
        return b
    grid = 2 ** (55 - int(b).bit_length())
    return Fraction(ceil(b * grid), grid)


def sample_of(b: Fraction, cells: I64, bits: Bits) -> I64:
    """`sample` for some of the cells and a scale that is not rounded."""
    drawn = np.empty(cells.size, dtype=np.int64)
    todo = np.arange(cells.size)
    while todo.size:
        magnitude = _geometric(b, cells[todo], bits)
        negative = (bits.words(cells[todo])[:, 0] & np.uint64(1)).astype(bool)
        # Zero has no sign: a negative zero is drawn again, else zero would count twice.
        keep = ~(negative & (magnitude == 0))
        drawn[todo[keep]] = np.where(negative, -magnitude, magnitude)[keep]
        todo = todo[~keep]
    return drawn


def _geometric(b: Fraction, cells: I64, bits: Bits) -> I64:
    """Draws y >= 0 with P(y) proportional to exp(-y / b)."""
    t, s = b.numerator, b.denominator
    remainder = np.empty(cells.size, dtype=np.uint64)
    todo = np.arange(cells.size)
    while todo.size:
        candidate = below(np.full(todo.size, t, dtype=np.uint64), cells[todo], bits)
        keep = exp_coins(candidate, t, cells[todo], bits)
        remainder[todo[keep]] = candidate[keep]
        todo = todo[~keep]
    return (remainder.astype(np.int64) + t * _successes_before_failure(cells, bits)) // s


def _successes_before_failure(cells: I64, bits: Bits) -> I64:
    """How often in a row a coin of probability exp(-1) shows True."""
    successes = np.zeros(cells.size, dtype=np.int64)
    running = np.arange(cells.size)
    while running.size:
        running = running[exp_coins(np.ones(running.size, dtype=np.uint64), 1, cells[running], bits)]
        successes[running] += 1
    return successes

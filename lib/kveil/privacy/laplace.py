"""Discrete Laplace noise, exact on integers.

Floating-point samplers leak the true value through the gaps between representable numbers (Mironov 2012, "On
significance of the least significant bits for differential privacy"). This sampler never leaves the integers:
Canonne, Kamath and Steinke 2020, "The discrete Gaussian for differential privacy", algorithms 1 and 2, vectorised.
"""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.randomness import Bits, below

I64 = NDArray[np.int64]
B1 = NDArray[np.bool_]

_LARGEST_NUMERATOR = 2**56


def scale(lower: int, upper: int, epsilon: Fraction) -> Fraction:
    """The noise scale b = (upper - lower) / epsilon that makes one value in [lower, upper] epsilon-private."""
    return Fraction(upper - lower) / epsilon


def noisy(values: I64, lower: int, upper: int, epsilon: Fraction, bits: Bits) -> I64:
    """Each value, clamped to [lower, upper], plus its own discrete Laplace draw: epsilon-DP for one value.

    The bounds must be public (not computed from the data). Results may lie outside them; clamping again is harmless.
    """
    return np.clip(values, lower, upper) + sample(scale(lower, upper, epsilon), values.size, bits)


def sample(b: Fraction, count: int, bits: Bits) -> I64:
    """`count` independent draws with P(x) proportional to exp(-|x| / b), for a scale b > 0 with numerator < 2**56."""
    if b <= 0 or b.numerator >= _LARGEST_NUMERATOR:
        raise ValueError("the scale must be positive with a numerator below 2**56")
    drawn = np.empty(count, dtype=np.int64)
    todo = np.arange(count)
    while todo.size:
        magnitude = _geometric(b, todo.size, bits)
        negative = (bits.words(todo.size) & np.uint64(1)).astype(bool)
        # Zero has no sign: a negative zero is drawn again, else zero would count twice.
        keep = ~(negative & (magnitude == 0))
        drawn[todo[keep]] = np.where(negative, -magnitude, magnitude)[keep]
        todo = todo[~keep]
    return drawn


def _geometric(b: Fraction, count: int, bits: Bits) -> I64:
    """Draws y >= 0 with P(y) proportional to exp(-y / b)."""
    t, s = b.numerator, b.denominator
    remainder = np.empty(count, dtype=np.uint64)
    todo = np.arange(count)
    while todo.size:
        candidate = below(np.full(todo.size, t, dtype=np.uint64), bits)
        keep = _bernoulli_exp(candidate, t, bits)
        remainder[todo[keep]] = candidate[keep]
        todo = todo[~keep]
    whole = _successes_before_failure(count, bits)
    return (remainder.astype(np.int64) + t * whole) // s


def _successes_before_failure(count: int, bits: Bits) -> I64:
    """How often in a row Bernoulli(exp(-1)) succeeds."""
    successes = np.zeros(count, dtype=np.int64)
    running = np.arange(count)
    while running.size:
        running = running[_bernoulli_exp(np.ones(running.size, dtype=np.uint64), 1, bits)]
        successes[running] += 1
    return successes


def _bernoulli_exp(numerator: NDArray[np.uint64], denominator: int, bits: Bits) -> B1:
    """Coins that show True with probability exp(-numerator / denominator), for ratios in [0, 1]."""
    rounds = np.ones(numerator.size, dtype=np.int64)
    running = np.arange(numerator.size)
    step = 1
    while running.size:
        bound = np.full(running.size, denominator * step, dtype=np.uint64)
        running = running[below(bound, bits) < numerator[running]]
        rounds[running] += 1
        step += 1
    return rounds % 2 == 1

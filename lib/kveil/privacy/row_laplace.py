"""Discrete Laplace noise for whole columns: a fixed number of words per value, nothing rejected, no floating point.

The binary digits of a geometric variable are independent of each other, and so are its digits in any base: each
follows a geometric law cut off at the base. Digits of up to ten bits are drawn from tables (`inversion`) that are computed
with 120 decimals. A draw's law is within 2**-110 of the discrete Laplace law in total variation: seven tables of at most 1024
outcomes are off by 2**-119 each, and magnitudes that the digits cannot hold have probability below 2**-128.
"""

from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.inversion import EXACT, Law
from kveil.privacy.laplace import LARGEST_SCALE, scale
from kveil.privacy.randomness import Bits

I64 = NDArray[np.int64]

_BITS_PER_DIGIT = 10
_AT_ONCE = 2**14
"""Cells drawn together: their words stay in the processor's cache."""


def sample(b: Fraction, bits: Bits) -> I64:
    """One draw per cell of `bits` with P(x) proportional to exp(-|x| / b), each of its own cell's words alone.

    ValueError where b is not between 0 and 2**55; draws are below 2**62.
    """
    if not 0 < b < LARGEST_SCALE:
        raise ValueError("the scale must be positive and below 2**55")
    sign, digits = _tables(b)
    drawn = np.empty(bits.size, dtype=np.int64)
    for start in range(0, bits.size, _AT_ONCE):
        cells = np.arange(start, min(start + _AT_ONCE, bits.size))
        drawn[cells] = _drawn(sign, digits, cells, bits)
    return drawn


def noisy(values: I64, lower: int, upper: int, epsilon: Fraction, bits: Bits) -> I64:
    """Each value, clamped to [lower, upper], plus its own cell's draw: epsilon-DP for one value.

    The bounds must be public (not computed from the data). Results may lie outside them; clamping again is harmless.
    """
    return np.clip(values, lower, upper) + sample(scale(lower, upper, epsilon), bits)


def _drawn(sign: Law, digits: list[tuple[int, Law]], cells: I64, bits: Bits) -> I64:
    words = bits.words(cells, 2 + 2 * len(digits))
    magnitude = np.zeros(cells.size, dtype=np.int64)
    for i, (shift, law) in enumerate(digits, start=1):
        magnitude += law.drawn(words[:, 2 * i : 2 * i + 2]) << shift
    # y >= 0 stands for itself or for -1 - y, so that zero is counted once: the first has odds 1 to exp(-1 / b).
    negative = sign.drawn(words[:, :2])
    return magnitude ^ -negative


@lru_cache(maxsize=64)
def _tables(b: Fraction) -> tuple[Law, list[tuple[int, Law]]]:
    """The law of the sign (1 for negative) and, lowest first, each digit's place and law."""
    length = (90 * int(b) + 90).bit_length()  # exp(-90) is below 2**-128
    places = -(-length // _BITS_PER_DIGIT)
    edges = [length * i // places for i in range(places + 1)]
    digits = [(low, _digit(b, low, high - low)) for low, high in pairwise(edges)]
    ratio = _ratio(b, 0)
    return Law.of([EXACT.divide(Decimal(1), EXACT.add(Decimal(1), ratio))]), digits


def _ratio(b: Fraction, place: int) -> Decimal:
    """exp(-2**place / b)."""
    return EXACT.exp(EXACT.divide(Decimal(-b.denominator * 2**place), Decimal(b.numerator)))


def _digit(b: Fraction, place: int, width: int) -> Law:
    """Outcome d in 0..2**width - 1 with probability proportional to exp(-d 2**place / b)."""
    ratio, powers = _ratio(b, place), [Decimal(1)]
    for _ in range(2**width):
        powers.append(EXACT.multiply(powers[-1], ratio))
    all_of_it = EXACT.subtract(Decimal(1), powers[-1])
    return Law.of([EXACT.divide(EXACT.subtract(Decimal(1), power), all_of_it) for power in powers[1:-1]])

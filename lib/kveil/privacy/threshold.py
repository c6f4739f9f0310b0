"""A quantile of people's values, chosen privately among public thresholds.

The exponential mechanism of Smith 2011 for quantiles, drawn as report-noisy-max in integers: each threshold's score gets
discrete Laplace noise and the highest wins. Given the others' noise, a threshold wins where its own noise is at least some whole
number, whose probability changes by e^epsilon at most when every score moves by the sensitivity (the winner's down, others' up).
"""

from collections.abc import Sequence
from fractions import Fraction
from math import ceil

import numpy as np

from kveil.privacy import laplace
from kveil.privacy.randomness import Bits

MANTISSA_BITS = 5
"""A threshold is a whole number of so many binary digits times a power of two: each at most a sixteenth from the next."""


def place_of(value: int) -> int:
    """The place of the greatest threshold that is at most the value; places count from 0 at threshold 0, down to negative ones.

    The thresholds of negative numbers mirror those of positive ones.
    """
    if value < 0:
        return ~place_of(~value)
    shift = max(0, value.bit_length() - MANTISSA_BITS)
    return (shift << (MANTISSA_BITS - 1)) + (value >> shift)


def threshold_at(place: int) -> int:
    """The threshold of a place."""
    if place < 0:
        return -threshold_at(-place)
    shift = max(0, (place >> (MANTISSA_BITS - 1)) - 1)
    return (place - (shift << (MANTISSA_BITS - 1))) << shift


def thresholds(low: int, high: int) -> list[int]:
    """`low`, the thresholds between, and `high`: some hundreds, whatever the range.

    A value within the range is at least the one at `place_of(value) - place_of(low)`, and below the next.
    """
    inner = [threshold_at(place) for place in range(place_of(low) + 1, place_of(high) + 1)]
    return [low, *inner] if inner and inner[-1] == high else [low, *inner, high]


def scores(counts: Sequence[int], share: Fraction, most: int, epsilon: Fraction, up: bool) -> list[int]:
    """How well each threshold parts the values: minus how far the count below it is from the share of all.

    `counts[i]` are the values from threshold i to the next, of which one person adds up to `most`. Of thresholds that part alike
    the tightest is best (the lowest where `up`, else the highest): each step away costs as much as the noise's scale.
    """
    total, below, found = sum(counts), 0, []
    step = int(_scale(share, most, epsilon))
    for place, count in enumerate(counts):
        away = place if up else len(counts) - 1 - place
        found.append(-int(abs(below - share * total)) - away * step)
        below += count
    return found


def sensitivity(share: Fraction, most: int) -> int:
    """How far one person, who comes or goes with all values, can move any score; one more for its rounding."""
    return ceil(max(share, 1 - share) * most) + 1


def chosen(counts: Sequence[int], share: Fraction, most: int, epsilon: Fraction, up: bool, bits: Bits) -> int:
    """The place of the threshold that wins; epsilon-DP for whoever adds up to `most` to the counts.

    `bits` has a cell for each threshold.
    """
    noise = laplace.sample(_scale(share, most, epsilon), bits)
    # Python's integers: scores may be beyond what 64 bits hold.
    noisy = [score + int(each) for score, each in zip(scores(counts, share, most, epsilon, up), noise, strict=True)]
    return int(np.argmax(np.array(noisy, dtype=object)))


def _scale(share: Fraction, most: int, epsilon: Fraction) -> Fraction:
    """Whole, which keeps the sampler's integers small; never less than the loss demands."""
    return Fraction(ceil(2 * sensitivity(share, most) / epsilon))

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

_GROWTH = 20


def thresholds(low: int, high: int) -> list[int]:
    """Whole numbers from low to high, each a twentieth of its size from the next: some hundreds, whatever the range."""
    sizes, size = [0], 1
    while size <= max(abs(low), abs(high)):
        sizes.append(size)
        size += max(1, size // _GROWTH)
    inner = [-each for each in reversed(sizes)] + sizes[1:]
    return sorted({low, high, *(each for each in inner if low < each < high)})


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

"""Means of classes, rounded until no member can be reckoned back from them.

Whoever knows the mean of n people and that of all but one of them knows the one, if means are exact. One member moves the
mean by at most range / n, and n is at least k. So means are told on a grid of range / (k - 1), the range being the one that
the class shows: one member more, less or other is one step of it at most, and n times a step is more than the whole range.
"""

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def grid(lowest: F64, highest: F64, k: int) -> F64:
    """The grid's step for classes that reach from `lowest` to `highest`; 0 for those that hold one value alone."""
    return (highest - lowest) / max(k - 1, 1)


def rounded(means: F64, lowest: F64, highest: F64, k: int) -> F64:
    """Each mean as the middle of the grid's cell that it lies in; with k = 2 that is the middle of the range.

    What a class of one value shows is that value. NaN stays NaN.
    """
    step = grid(lowest, highest, k)
    several = step > 0
    wide = np.where(several, step, 1.0)
    cell = np.clip(np.floor((means - lowest) / wide), 0, max(k - 2, 0))
    return np.where(several, lowest + (cell + 0.5) * step, means)

"""Statistics made of noisy totals, each with its standard error and an interval: all of it is post-processing.

Errors are those of the noise. What clamping and scaling down people beyond the limits takes away is not in them, since only
the data know it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.noise_sum import Error

F64 = NDArray[np.float64]

_95 = 1.959963984540054


@dataclass(frozen=True)
class Estimate:
    """Values [n] with standard errors and the ends of 95 % intervals."""

    value: F64
    error: F64
    lower: F64
    upper: F64


def of_total(total: F64, noise: Error) -> Estimate:
    """A count or sum itself; negative counts are the noise's."""
    same, width = np.ones_like(total), noise.half_width()
    return Estimate(total, noise.standard_error * same, total - width, total + width)


def of_mean(rows: F64, total: F64, noises: tuple[Error, Error], centre: int, lower: int, upper: int) -> Estimate:
    """The mean of values around a centre; where the rows are lost in the noise, any value within the bounds.

    The interval is approximate: linear in the errors of both totals (the delta method).
    """
    known = np.maximum(rows, 1.0)
    shift = np.clip(total / known, lower - centre, upper - centre)
    error = np.hypot(noises[1].standard_error, shift * noises[0].standard_error) / known
    return _within(centre + shift, error, rows > 2 * noises[0].standard_error, float(lower), float(upper))


def of_variance(rows: F64, total: F64, squares: F64, noises: tuple[Error, Error, Error], widest: int, middle: int) -> Estimate:
    """The variance (divided by n) of values at most `widest` from their centre; `squares` are less `middle` each."""
    known = np.maximum(rows, 1.0)
    shift = np.clip(total / known, -widest, widest)
    second = np.clip(squares / known, -middle, float(widest) ** 2 - middle)
    value = np.clip(second + middle - shift**2, 0, float(widest) ** 2)
    by_rows = np.abs(second - 2 * shift**2) * noises[0].standard_error
    of_totals = np.hypot(noises[2].standard_error, 2 * shift * noises[1].standard_error)
    error = np.hypot(of_totals, by_rows) / known
    return _within(value, error, rows > 2 * noises[0].standard_error, 0.0, float(widest) ** 2)


def _within(value: F64, error: F64, known: NDArray[np.bool_], lower: float, upper: float) -> Estimate:
    low, high = np.clip(value - _95 * error, lower, upper), np.clip(value + _95 * error, lower, upper)
    most = (upper - lower) / 2
    return Estimate(value, np.where(known, error, most), np.where(known, low, lower), np.where(known, high, upper))


def of_quantile(bins: F64, noise: Error, share: float, edges: F64) -> Estimate:
    """A quantile from noisy counts [n, bins] between edges [bins + 1]: where the counts' running sum reaches its share.

    Negative counts are taken as none; within a bin values are taken as spread evenly. The interval is where the running sum
    could cross, given the noise of all bins up to there and beyond.
    """
    kept = np.maximum(bins, 0.0)
    running = np.concatenate([np.zeros((len(bins), 1)), np.cumsum(kept, axis=1)], axis=1)
    total = running[:, -1]
    spread = noise.standard_error * np.sqrt(share * (1 - share) * bins.shape[1])
    value, low, high = (
        _crossing(running, aim, edges) for aim in (share * total, share * total - _95 * spread, share * total + _95 * spread)
    )
    known = total > 2 * noise.standard_error * np.sqrt(bins.shape[1])
    low, high = np.where(known, low, edges[0]), np.where(known, high, edges[-1])
    return Estimate(value, (high - low) / (2 * _95), low, high)


def _crossing(running: F64, aim: F64, edges: F64) -> F64:
    aim = np.clip(aim, 0, running[:, -1])
    place = np.clip((running < aim[:, None]).sum(axis=1), 1, running.shape[1] - 1)
    rows = np.arange(len(running))
    below, above = running[rows, place - 1], running[rows, place]
    part = np.where(above > below, (aim - below) / np.maximum(above - below, 1e-300), 0.5)
    return edges[place - 1] + part * (edges[place] - edges[place - 1])


def most_frequent(counts: F64, k: int) -> NDArray[np.int64]:
    """Per row of noisy counts [n, items] the k items with the largest, the first of equals first."""
    return np.argsort(-counts, axis=1, kind="stable")[:, :k]

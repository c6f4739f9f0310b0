"""How much a column tells of another, whatever both hold: Cramer's V without its bias."""

import numpy as np

from kveil.profile.sketch import I64, NULL

MOST_VALUES = 50
"""Values of a column that are told apart; the others count as one."""


def association(first: I64, second: I64) -> float:
    """Cramer's V of two columns of codes [n], from 0 to 1, corrected for its bias (Bergsma 2013); rows with a null are left out.

    NaN where one of the columns has a single value or fewer than two rows have both.
    """
    known = (first != NULL) & (second != NULL)
    rows = int(known.sum())
    table = _contingency(_frequent(first[known]), _frequent(second[known]))
    height, width = table.shape
    if rows < 2 or min(height, width) < 2:
        return float("nan")
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / rows
    squared = float(((table - expected) ** 2 / expected).sum()) / rows
    corrected = max(0.0, squared - (height - 1) * (width - 1) / (rows - 1))
    smaller = min(height - (height - 1) ** 2 / (rows - 1), width - (width - 1) ** 2 / (rows - 1)) - 1
    return float(min(1.0, np.sqrt(corrected / smaller))) if smaller > 0 else float("nan")


def tenths(numbers: np.ndarray[tuple[int], np.dtype[np.float64]]) -> I64:
    """Numbers [n] by the tenth of the rows that they lie in, equal numbers in one; NULL for NaN."""
    known = ~np.isnan(numbers)
    codes = np.full(len(numbers), NULL, dtype=np.int64)
    if known.any():
        edges = np.unique(np.quantile(numbers[known], np.linspace(0.1, 0.9, 9), method="lower"))
        codes[known] = np.searchsorted(edges, numbers[known], side="left")
    return codes


def _frequent(codes: I64) -> I64:
    """The codes from 0, the most frequent first; all beyond MOST_VALUES as one."""
    _, inverse, counts = np.unique(codes, return_inverse=True, return_counts=True)
    place = np.empty(len(counts), dtype=np.int64)
    place[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return np.minimum(place[inverse], MOST_VALUES) if len(counts) else inverse


def _contingency(first: I64, second: I64) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    height, width = int(first.max(initial=-1)) + 1, int(second.max(initial=-1)) + 1
    counted = np.bincount(first * max(width, 1) + second, minlength=height * width)
    return counted.reshape(height, width).astype(float)

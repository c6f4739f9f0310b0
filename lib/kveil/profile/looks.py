"""How a column's values look in a sample, told without anything that fewer than k people share."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kveil.profile.patterns import patterns
from kveil.profile.sketch import I64, NULL, Coded, coded, people_of

MOST_SHOWN, BINS = 10, 10
_FENCE = 3.0
"""Interquartile ranges beyond the quartiles where values are far out (Tukey 1977)."""


@dataclass(frozen=True)
class Shown:
    """A value, pattern or bin: what is shown (None: all that is not), its place, and its rows (None: fewer than k people)."""

    kind: str
    rank: int
    shown: str | None
    rows: int | None


def frequent(column: Coded, people: I64 | None, k: int, kind: str = "value") -> list[Shown]:
    """The most frequent texts that at least k people share, most rows first, and, as the last, the rows of all others."""
    counts = column.counts
    safe = np.flatnonzero(people_of(column.codes, people, len(counts)) >= k)
    shown = safe[np.argsort(-counts[safe], kind="stable")][:MOST_SHOWN]
    texts = column.texts.take(pa.array(shown)).to_pylist()
    found = [Shown(kind, i + 1, text, int(counts[code])) for i, (text, code) in enumerate(zip(texts, shown, strict=True))]
    others = int(counts.sum() - counts[shown].sum())
    return [*found, Shown(kind, len(found) + 1, None, others)] if others else found


def frequent_patterns(column: Coded, people: I64 | None, k: int) -> list[Shown]:
    """The most frequent patterns of the texts, the same way."""
    if not len(column.texts):
        return []
    by_text = coded(pa.chunked_array([patterns(column.texts)]))
    codes = np.where(column.codes == NULL, NULL, by_text.codes[column.codes])
    return frequent(Coded(codes, by_text.texts), people, k, "pattern")


def histogram(numbers: NDArray[np.float64], people: I64 | None, k: int, days: bool = False) -> list[Shown]:
    """Rows [n] in ten bins of equal width between rounded 5 and 95 % quantiles; what lies beyond is in none.

    A bin that fewer than k people have rows in tells no number, and where fewer than 20 k people have one there are no bins:
    the edges would be somebody's.
    """
    known = np.isfinite(numbers)
    if _units(known, people) < 20 * k:
        return []
    low, high = (rounded(each) for each in np.quantile(numbers[known], (0.05, 0.95)))
    if not low < high:
        return []
    edges = np.linspace(low, high, BINS + 1)
    inside = known & (numbers >= low) & (numbers <= high)
    codes = np.full(len(numbers), NULL, dtype=np.int64)
    codes[inside] = np.minimum(np.searchsorted(edges, numbers[inside], side="right") - 1, BINS - 1)
    counts, sharing = np.bincount(codes[inside], minlength=BINS), people_of(codes, people, BINS)
    ends = [(_edge(a, days), _edge(b, days)) for a, b in pairwise(edges)]
    return [
        Shown("bin", i + 1, f"{a} to {b}", int(counts[i]) if sharing[i] >= k or not counts[i] else None)
        for i, (a, b) in enumerate(ends)
    ]


def outliers(numbers: NDArray[np.float64]) -> float:
    """The share of numbers that lie over three interquartile ranges beyond the quartiles; 0 where these are equal."""
    known = numbers[np.isfinite(numbers)]
    if not known.size:
        return 0.0
    low, high = np.quantile(known, (0.25, 0.75))
    width = _FENCE * (high - low)
    return float(((known < low - width) | (known > high + width)).mean()) if width > 0 else 0.0


def numbers_of(column: Coded, days: bool = False) -> NDArray[np.float64]:
    """The rows' texts [n] as numbers, or as days since 1970; NaN where they are none."""
    by_text = np.full(len(column.texts) + 1, np.nan)
    for i, text in enumerate(column.texts.to_pylist()):
        by_text[i] = _day(text) if days else _number(text)
    return by_text[np.where(column.codes == NULL, len(column.texts), column.codes)]


def rounded(value: float) -> float:
    """The number to three significant digits, so that it is nobody's."""
    return float(f"{value:.3g}")


def month(days: float) -> str:
    """The month that days since 1970 lie in, as yyyy-MM."""
    return str(np.datetime64(int(days), "D").astype("datetime64[M]"))


def _edge(value: float, days: bool) -> str:
    return month(value) if days else f"{rounded(value):,g}"


def _units(known: NDArray[np.bool_], people: I64 | None) -> int:
    """Rows, or people, that have a number."""
    return int(known.sum()) if people is None else len(np.unique(people[known & (people != NULL)]))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _day(text: str) -> float:
    try:
        return float(np.datetime64(text[:10], "D").astype(np.int64))
    except ValueError:
        return float("nan")

"""What columns of a sample tell of each other: candidate keys and approximate functional dependencies."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from kveil.profile.sketch import I64, NULL, Coded, together

LEAST_CONFIDENCE, LEAST_SUPPORT, LEAST_GAIN = 0.95, 30, 0.8
MOST, MOST_PAIRS = 200, 500
"""Dependencies that are told, and pairs of columns that are tried as keys."""


@dataclass(frozen=True)
class Dependency:
    """`columns` tell `told` (None: they are a key): share of rows that agree, and of how many rows that could disagree."""

    columns: tuple[str, ...]
    told: str | None
    confidence: float
    support: int


def dependencies(columns: Mapping[str, Coded]) -> list[Dependency]:
    """Pairs of columns of which the first tells the second, best first.

    Confidence is 1 - g3 (Kivinen, Mannila 1995): the share of rows that stay when of each group of equal first values only
    the rows with its most frequent second value are kept. Only rows in groups of two or more support it, and it must take
    away most of what guessing the most frequent value gets wrong, so that a column of nearly one value follows from nothing.
    """
    usable = {name: column.codes for name, column in columns.items() if len(column.texts) > 1 and column.alone < 0.9}
    found = [each for name in usable for each in _told_by(name, usable)]
    found.sort(key=lambda each: (-each.confidence, -each.support, each.columns, each.told))
    return found[:MOST]


def _told_by(name: str, usable: Mapping[str, I64]) -> Iterator[Dependency]:
    first = usable[name]
    for other, second in usable.items():
        known = (first != NULL) & (second != NULL)
        if other != name and known.sum() >= LEAST_SUPPORT:
            confidence, support, guessed = _agreement(first[known], second[known])
            if support >= LEAST_SUPPORT and confidence >= max(LEAST_CONFIDENCE, guessed + LEAST_GAIN * (1 - guessed)):
                yield Dependency((name,), other, round(confidence, 4), support)


def _agreement(first: I64, second: I64) -> tuple[float, int, float]:
    """1 - g3 of first -> second over rows that share their first value, how many these are, and the best blind guess there."""
    sizes = np.bincount(first)
    shared = sizes[first] > 1
    first, second = first[shared], second[shared]
    if not first.size:
        return 0.0, 0, 1.0
    width = int(second.max()) + 1
    pairs, counts = np.unique(first * width + second, return_counts=True)
    groups = pairs // width
    starts = np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]])
    kept = np.maximum.reduceat(counts, starts).sum()
    return float(kept / first.size), int(first.size), float(np.bincount(second).max() / first.size)


def keys(columns: Mapping[str, Coded]) -> list[Dependency]:
    """Columns, and pairs of columns of which none is one alone, that differ in all rows of the sample and are never null."""
    rows = max((len(column.codes) for column in columns.values()), default=0)
    whole = {name: column for name, column in columns.items() if column.rows == rows}
    single = [name for name, column in whole.items() if len(column.texts) == rows]
    rest = {name: column for name, column in whole.items() if name not in single and len(column.texts) > 1}
    # The columns with most values first: a pair that is a key has many combinations.
    by_values = sorted(rest, key=lambda name: (-len(rest[name].texts), name))
    possible = [pair for pair in combinations(by_values, 2) if len(rest[pair[0]].texts) * len(rest[pair[1]].texts) >= rows]
    double = [pair for pair in possible[:MOST_PAIRS] if _all_differ(*(rest[name].codes for name in pair))]
    named = [*((name,) for name in single), *double]
    return [Dependency(tuple(name), None, 1.0, rows) for name in named] if rows > 1 else []


def _all_differ(first: I64, second: I64) -> bool:
    return len(np.unique(together([first, second]))) == len(first)

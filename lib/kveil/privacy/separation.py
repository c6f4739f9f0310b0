"""Singling out: which columns, alone or together, tell a person from all others (WP29 Opinion 05/2014; Sweeney 2000).

Counted in people, not in rows: a person is singled out by columns when one of their rows has values there that no row of
anybody else has. In a sample of people more are alone than among all, so a share measured there is an upper estimate.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]

MOST_ALONE = 0.01
"""The share of people who may hold a value that nobody else holds, of a column that is released as it is."""
FEWEST_PER_VALUE = 2.0
"""Such a column must have at least so many people for each of its values: one of fewer names couples, if not persons."""


@dataclass(frozen=True)
class Separation:
    """Columns that together single out a share of the people."""

    columns: tuple[str, ...]
    share: float


def singled_out(codes: Sequence[I64], people: I64) -> float:
    """The share of people [n rows] who have a combination of codes [n] each that nobody else has; 0 where there is nobody.

    Codes and people are whole numbers from 0; a code of -1 (no value) is a value like others.
    """
    if not people.size:
        return 0.0
    combined = _together(codes)
    pairs = np.unique(np.column_stack([combined, people]), axis=0) if len(codes) else np.empty((0, 2), dtype=np.int64)
    holders = np.bincount(pairs[:, 0]) if pairs.size else np.zeros(0, dtype=np.int64)
    alone = np.unique(pairs[holders[pairs[:, 0]] == 1, 1])
    return len(alone) / len(np.unique(people))


def smallest_sets(columns: Mapping[str, I64], people: I64, least: float = 0.05, largest: int = 3) -> list[Separation]:
    """The smallest sets of columns that single out more than `least` of the people, most telling first.

    No set is told of which a part is; sets of more than `largest` columns are not tried.
    """
    found: list[Separation] = []
    for size in range(1, largest + 1):
        for names in _without(sorted(columns), size, found):
            share = singled_out([columns[name] for name in names], people)
            if share > least:
                found.append(Separation(names, share))
    return sorted(found, key=lambda each: (len(each.columns), -each.share, each.columns))


def _without(names: Sequence[str], size: int, found: Sequence[Separation]) -> Iterator[tuple[str, ...]]:
    """Combinations of `size` names that hold none of the sets found among smaller ones."""
    smaller = [set(each.columns) for each in found if len(each.columns) < size]
    return (each for each in combinations(names, size) if not any(part <= set(each) for part in smaller))


def _together(codes: Sequence[I64]) -> I64:
    combined = np.zeros(len(codes[0]) if codes else 0, dtype=np.int64)
    for column in codes:
        shifted = column + 1
        # Numbered anew after each column, so that no product overflows.
        combined = np.unique(combined * (int(shifted.max(initial=0)) + 1) + shifted, return_inverse=True)[1]
    return combined

"""A sample's columns as whole numbers, which all counting of combinations works with."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

I64 = NDArray[np.int64]

NULL = -1


@dataclass(frozen=True)
class Coded:
    """A column [n]: each row's number of a distinct text, NULL where it has none, and the texts by their numbers."""

    codes: I64
    texts: pa.Array

    @property
    def counts(self) -> I64:
        """Rows of each distinct text."""
        return np.bincount(self.codes[self.codes != NULL], minlength=len(self.texts))

    @property
    def rows(self) -> int:
        """Rows with a value."""
        return int((self.codes != NULL).sum())

    @property
    def alone(self) -> float:
        """Share of the rows with a value whose value stands in no other row."""
        return float((self.counts == 1).sum()) / max(self.rows, 1)


def coded(column: pa.ChunkedArray) -> Coded:
    """A column of texts, numbered in the order of the texts, so that the order of rows decides nothing."""
    encoded = pc.dictionary_encode(column.combine_chunks())
    chunk = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    codes = pc.fill_null(chunk.indices, NULL).to_numpy(zero_copy_only=False).astype(np.int64)
    order = pc.sort_indices(chunk.dictionary).to_numpy()
    place = np.empty(len(order) + 1, dtype=np.int64)
    place[order], place[-1] = np.arange(len(order)), NULL
    return Coded(place[codes], chunk.dictionary.take(pa.array(order)))


def people_of(codes: I64, people: I64 | None, size: int) -> I64:
    """How many people have each of `size` codes; without `people`, numbers [n] of whose row it is, each row is somebody's.

    NULL codes and NULL people count for nothing.
    """
    if people is None:
        return np.bincount(codes[codes != NULL], minlength=size)
    known = (codes != NULL) & (people != NULL)
    pairs = np.unique(np.column_stack([codes[known], people[known]]), axis=0)
    return np.bincount(pairs[:, 0], minlength=size)


def together(columns: Sequence[I64]) -> I64:
    """One number [n] per combination of codes [n] of several columns, from 0; null is a value of its own."""
    return reduce(_pair, (np.unique(column, return_inverse=True)[1] for column in columns))


def _pair(left: I64, right: I64) -> I64:
    # Numbered anew after each column, so that no product overflows.
    return np.unique(left * (int(right.max(initial=0)) + 1) + right, return_inverse=True)[1]

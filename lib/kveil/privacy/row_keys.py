"""A 128-bit name for each row, or for each value of one, a function of a key and of what tells the row from others.

Wherever a row is computed it has the same name, with whatever other rows. Where nothing names a row, equal rows are told apart by
counting them, which gives the same names whichever of them is counted first; they must therefore be counted together.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.randomness import Permutation

U64 = NDArray[np.uint64]


def row_keys(key: bytes, columns: Sequence[U64]) -> U64:
    """Keys [n, 2] of rows whose columns are blocks [n, 2], equal for equal values: the CBC-MAC over all columns and the count.

    Rows have the same number of columns under one key, without which a CBC-MAC is no pseudo-random function.
    """
    mac = Permutation(key)
    state = _chained(mac, columns)
    state[:, 0] ^= occurrences(state)
    return mac(state)


def value_keys(key: bytes, names: Sequence[U64], values: NDArray[np.int64]) -> U64:
    """Keys [n, 2] of one value in each of n rows that blocks [n, 2] name: the CBC-MAC over the names and the value.

    The same value of a row of the same name has the same key whatever else the row holds, and another value another key. Rows of
    one name would share a key where they share the value; nothing is counted, so rows may lie anywhere.
    """
    mac = Permutation(key)
    return mac(_chained(mac, names) ^ np.column_stack([values.view(np.uint64), np.zeros(len(values), dtype=np.uint64)]))


def _chained(mac: Permutation, columns: Sequence[U64]) -> U64:
    state = mac(columns[0])
    for column in columns[1:]:
        state = mac(state ^ column)
    return state


def occurrences(keys: U64) -> U64:
    """For each key [n, 2] how many equal ones stand before it."""
    number = np.zeros(len(keys), dtype=np.uint64)
    ordered = np.sort(keys[:, 0])
    again = ordered[1:][ordered[1:] == ordered[:-1]]
    # Most rows have no twin, and only twins are put in order.
    twins = np.flatnonzero(np.isin(keys[:, 0], again))
    twins = twins[np.lexsort((keys[twins, 1], keys[twins, 0]))]
    place = np.arange(twins.size)
    first = np.ones(twins.size, dtype=bool)
    first[1:] = (keys[twins[1:]] != keys[twins[:-1]]).any(axis=1)
    number[twins] = (place - np.maximum.accumulate(np.where(first, place, 0))).astype(np.uint64)
    return number

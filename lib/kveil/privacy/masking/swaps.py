"""Random swaps within classes: which row's value each row gets."""

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]


def swapped_rows(classes: I64, places: U64, values: U64) -> I64:
    """For each row [n] the row of its own class whose value it gets, every row's value once (rank swapping without a distance).

    `places` and `values` [n, 2] are random words of each row. Within a class the i-th place by the one order gets the i-th value
    by the other: with words that are uniform and independent, each permutation of the class is as likely as any other. Where
    a row stands in the arrays plays no part.
    """
    source = np.empty(len(classes), dtype=np.int64)
    source[_in_order(classes, places)] = _in_order(classes, values)
    return source


def _in_order(classes: I64, words: U64) -> I64:
    return np.lexsort((words[:, 1], words[:, 0], classes))

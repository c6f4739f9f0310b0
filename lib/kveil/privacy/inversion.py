"""Finite laws drawn by comparing 128 random bits with a table of cumulative probabilities."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal

import numpy as np
from numpy.typing import NDArray

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]

EXACT = Context(prec=120)
"""Decimal arithmetic that is right far beyond the 39 digits of 128 bits, also after cancelling some forty of its digits."""
_ONE = 2**128


@dataclass(frozen=True)
class Law:
    """Outcomes 0..n-1, of which outcome i is drawn when that many of the thresholds (ascending, below 2**128) are passed.

    The total variation distance to the law that the thresholds were rounded from is at most n / 2**129.
    """

    thresholds: tuple[int, ...]
    high: U64

    @classmethod
    def of(cls, cumulative: Sequence[Decimal]) -> "Law":
        """The law with these probabilities of an outcome of at most 0, 1, ..., n-2."""
        rounded = tuple(min(int(EXACT.multiply(each, Decimal(_ONE))), _ONE - 1) for each in cumulative)
        return cls(rounded, np.array([each >> 64 for each in rounded], dtype=np.uint64))

    def drawn(self, words: U64) -> I64:
        """One outcome per pair of words [n, 2]."""
        high = words[:, 0]
        outcome = np.searchsorted(self.high, high, side="right")
        # The second word decides only where the first one meets a threshold's: once in 2**64 / n draws.
        for i in np.flatnonzero(self.high[outcome - 1] == high):
            outcome[i] = bisect_right(self.thresholds, (int(high[i]) << 64) | int(words[i, 1]))
        return outcome.astype(np.int64, copy=False)

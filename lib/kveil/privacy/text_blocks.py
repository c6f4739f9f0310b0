"""Texts as 128-bit blocks, a keyed function of their octets: equal for equal texts and, but for accidents, only then."""

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.randomness import Permutation

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]

_BLOCK = 16
_KEPT = np.array([[(1 << 8 * min(n, 8)) - 1, (1 << 8 * max(n - 8, 0)) - 1] for n in range(_BLOCK + 1)], dtype=np.uint64)
"""Masks of a block's first n octets."""


def text_blocks(key: bytes, octets: bytes, ends: I64) -> U64:
    """A block [n, 2] per text; text i is octets[ends[i]:ends[i + 1]].

    The CBC-MAC of the text with its length put first, which makes no text the beginning of another: a pseudo-random function as
    long as AES is a pseudo-random permutation (Petrank, Rackoff 2000).
    """
    lengths = np.diff(ends)
    mac = Permutation(key)
    state = mac(np.column_stack([lengths, np.zeros_like(lengths)]).astype(np.uint64))
    windows = np.lib.stride_tricks.sliding_window_view(np.frombuffer(octets + bytes(_BLOCK), np.uint8), _BLOCK)
    rows = np.arange(lengths.size)
    for start in range(0, int(lengths.max(initial=0)), _BLOCK):
        rows = rows[lengths[rows] > start]
        part = np.ascontiguousarray(windows[ends[rows] + start]).view("<u8")
        part &= _KEPT[np.minimum(lengths[rows] - start, _BLOCK)]
        state[rows] = mac(state[rows] ^ part)
    return state

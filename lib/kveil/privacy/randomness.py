"""The only source of random bits: the operating system's cryptographic generator.

Noise protects people only when nobody can predict it, so nothing in the product takes a seed.
"""

import os
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

U64 = NDArray[np.uint64]


class Bits(Protocol):
    """Anything that yields uniform 64-bit words. Tests bring a seeded one; the product only has SystemBits."""

    def words(self, count: int) -> U64:
        """`count` independent uniform words."""
        ...


class SystemBits:
    """Words from os.urandom."""

    def words(self, count: int) -> U64:
        """`count` independent uniform words."""
        return np.frombuffer(os.urandom(8 * count), dtype=np.uint64)


def below(bound: U64, bits: Bits) -> U64:
    """For each positive bound an independent integer, exactly uniform on 0..bound-1 (by rejection; no modulo bias)."""
    highest = bound - np.uint64(1)
    shift = np.uint64(63) - _bit_length_minus_one(highest)
    drawn = np.empty_like(bound)
    todo = np.arange(bound.size)
    while todo.size:
        candidate = bits.words(todo.size) >> shift[todo]
        fits = candidate <= highest[todo]
        drawn[todo[fits]] = candidate[fits]
        todo = todo[~fits]
    return drawn


def _bit_length_minus_one(values: U64) -> U64:
    # Smear the highest bit downwards, then count: exact where a float logarithm would round 2**53 + 1.
    smeared = values | np.uint64(1)
    for width in (1, 2, 4, 8, 16, 32):
        smeared = smeared | (smeared >> np.uint64(width))
    return np.bitwise_count(smeared).astype(np.uint64) - np.uint64(1) if hasattr(np, "bitwise_count") else _popcount(smeared)


def _popcount(smeared: U64) -> U64:
    octets = smeared.view(np.uint8).reshape(smeared.size, 8)
    return np.unpackbits(octets, axis=1).sum(axis=1).astype(np.uint64) - np.uint64(1)

"""The only source of random bits: a secret from the operating system, and words that a secret gives to named cells.

Noise protects people only when nobody can predict it, so nothing in the product takes a seed. But a cluster computes a row
twice whenever a task fails or runs in two copies, and noise that differs between the copies can be averaged away. So each
cell (a row's value, an aggregate's cell) has its own stream of words, a pseudo-random function of a secret, of what the
secret is used for and of the cell's key: who computes the cell again, alone or among others, draws the same.
"""

import hmac
import os
from typing import Protocol

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]

SECRET_BYTES = 32
_WORD = np.dtype("<u8")


class Bits(Protocol):
    """A stream of uniform 64-bit words for each of `size` cells."""

    @property
    def size(self) -> int:
        """How many cells there are."""
        ...

    def words(self, cells: I64, count: int = 1) -> U64:
        """The next words [cells, count] of each of these cells, none of which is named twice."""
        ...


def fresh_secret() -> bytes:
    """32 bytes from the operating system's cryptographic generator."""
    return os.urandom(SECRET_BYTES)


def derived_key(secret: bytes, *context: str | int) -> bytes:
    """A 32-byte key of its own for each context (HMAC-SHA-256; contexts that differ in any part never share one).

    ValueError for a secret that is shorter than 16 bytes.
    """
    if len(secret) < SECRET_BYTES // 2:
        raise ValueError("a secret has at least 16 bytes")
    return hmac.digest(secret, b"".join(map(_told, context)), "sha256")


def _told(part: str | int) -> bytes:
    # Kind and length first: ("a", "bc") and ("ab", "c"), 1 and "1" are different contexts.
    kind, raw = (b"s", part.encode()) if isinstance(part, str) else (b"i", str(part).encode())
    return kind + len(raw).to_bytes(8, "big") + raw


class KeyedBits:
    """The words of cells, each a function of `key`, the cell and how many of its words were drawn before.

    `cells` holds 64-bit [n] or 128-bit [n, 2] names of cells. Block j of a cell is AES(AES(cell) xor j), the CBC-MAC of two
    blocks, which is a pseudo-random function as long as AES is a pseudo-random permutation (Bellare, Kilian, Rogaway 2000);
    a block gives two words. The key belongs to one use (`derived_key`): two uses of one key would draw the same words.
    """

    def __init__(self, key: bytes, cells: U64) -> None:
        self._cipher = Permutation(key)
        self._starts = self._cipher(np.column_stack([cells, np.zeros_like(cells)]) if cells.ndim == 1 else cells)
        self._drawn = np.zeros(len(cells), dtype=np.uint64)

    @property
    def size(self) -> int:
        """How many cells there are."""
        return len(self._drawn)

    def words(self, cells: I64, count: int = 1) -> U64:
        """The next words [cells, count] of each of these cells, none of which is named twice."""
        blocks = (count + 1) // 2
        texts = np.repeat(self._starts[cells], blocks, axis=0)
        counters: U64 = np.add.outer(self._drawn[cells], np.arange(blocks, dtype=np.uint64))
        texts[:, 1] ^= counters.ravel()
        self._drawn[cells] += np.uint64(blocks)
        return self._cipher(texts).reshape(len(cells), 2 * blocks)[:, :count]


class Permutation:
    """AES-256 on blocks [n, 2], each by itself."""

    def __init__(self, key: bytes) -> None:
        # ECB is AES itself. That equal blocks give equal results is what is wanted of a function here.
        self._cipher = Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305

    def __call__(self, blocks: U64) -> U64:
        """The blocks' images [n, 2]."""
        plain = np.ascontiguousarray(blocks, dtype=_WORD)
        made = bytearray(plain.nbytes + 16)  # the library asks for a block more than it fills
        self._cipher.encryptor().update_into(plain.tobytes(), made)
        return np.frombuffer(made, _WORD, plain.size).reshape(-1, 2).astype(np.uint64, copy=False)


def below(bound: U64, cells: I64, bits: Bits) -> U64:
    """For each cell an integer exactly uniform on 0..bound-1, of its positive bound (by rejection; no modulo bias)."""
    highest = bound - np.uint64(1)
    shift = np.uint64(63) - _bit_length_minus_one(highest)
    drawn = np.empty_like(bound)
    todo = np.arange(bound.size)
    while todo.size:
        candidate = bits.words(cells[todo])[:, 0] >> shift[todo]
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

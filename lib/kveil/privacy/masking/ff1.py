"""Format-preserving encryption FF1 (NIST SP 800-38G Rev. 1) of many numeral strings at once.

A keyed permutation of all strings of one length over one alphabet, so that an account number becomes another one and, with
the key, itself again. AES does the work; ten rounds run over whole arrays, so a value costs well under a microsecond per round.
"""

import math

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
U64 = NDArray[np.uint64]

MIN_DOMAIN = 1_000_000
"""Fewer strings than this can be listed and tried (Rev. 1, section 5.1)."""

_ROUNDS = 10
_BLOCK = 16
_MOST_BITS = 56
"""Halves of a string are numbers below 2**56: a remainder and one more byte fit 64 bits."""


def shortest(radix: int) -> int:
    """The fewest characters that FF1 may encrypt: radix ** length is at least MIN_DOMAIN."""
    length = 2
    while radix**length < MIN_DOMAIN:
        length += 1
    return length


def longest(radix: int) -> int:
    """The most characters that these arrays take: 32 digits, 20 letters or digits."""
    half = 1
    while radix ** (half + 1) <= 2**_MOST_BITS:
        half += 1
    return 2 * half


class FF1:
    """FF1 under an AES key (16, 24 or 32 bytes) for strings over `radix` numerals, 2 to 256."""

    def __init__(self, key: bytes, radix: int) -> None:
        self.radix = radix
        # ECB is AES itself: one block each, chained below as the standard says.
        self._aes = Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305

    def encrypted(self, numerals: U8, tweaks: U8) -> U8:
        """The ciphertexts [n, length] of strings [n, length] with tweaks [n, bytes], each string under its own tweak.

        ValueError for a length outside shortest(radix) to longest(radix).
        """
        return self._run(numerals, tweaks, range(_ROUNDS), backwards=False)

    def decrypted(self, numerals: U8, tweaks: U8) -> U8:
        """The strings of which `encrypted`, with the same tweaks, made these."""
        return self._run(numerals, tweaks, range(_ROUNDS - 1, -1, -1), backwards=True)

    def _run(self, numerals: U8, tweaks: U8, rounds: range, backwards: bool) -> U8:
        length = numerals.shape[1]
        if not shortest(self.radix) <= length <= longest(self.radix):
            raise ValueError(
                f"FF1 of radix {self.radix} takes {shortest(self.radix)} to {longest(self.radix)} characters, not {length}"
            )
        u, v = length // 2, length - length // 2
        sizes = (np.uint64(self.radix**u), np.uint64(self.radix**v))
        blocks, first = self._inputs(length, tweaks)
        a, b = self._number(numerals[:, :u]), self._number(numerals[:, u:])
        for i in rounds:
            size = sizes[i % 2]
            if backwards:
                y = self._round(blocks, first, i, a, size, v)
                a, b = (b + size - y) % size, a
            else:
                y = self._round(blocks, first, i, b, size, v)
                a, b = b, (a + y) % size
        return np.hstack([self._string(a, u), self._string(b, v)])

    def _inputs(self, length: int, tweaks: U8) -> tuple[U8, U8]:
        """The blocks Q [blocks, n, 16] with everything but round and half filled in, and the encrypted block P."""
        n, size = tweaks.shape
        half = _bytes_of(self.radix, length - length // 2)
        pad = (-size - half - 1) % _BLOCK
        q = np.zeros((n, size + pad + 1 + half), dtype=np.uint8)
        q[:, :size] = tweaks
        p = bytes([1, 2, 1]) + self.radix.to_bytes(3, "big") + bytes([_ROUNDS, (length // 2) % 256])
        p += length.to_bytes(4, "big") + size.to_bytes(4, "big")
        first = self._encrypt(np.frombuffer(p, np.uint8).reshape(1, _BLOCK))
        return np.ascontiguousarray(q.reshape(n, q.shape[1] // _BLOCK, _BLOCK).transpose(1, 0, 2)), first

    def _round(self, blocks: U8, first: U8, i: int, half: U64, size: np.uint64, longer: int) -> U64:
        """The round function: a number below `size`, of the round's number and the other half."""
        width = _bytes_of(self.radix, longer)
        last = blocks[-1]
        last[:, -width - 1] = i
        last[:, -width:] = half.astype(">u8").view(np.uint8).reshape(-1, 8)[:, -width:]
        state = np.broadcast_to(first, last.shape)
        for block in blocks:
            state = self._encrypt(state ^ block)
        return _remainder(state[:, : 4 * math.ceil(width / 4) + 4], size)

    def _encrypt(self, blocks: U8) -> U8:
        if not blocks.size:
            return blocks
        made = bytearray(blocks.nbytes + _BLOCK)  # the library asks for a block more than it fills
        self._aes.encryptor().update_into(np.ascontiguousarray(blocks).data.cast("B"), made)
        return np.frombuffer(made, np.uint8, blocks.size).reshape(blocks.shape)

    def _number(self, numerals: U8) -> U64:
        total = np.zeros(len(numerals), dtype=np.uint64)
        for column in numerals.T:
            total = total * np.uint64(self.radix) + column
        return total

    def _string(self, numbers: U64, length: int) -> U8:
        made = np.empty((len(numbers), length), dtype=np.uint8)
        for place in range(length - 1, -1, -1):
            numbers, made[:, place] = np.divmod(numbers, np.uint64(self.radix))
        return made


def _bytes_of(radix: int, length: int) -> int:
    """Bytes that hold any number of so many numerals."""
    return math.ceil((radix**length - 1).bit_length() / 8)


def _remainder(numbers: U8, size: np.uint64) -> U64:
    """Big-endian numbers [n, bytes] modulo `size`, in steps as wide as 64 bits allow."""
    step = next(width for width in (4, 2, 1) if int(size - np.uint64(1)).bit_length() + 8 * width <= 64)
    words = np.ascontiguousarray(numbers).view(f">u{step}").astype(np.uint64)
    total = np.zeros(len(numbers), dtype=np.uint64)
    for word in words.T:
        total = ((total << np.uint64(8 * step)) | word) % size
    return total

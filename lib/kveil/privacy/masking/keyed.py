"""Values of a key: pseudonyms, shifts of dates and places in lists, each a function of a key and a text and of nothing else.

HMAC-SHA-256 (RFC 2104) is what tells them: without the key nobody can try values until one fits, which is how a plain hash
of a phone number is reversed.
"""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.randomness import derived_key

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]

_BLOCK = 64
TOKEN_BITS = 128
"""Of 2**34 (17 billion) values two share a token with a probability below 2**-60."""


def subkey(secret: bytes, technique: str, domain: str, scope: Sequence[str]) -> bytes:
    """The key of one use: columns of one domain and scope share it, nothing else does."""
    return derived_key(secret, "mask", technique, domain, *scope)


def check_value(secret: bytes) -> str:
    """What tells a key from others without telling the key: 64 bits of HMAC, in hex."""
    return derived_key(secret, "mask key check")[:8].hex()


def tokens(texts: Sequence[str], key: bytes) -> list[str]:
    """Pseudonyms: the first 128 bits of HMAC-SHA-256, in hex; equal texts have equal ones."""
    return [digest[: TOKEN_BITS // 8].hex() for digest in _hmac(texts, key)]


def words(texts: Sequence[str], key: bytes) -> U64:
    """Four words [n, 4] for each text that look uniform and independent to whoever lacks the key."""
    return np.frombuffer(b"".join(_hmac(texts, key)), dtype="<u8").reshape(len(texts), 4).astype(np.uint64)


def shifts(lots: U64, most: int) -> I64:
    """For each person's words [n, 4] a number of days from -most to most, never 0: who is not moved is shown as they are.

    The remainder of a 64-bit word favours small numbers by less than most / 2**63.
    """
    drawn = (lots[:, 0] % np.uint64(2 * most)).astype(np.int64) - most
    return np.where(drawn < 0, drawn, drawn + 1)


def _hmac(texts: Sequence[str], key: bytes) -> Iterator[bytes]:
    """HMAC-SHA-256 of each text. The pads are hashed once; the library's call per text takes five times as long."""
    block = (key if len(key) <= _BLOCK else hashlib.sha256(key).digest()).ljust(_BLOCK, b"\0")
    inner, outer = (hashlib.sha256(bytes(byte ^ pad for byte in block)) for pad in (0x36, 0x5C))
    for text in texts:
        first, last = inner.copy(), outer.copy()
        first.update(text.encode())
        last.update(first.digest())
        yield last.digest()

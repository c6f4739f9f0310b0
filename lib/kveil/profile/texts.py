"""Texts as Arrow arrays: what matches a pattern, and characters as numbers for arithmetic on check digits.

Arrow's patterns are RE2's, whose time grows with the text and never with the pattern's repetitions, so no value can hang one.
"""

import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
Flags = NDArray[np.bool_]

_SEPARATORS = r"[\s.\-/]"
_FROM_ASCII = np.full(256, 255, dtype=np.uint8)
_FROM_ASCII[ord("0") : ord("9") + 1] = np.arange(10)
_FROM_ASCII[ord("A") : ord("Z") + 1] = np.arange(10, 36)


def matches(texts: pa.Array, pattern: str) -> Flags:
    """Whether the whole of each text [n] fits the pattern; null fits none."""
    found = pc.match_substring_regex(texts, f"^(?:{pattern})$")
    return np.asarray(pc.fill_null(found, False).to_numpy(zero_copy_only=False), dtype=bool)


def contains(texts: pa.Array, pattern: str) -> Flags:
    """Whether a part of each text [n] fits the pattern."""
    found = pc.match_substring_regex(texts, pattern)
    return np.asarray(pc.fill_null(found, False).to_numpy(zero_copy_only=False), dtype=bool)


def compact(texts: pa.Array) -> pa.Array:
    """The texts in capitals without blanks, dots, hyphens and slashes."""
    return pc.replace_substring_regex(pc.ascii_upper(texts), _SEPARATORS, "")


def values_of(texts: pa.Array) -> U8:
    """Texts of one length, of digits and capitals alone, as numbers [n, length]: 0 to 9, and 10 to 35 for A to Z."""
    joined = "".join(texts.to_pylist()).encode("ascii")
    return _FROM_ASCII[np.frombuffer(joined, dtype=np.uint8)].reshape(len(texts), -1)


def folded(text: str) -> str:
    """The text in lower case without accents, for comparison with word lists."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("ø", "o").replace("ł", "l"))
    return "".join(sign for sign in plain if not unicodedata.combining(sign)).casefold()

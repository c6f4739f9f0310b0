"""Texts encrypted so that they keep their format: FF1 on the characters that count, everything else where it was.

digits, alphanumeric: digits (or digits and capital letters) change, separators stay. card: a number with Luhn's check digit,
which the result has as well. iban: country and letters stay, the account's digits change, the check digits are made anew.
A text that is not of the format gives None: what is neither encrypted nor known to be harmless is not shown.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.check_digits import iban_digits, iban_holds, luhn_digit, luhn_holds
from kveil.privacy.masking.ff1 import FF1, longest, shortest

U8 = NDArray[np.uint8]
U32 = NDArray[np.uint32]
Flags = NDArray[np.bool_]

Kind = Literal["digits", "alphanumeric", "card", "iban"]

MOST_CHARACTERS = 64
_SEPARATORS = np.frombuffer(" -./()+".encode("utf-32-le"), np.uint32)
_NO_NUMERAL = 255
_CARD_DIGITS = range(12, 20)
_IBAN_CHARACTERS = range(15, 35)


@dataclass(frozen=True)
class Format:
    """What is encrypted of a text; of digits, alphanumeric and card the first and last characters may stay."""

    kind: Kind
    keep_first: int = 0
    keep_last: int = 0

    @property
    def radix(self) -> int:
        """How many numerals each encrypted character may be."""
        return 36 if self.kind == "alphanumeric" else 10

    @property
    def letters(self) -> bool:
        """Whether a text of the format has capital letters."""
        return self.kind in ("alphanumeric", "iban")

    def places(self, values: U8) -> tuple[Flags, Flags, Flags]:
        """Of texts' characters [n, length] as numerals: which are encrypted, which are check digits, which texts fit [n]."""
        changed, check = np.zeros(values.shape, dtype=bool), np.zeros(values.shape, dtype=bool)
        fits = np.ones(len(values), dtype=bool)
        length = values.shape[1]
        if self.kind == "iban":
            fits = _is_iban(values)
            check[:, 2:4] = True
            changed[:, 4:] = values[:, 4:] < 10
        else:
            last = length - self.keep_last
            if self.kind == "card":
                fits = luhn_holds(values) if length in _CARD_DIGITS else np.zeros(len(values), dtype=bool)
                check[:, -1:], last = True, length - 1
            changed[:, self.keep_first : last] = True
        return changed, check, fits

    def finish(self, values: U8) -> None:
        """Makes the check digits of texts [n, length] what the other characters ask for."""
        if self.kind == "card":
            values[:, -1] = luhn_digit(values[:, :-1])
        elif self.kind == "iban":
            values[:, 2:4] = iban_digits(values)


def _is_iban(values: U8) -> Flags:
    if values.shape[1] not in _IBAN_CHARACTERS:
        return np.zeros(len(values), dtype=bool)
    return (values[:, :2] > 9).all(axis=1) & (values[:, 2:4] < 10).all(axis=1) & iban_holds(values)


def encrypted(texts: Sequence[str], form: Format, key: bytes) -> list[str | None]:
    """The texts' ciphertexts under an AES key: one to one among texts of one format; None for a text of another."""
    return _each(texts, form, FF1(key, form.radix).encrypted)


def decrypted(texts: Sequence[str], form: Format, key: bytes) -> list[str | None]:
    """The texts of which `encrypted` made these; None for a text that it never makes."""
    return _each(texts, form, FF1(key, form.radix).decrypted)


def _each(texts: Sequence[str], form: Format, cipher: Callable[[U8, U8], U8]) -> list[str | None]:
    if not texts:
        return []
    signs = _signs([text if len(text) <= MOST_CHARACTERS else "" for text in texts])
    values = _numerals(signs, form.letters)
    counts = values != _NO_NUMERAL
    legible = (counts | np.isin(signs, _SEPARATORS) | (signs == 0)).all(axis=1)
    length = np.where(legible, counts.sum(axis=1), 0)
    made = np.zeros(len(texts), dtype=bool)
    for size in np.unique(length[length > 0]):
        rows = np.flatnonzero(length == size)
        same = values[rows][counts[rows]].reshape(-1, size)
        made[rows] = _encrypt_equally_long(same, form, cipher)
        part = values[rows]
        part[counts[rows]] = same.ravel()
        values[rows] = part
    shown = np.where(counts, _characters(values), signs)
    whole = np.ascontiguousarray(shown, dtype=np.uint32).view(f"<U{signs.shape[1]}").ravel().tolist()
    return [text if fits else None for text, fits in zip(whole, made.tolist(), strict=True)]


def _encrypt_equally_long(values: U8, form: Format, cipher: Callable[[U8, U8], U8]) -> Flags:
    """Encrypts texts [n, length] in place and tells which had the format; the others stay as they are."""
    changed, check, fits = form.places(values)
    sizes = changed.sum(axis=1)
    fits &= (sizes >= shortest(form.radix)) & (sizes <= longest(form.radix))
    for size in np.unique(sizes[fits]):
        rows = np.flatnonzero(fits & (sizes == size))
        part, inside = values[rows], changed[rows]
        # What stays is the tweak: the same digits of another country or bank become others.
        tweaks = part[~inside & ~check[rows]].reshape(len(rows), -1)
        part[inside] = cipher(part[inside].reshape(-1, size), tweaks).ravel()
        form.finish(part)
        values[rows] = part
    return fits


def _signs(texts: Sequence[str]) -> U32:
    """The texts' code points [n, longest], 0 after their end."""
    fixed = np.array(texts, dtype=np.str_)
    width = max(1, fixed.dtype.itemsize // 4)
    return fixed.astype(f"<U{width}").view(np.uint32).reshape(len(texts), width)


def _numerals(signs: U32, letters: bool) -> U8:
    values = np.full(signs.shape, _NO_NUMERAL, dtype=np.uint8)
    digit = (signs >= ord("0")) & (signs <= ord("9"))
    values[digit] = signs[digit] - ord("0")
    if letters:
        letter = (signs >= ord("A")) & (signs <= ord("Z"))
        values[letter] = signs[letter] - ord("A") + 10
    return values


def _characters(values: U8) -> U32:
    wide = values.astype(np.uint32)
    return np.where(wide > 9, wide - 10 + ord("A"), wide + ord("0"))

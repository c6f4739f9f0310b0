"""Check digits of many numbers at once: Luhn (ISO/IEC 7812-1, cards) and MOD 97-10 (ISO 7064, IBAN of ISO 13616)."""

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
Flags = NDArray[np.bool_]


def luhn_digit(digits: U8) -> U8:
    """The digit [n] that, put after the digits [n, length], makes Luhn's sum divisible by ten."""
    doubled = digits.copy()
    doubled[:, ::-2] *= 2
    return ((10 - (doubled // 10 + doubled % 10).sum(axis=1) % 10) % 10).astype(np.uint8)


def luhn_holds(digits: U8) -> Flags:
    """Whether the last of the digits [n, length] is Luhn's of those before."""
    return luhn_digit(digits[:, :-1]) == digits[:, -1]


def mod_97(values: U8) -> U8:
    """The remainders [n] by 97 of numbers written in digits (0-9) and letters (10-35, two decimal digits each)."""
    left = np.zeros(len(values), dtype=np.int64)
    for column in values.T:
        left = (left * np.where(column > 9, 100, 10) + column) % 97
    return left.astype(np.uint8)


def iban_digits(values: U8) -> U8:
    """The check digits [n, 2] of IBANs [n, length] whose own check digits, at places 2 and 3, do not matter."""
    zeros = np.zeros((len(values), 2), dtype=np.uint8)
    check = 98 - mod_97(np.hstack([values[:, 4:], values[:, :2], zeros]))
    return np.column_stack([check // 10, check % 10])


def iban_holds(values: U8) -> Flags:
    """Whether IBANs [n, length], country first, have the check digits that ISO 13616 gives them (02 to 98)."""
    return (iban_digits(values) == values[:, 2:4]).all(axis=1)

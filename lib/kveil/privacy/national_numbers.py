"""National numbers of people whose check digits tell them from other numbers, many at once.

DE tax id (ISO 7064 MOD 11,10), FR NIR (97), ES DNI and NIE (letter by 23), NL BSN (eleven-test), BE national register (97),
AT social insurance (11), IT codice fiscale (letter by 26), PL PESEL (10), PT NIF (11), FI henkilötunnus (letter by 31),
SE personnummer (Luhn). Sources: the registers' published rules, as python-stdnum collects them. GB and US numbers have none.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.check_digits import luhn_holds

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]
Flags = NDArray[np.bool_]

_DNI = "TRWAGMYFPDXBNJZSQVHLCKE"
_HETU = "0123456789ABCDEFHJKLMNPRSTUVWXY"
# Of a codice fiscale's odd places (from 1): what a digit or letter counts.
_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21)
_ODD_LETTERS = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)


def mod_11_10_holds(digits: U8) -> Flags:
    """Whether the last of the digits [n, length] is the check digit of ISO 7064 MOD 11,10 of those before."""
    product = np.full(len(digits), 10, dtype=np.int64)
    for column in digits[:, :-1].T:
        total = (product + column) % 10
        product = 2 * np.where(total == 0, 10, total) % 11
    return (11 - product) % 10 == digits[:, -1]


def weighed(digits: U8, weights: tuple[int, ...]) -> I64:
    """The sum [n] of the digits [n, length], each times its weight."""
    return digits[:, : len(weights)].astype(np.int64) @ np.asarray(weights, dtype=np.int64)


def number(digits: U8) -> I64:
    """The whole number [n] that up to 18 digits [n, length] write."""
    return digits.astype(np.int64) @ (10 ** np.arange(digits.shape[1] - 1, -1, -1, dtype=np.int64))


def _german(values: U8) -> Flags:
    """Eleven digits, the first not 0; of the first ten one stands twice or thrice, so some are missing."""
    counts = np.stack([(values[:, :10] == digit).sum(axis=1) for digit in range(10)], axis=1)
    return (values[:, 0] > 0) & mod_11_10_holds(values) & np.isin(counts.max(axis=1), (2, 3)) & ((counts == 1).sum(axis=1) >= 7)


def _french(values: U8) -> Flags:
    return np.isin(values[:, 0], (1, 2)) & (97 - number(values[:, :13]) % 97 == number(values[:, 13:]))


def _spanish(values: U8) -> Flags:
    """Eight digits, or X, Y, Z (33, 34, 35, which stand for 0, 1, 2) and seven; then the letter."""
    first = np.where(values[:, 0] >= 33, values[:, 0] - 33, values[:, 0]).astype(np.uint8)
    body = np.column_stack([first, values[:, 1:8]])
    letters = np.array([_letter(sign) for sign in _DNI], dtype=np.uint8)
    return letters[number(body) % 23] == values[:, 8]


def _dutch(values: U8) -> Flags:
    return (weighed(values, (9, 8, 7, 6, 5, 4, 3, 2)) - values[:, 8]) % 11 == 0


def _belgian(values: U8) -> Flags:
    body, check = number(values[:, :9]), number(values[:, 9:])
    return _is_date(values[:, 2:6], month_first=True) & ((97 - body % 97 == check) | (97 - (body + 2 * 10**9) % 97 == check))


def _austrian(values: U8) -> Flags:
    check = weighed(np.column_stack([values[:, :3], values[:, 4:]]), (3, 7, 9, 5, 8, 4, 2, 1, 6)) % 11
    return (values[:, 0] > 0) & _is_date(values[:, 4:8], month_first=False) & (check == values[:, 3])


def _italian(values: U8) -> Flags:
    odd = np.array([*_ODD, *_ODD_LETTERS])[values[:, 0:15:2]].sum(axis=1)
    even = np.where(values[:, 1:15:2] > 9, values[:, 1:15:2] - 10, values[:, 1:15:2]).astype(np.int64).sum(axis=1)
    return (odd + even) % 26 + 10 == values[:, 15]


def _polish(values: U8) -> Flags:
    return (10 - weighed(values, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10) % 10 == values[:, 10]


def _portuguese(values: U8) -> Flags:
    left = 11 - weighed(values, (9, 8, 7, 6, 5, 4, 3, 2)) % 11
    return np.isin(values[:, 0], (1, 2, 3)) & (np.where(left > 9, 0, left) == values[:, 8])


def _finnish(values: U8) -> Flags:
    """Day, month, year, serial number and the sign by 31 (the century's sign was taken out)."""
    letters = np.array([_letter(sign) for sign in _HETU], dtype=np.uint8)
    return _is_date(values[:, :4], month_first=False) & (letters[number(values[:, :9]) % 31] == values[:, 9])


def _swedish(values: U8) -> Flags:
    return _is_date(values[:, 2:6], month_first=True) & luhn_holds(values)


def _is_date(digits: U8, month_first: bool) -> Flags:
    """Whether four digits can be a month and a day."""
    first, second = number(digits[:, :2]), number(digits[:, 2:4])
    month, day = (first, second) if month_first else (second, first)
    return (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)


def _letter(sign: str) -> int:
    return int(sign, 36)


NATIONAL_NUMBERS: dict[str, tuple[str, Callable[[U8], Flags]]] = {
    "DE tax id": (r"[1-9]\d{10}", _german),
    "FR NIR": (r"[12]\d{14}", _french),
    "ES DNI": (r"(?:\d{8}|[XYZ]\d{7})[A-Z]", _spanish),
    "NL BSN": (r"\d{9}", _dutch),
    "BE register number": (r"\d{11}", _belgian),
    "AT insurance number": (r"[1-9]\d{9}", _austrian),
    "IT codice fiscale": (r"[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z]", _italian),
    "PL PESEL": (r"\d{11}", _polish),
    "PT NIF": (r"[123]\d{8}", _portuguese),
    "FI henkilötunnus": (r"\d{9}[0-9A-Y]", _finnish),
    "SE personnummer": (r"\d{10}", _swedish),
}
"""By name: the form of the number without separators, and whether values [n, length] (digits 0-9, letters 10-35) hold."""

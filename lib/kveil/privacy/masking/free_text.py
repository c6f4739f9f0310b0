"""Identifiers inside free text, found by their form and their check digits, and replaced by the name of their type.

Found are e-mail addresses, IBAN (MOD 97-10), card numbers (Luhn), IP addresses, telephone numbers, and as <NUMBER> any other
run of six digits or more, which covers national ids and account numbers of every form. Names of people are not found.
"""

import re
from collections.abc import Callable
from ipaddress import ip_address
from string import ascii_uppercase

# Looked for from the beginning of a word alone, so that a long word is read once and not from each of its letters.
_EMAIL = r"(?<![\w.+%-])[\w.+%-]+@[\w-]+(?:\.[\w-]+)+"
_IP6 = r"(?<!\w)(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])"
_IP4 = r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)"
_IBAN = r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]{2,4}){3,8}(?![A-Za-z0-9])"
_DATE = r"(?<!\d)(?:\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{2,4})(?!\d)"
_AMOUNT = r"(?<![\d.,])(?:\d{1,3}(?:[.,]\d{3})+(?:[.,]\d{1,2})?|\d{1,9}[.,]\d{1,2})(?![.,]?\d)"
_DIGITS = r"(?:(?<!\d)\+?\d|\(\+?\d{1,5}\))(?:[ ()/.-]{0,2}\d){5,}"

_FOUND = re.compile("|".join(f"(?P<{name}>{form})" for name, form in (
    ("email", _EMAIL), ("iban", _IBAN), ("ip6", _IP6), ("ip4", _IP4), ("date", _DATE), ("amount", _AMOUNT),
    ("digits", _DIGITS),
)))  # fmt: skip
_CLOSED = str.maketrans("", "", " -")
_AS_DIGITS = {ord(letter): str(int(letter, 36)) for letter in ascii_uppercase}
_CARD_DIGITS = range(12, 20)
_PHONE_DIGITS = range(7, 16)


def scrubbed(text: str) -> str:
    """The text with <EMAIL>, <IBAN>, <CARD>, <IP>, <PHONE> and <NUMBER> for what was found. Dates and amounts stay."""
    return _FOUND.sub(_token, text)


def _token(found: re.Match[str]) -> str:
    kind, text = str(found.lastgroup), found.group()
    return _TOKENS[kind](text)


def _iban(text: str) -> str:
    """An IBAN, also with words after it that look like its end; what is none is looked at again without its letters."""
    for end in range(len(text), 14, -1):
        cuts_a_word = text[end : end + 1].isalnum() or not text[end - 1].isalnum()
        if not cuts_a_word and _is_iban(text[:end]):
            return "<IBAN>" + scrubbed(text[end:])
    return text[:2] + _FOUND.sub(_token, text[2:])


def _is_iban(text: str) -> bool:
    signs = text.upper().translate(_CLOSED)
    return 15 <= len(signs) <= 34 and int((signs[4:] + signs[:4]).translate(_AS_DIGITS)) % 97 == 1


def _ip(text: str) -> str:
    try:
        ip_address(text)
    except ValueError:
        # A time of day is no identifier; six pairs (MAC) or a number written with colons may be one.
        return _digits(text) if sum(sign.isdigit() for sign in text) >= (6 if "." in text else 12) else text
    return "<IP>"


def _digits(text: str) -> str:
    numbers = [int(sign) for sign in text if sign.isdigit()]
    # No card begins with 0.
    if text.startswith(("+", "0", "(")) and len(numbers) in _PHONE_DIGITS:
        return "<PHONE>"
    return "<CARD>" if len(numbers) in _CARD_DIGITS and _luhn(numbers) else "<NUMBER>"


def _luhn(numbers: list[int]) -> bool:
    doubled = [2 * number if place % 2 else number for place, number in enumerate(reversed(numbers))]
    return sum(number // 10 + number % 10 for number in doubled) % 10 == 0


_TOKENS: dict[str, Callable[[str], str]] = {
    "email": lambda _: "<EMAIL>",
    "iban": _iban,
    "ip6": _ip,
    "ip4": _ip,
    "date": lambda text: text,
    "amount": lambda text: text,
    "digits": _digits,
}

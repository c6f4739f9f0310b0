"""Which SQL type the texts of a file fit, so that a draft can declare it."""

import re
from collections.abc import Sequence

import pyarrow as pa

from kveil.profile.dates import date_pattern
from kveil.profile.texts import matches

_WHOLE = r"[+-]?(?:0|[1-9]\d{0,17})"
_BROKEN = r"[+-]?(?:0|[1-9]\d*)?(?:\.\d+)?(?:[eE][+-]?\d+)?"
_MOMENT = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?"
_MOST_WRONG = 0.001


def fitting_type(texts: pa.Array) -> str:
    """boolean, bigint, double, date (as yyyy-MM-dd), timestamp or string: the first that nearly all of the texts [n] fit.

    Numbers with leading zeros are codes, not numbers, and stay texts.
    """
    filled = texts.drop_null()
    if not len(filled):
        return "string"
    for name, form in (("boolean", "(?i)true|false"), ("bigint", _WHOLE), ("double", _BROKEN), ("timestamp", _MOMENT)):
        if matches(filled, form).mean() >= 1 - _MOST_WRONG:
            return name
    days = date_pattern(filled)
    exact = days is not None and days.pattern == "yyyy-MM-dd" and days.share >= 1 - _MOST_WRONG
    return "date" if exact and matches(filled, r".{10}").all() else "string"


def lenient(pattern: str) -> str:
    """A date pattern whose days and months may have one digit or two."""
    # Months by name stay; and where nothing stands between year, month and day, their widths tell them apart.
    return pattern if pattern.isalpha() else re.sub(r"(?<!M)MM(?!M)|dd", lambda found: found.group()[0], pattern)


def one_date_pattern(patterns: Sequence[str]) -> str | None:
    """The pattern by which a CSV file's days are read, where all of its columns of days agree in one that is not ISO's."""
    found = set(patterns)
    return lenient(found.pop()) if len(found) == 1 and found != {"yyyy-MM-dd"} else None

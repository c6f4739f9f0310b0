"""Texts as another type: what is read, on Spark's columns and in Python alike, so that a suggestion says what will happen."""

import re
from datetime import datetime

from pyspark.sql import Column
from pyspark.sql import functions as F

_NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_DAY = r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
_FORMS = {
    "boolean": r"(?i)true|t|yes|y|1|false|f|no|n|0",
    "bigint": r"[+-]?[0-9]+",
    "double": _NUMBER + r"(?:[eE][+-]?[0-9]{1,4})?",
    "date": _DAY,
    "timestamp": _DAY + r"[T ][0-9]{1,2}:[0-9]{1,2}(?::[0-9]{1,2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?",
}
_BIGINT = 2**63
_BEGINS = re.compile(
    r"([0-9]+)-([0-9]+)-([0-9]+)(?:[T ]([0-9]+):([0-9]+)(?::([0-9]+))?)?(?:\.[0-9]+)?(?:Z|([+-])([0-9]+):([0-9]+))?"
)
_MOST_OFFSET = 18 * 60
"""Minutes by which Java's offsets may differ from UTC."""


def form(to: str) -> str:
    """The regular expression of what is read as the type; a decimal has no more decimals than the type, zeros aside."""
    if not to.startswith("decimal"):
        return _FORMS[to]
    _, scale = _digits(to)
    decimals = rf"[0-9]{{0,{scale}}}0*"
    return rf"[+-]?(?:[0-9]+(?:\.{decimals})?|\.(?=[0-9]){decimals})"


def typed(text: Column, to: str) -> Column:
    """The text, without blanks around it, as a value of the type; null where it does not say one exactly.

    A moment without an offset is UTC's. 1.25 is no decimal(9,1), and 1e400 no double.
    """
    bare = F.trim(text)
    fits = F.regexp_like(bare, F.lit(f"^(?:{form(to)})$"))
    value = F.when(fits, bare).try_cast(to)
    return F.when(F.abs(value) < F.lit(float("inf")), value) if to == "double" else value


def reads(text: str, to: str) -> bool:
    """Whether `typed` gives a value."""
    bare = text.strip(" ")
    if re.fullmatch(form(to), bare) is None:
        return False
    if to == "bigint":
        return -_BIGINT <= int(bare) < _BIGINT
    if to == "double":
        return abs(float(bare)) < float("inf")
    if to in ("date", "timestamp"):
        return _is_moment(bare)
    if to.startswith("decimal"):
        precision, scale = _digits(to)
        return len(bare.lstrip("+-").partition(".")[0].lstrip("0")) <= precision - scale
    return True


def _digits(decimal: str) -> tuple[int, int]:
    precision, scale = map(int, re.findall(r"[0-9]+", decimal))
    return precision, scale


def _is_moment(text: str) -> bool:
    found = _BEGINS.fullmatch(text)
    if found is None:
        return False
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    offset = int(found[8] or 0) * 60 + int(found[9] or 0)
    try:
        datetime(year, month, day, hour, minute, second)
    except ValueError:
        return False
    return offset <= _MOST_OFFSET and int(found[9] or 0) < 60

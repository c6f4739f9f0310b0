"""Dates written as texts: which pattern a column's values follow, and whether another fits as well."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kveil.profile.texts import matches

Flags = NDArray[np.bool_]

_TIME = r"(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
_YEAR, _SHORT, _MONTH, _DAY = r"(?P<y>\d{4})", r"(?P<y>\d{2})", r"(?P<m>\d{1,2})", r"(?P<d>\d{1,2})"
_FORMS: dict[str, str] = {
    "yyyy-MM-dd": f"{_YEAR}-{_MONTH}-{_DAY}{_TIME}",
    "yyyy/MM/dd": f"{_YEAR}/{_MONTH}/{_DAY}{_TIME}",
    "yyyy.MM.dd": rf"{_YEAR}\.{_MONTH}\.{_DAY}{_TIME}",
    "yyyyMMdd": r"(?P<y>(?:19|20)\d{2})(?P<m>\d{2})(?P<d>\d{2})",
    "dd.MM.yyyy": rf"{_DAY}\.{_MONTH}\.{_YEAR}{_TIME}",
    "dd/MM/yyyy": f"{_DAY}/{_MONTH}/{_YEAR}{_TIME}",
    "MM/dd/yyyy": f"{_MONTH}/{_DAY}/{_YEAR}{_TIME}",
    "dd-MM-yyyy": f"{_DAY}-{_MONTH}-{_YEAR}{_TIME}",
    "MM-dd-yyyy": f"{_MONTH}-{_DAY}-{_YEAR}{_TIME}",
    "dd/MM/yy": f"{_DAY}/{_MONTH}/{_SHORT}",
    "MM/dd/yy": f"{_MONTH}/{_DAY}/{_SHORT}",
}
_RIVALS = {"dd/MM/yyyy": "MM/dd/yyyy", "dd-MM-yyyy": "MM-dd-yyyy", "dd/MM/yy": "MM/dd/yy"}
_RIVALS |= {other: name for name, other in _RIVALS.items()}
_NAMED = r"(?i)\d{1,2}[ -](?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ -]\d{2,4}" + _TIME
_LENGTHS = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


@dataclass(frozen=True)
class DatePattern:
    """A pattern, the share of values that it reads as a day, and those that read as another day by `rival`.

    `rival` is a pattern that reads as large a share; whoever chooses between the two must ask, not guess.
    """

    pattern: str
    share: float
    rival: str = ""

    @property
    def ambiguous(self) -> bool:
        """Whether the values alone do not tell which of two patterns is meant."""
        return bool(self.rival)


def date_pattern(texts: pa.Array) -> DatePattern | None:
    """The pattern that reads most of the texts [n] as days from 1850 to 2150; None where none reads any."""
    if not len(texts):
        return None
    shares = {name: float(reads(texts, name).mean()) for name in _FORMS}
    best = max(shares, key=lambda name: shares[name])
    named = float(matches(texts, _NAMED).mean())
    if named > shares[best]:
        return DatePattern("dd MMM yyyy", named)
    if not shares[best]:
        return None
    # Where some values read by one of the two orders alone, more than typing errors make, that order is meant.
    rival = _RIVALS.get(best, "")
    return DatePattern(best, shares[best], rival if rival and shares[rival] >= 0.98 * shares[best] else "")


def reads(texts: pa.Array, pattern: str) -> Flags:
    """Whether each text [n] is a day by the pattern."""
    fits = matches(texts, _FORMS[pattern])
    found = np.zeros(len(texts), dtype=bool)
    if not fits.any():
        return found
    parts = pc.extract_regex(texts.filter(pa.array(fits)), f"^{_FORMS[pattern]}$")
    year, month, day = (pc.cast(pc.struct_field(parts, part), pa.int64()).to_numpy(zero_copy_only=False) for part in "ymd")
    year = np.where(year < 100, year + 1900, year)
    possible = (month >= 1) & (month <= 12) & (year >= 1850) & (year <= 2150)
    found[fits] = possible & (day >= 1) & (day <= _LENGTHS[np.where(possible, month, 0)])
    return found

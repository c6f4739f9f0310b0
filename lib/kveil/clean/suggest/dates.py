"""Which date patterns a text column is written in; where a date parses two ways, both are told."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

_MOSTLY = 0.8
_FORM = re.compile(r"^(\d{1,4})([-/.])(\d{1,2})\2(\d{1,4})$")


@dataclass(frozen=True)
class Dated:
    """Patterns as Spark writes them, cells that are a date in one of them, and what speaks for and against the order of days.

    two_ways: cells of a form of which no cell tells whether days or months come first; or cells that disagree about it.
    """

    patterns: list[str]
    cells: int
    others: int
    two_ways: int
    early: int
    late: int


def dated(values: Mapping[str, int], latest: date, earliest: date) -> Dated | None:
    """How a column's dates are written; None where not most of its values are dates.

    Forms are told apart by sign and by the places of the year; a form with dates of both orders is read days first, and
    counted as parsing two ways.
    """
    forms: dict[tuple[str, str], dict[str, int]] = {}
    others = 0
    for value, count in values.items():
        found = _FORM.match(value.strip())
        form = _form(found) if found else None
        if form is None:
            others += count
        else:
            forms.setdefault(form, {})[value.strip()] = count
    cells = sum(sum(each.values()) for each in forms.values())
    if not cells or cells < _MOSTLY * (cells + others):
        return None
    return _read(forms, others, latest, earliest)


def _form(found: "re.Match[str]") -> tuple[str, str] | None:
    """The sign and where the year stands: first (yyyy), last (yyyy), or last with two digits (yy)."""
    first, sign, _, last = found.groups()
    if len(first) == 4 and len(last) <= 2:
        return sign, "first"
    if len(first) <= 2 and len(last) in (2, 4):
        return sign, "last" if len(last) == 4 else "short"
    return None


def _read(forms: Mapping[tuple[str, str], Mapping[str, int]], others: int, latest: date, earliest: date) -> Dated:
    patterns: list[str] = []
    cells = two_ways = early = late = 0
    for (sign, year), values in sorted(forms.items(), key=lambda item: (-sum(item[1].values()), item[0])):
        pattern, undecided = _pattern(sign, year, values)
        patterns.append(pattern)
        two_ways += undecided
        for value, count in values.items():
            day = _day(value, pattern, latest)
            others += count if day is None else 0
            cells += count if day is not None else 0
            early += count if day is not None and day < earliest else 0
            late += count if day is not None and day > latest else 0
    return Dated(patterns, cells, others, two_ways, early, late)


def _pattern(sign: str, year: str, values: Mapping[str, int]) -> tuple[str, int]:
    """The form's pattern, and the cells that leave its order open."""
    if year == "first":
        return sign.join(("y" * 4, "M", "d")), 0
    days_first = months_first = open_ = 0
    for value, count in values.items():
        one, two = (int(part) for part in value.split(sign)[:2])
        days_first += count if one > 12 else 0
        months_first += count if two > 12 else 0
        open_ += count if one <= 12 and two <= 12 and one != two else 0
    digits = "yyyy" if year == "last" else "yy"
    order = ("M", "d") if months_first > days_first else ("d", "M")
    against = min(days_first, months_first)
    decided = max(days_first, months_first) > 0
    return sign.join((*order, digits)), against + (0 if decided and not against else open_)


def _day(value: str, pattern: str, latest: date) -> date | None:
    sign = next(sign for sign in "-/." if sign in pattern)
    parts = dict(zip((part[0] for part in pattern.split(sign)), map(int, value.split(sign)), strict=True))
    year = parts["y"]
    if pattern.count("y") == 2:
        year += 2000
        year -= 100 if year > latest.year else 0
    try:
        return date(year, parts["M"], parts["d"])
    except ValueError:
        return None

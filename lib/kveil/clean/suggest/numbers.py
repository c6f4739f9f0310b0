"""Which units numbers are written with in a text column, and whether that is one habit or several."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

_MOSTLY, _ONE_HABIT = 0.9, 0.95
_KNOWN_UNIT, _KNOWN_CELLS = 0.005, 5
_FORM = re.compile(r"^\s*([+-]?\d+(?:\.\d+)?)\s*([^\d\s][^\d]{0,15}?)?\s*$")
_CODE = re.compile(r"^\s*[+-]?0\d")
_FACTOR = 10


@dataclass(frozen=True)
class Numbered:
    """Units, in lower case, with which numbers are written; cells that are not a plain number; and doubts.

    one_habit: nearly all cells have the same unit. other_scale: numbers with and without unit are of other sizes, as per cent
    and shares are, so that leaving the unit out may change what is meant.
    """

    units: list[str]
    cells: int
    one_habit: bool
    other_scale: bool


def numbered(values: Mapping[str, int]) -> Numbered | None:
    """How a column's numbers are written; None where few values are numbers, nearly all are plain, or they are codes."""
    units: Counter[str] = Counter()
    written: Counter[str] = Counter()
    plain: list[float] = []
    with_unit: list[float] = []
    total = sum(values.values())
    for value, count in values.items():
        found = _FORM.match(value)
        if _CODE.match(value):
            return None
        if found:
            unit = found.group(2) or ""
            units[unit.lower()] += count
            written[unit] += count
            (with_unit if unit else plain).append(float(found.group(1)))
    known = {unit: count for unit, count in units.items() if count >= max(_KNOWN_UNIT * total, _KNOWN_CELLS)}
    numbers = sum(known.values())
    if not total or numbers < _MOSTLY * total or known.get("", 0) >= _ONE_HABIT * numbers:
        return None
    habit = max(written.values()) >= _ONE_HABIT * numbers
    return Numbered(sorted(set(known) - {""}), numbers - known.get("", 0), habit, _other_scale(plain, with_unit))


def _other_scale(plain: list[float], with_unit: list[float]) -> bool:
    if not plain or not with_unit:
        return False
    low, high = sorted((abs(median(plain)), abs(median(with_unit))))
    return high > _FACTOR * low

"""Round numbers and days: where a range may end without ending at somebody's value."""

from bisect import bisect_right
from datetime import date
from typing import Protocol

import numpy as np

_STEPS = [factor * 10**power for power in range(18) for factor in (1, 2, 5)]
_EPOCH = date(1970, 1, 1).toordinal()
_FIRST, _LAST = date.min.toordinal() - _EPOCH, date.max.toordinal() - _EPOCH
_UNITS = ("century", "decade", "year", "quarter", "month", "week")


class Roundest(Protocol):
    """Finds the roundest place in a range of whole numbers."""

    def between(self, low: int, high: int) -> int:
        """The roundest in low + 1 .. high."""
        ...

    def below(self, value: int, spread: int) -> int:
        """A round one below a value, no further than about the spread of the values beside it."""
        ...

    def above(self, value: int, spread: int) -> int:
        """A round one above a value whose predecessor is above it as well."""
        ...


class RoundNumbers:
    """Multiples of 1, 2 or 5 times the highest power of ten."""

    def between(self, low: int, high: int) -> int:
        """See Roundest."""
        if low < 0 <= high:
            return 0
        found = high
        for step in _STEPS[max(bisect_right(_STEPS, high - low) - 1, 0) :]:
            if step > max(abs(low), abs(high)):
                break
            if high // step * step > low:
                found = high // step * step
        return found

    def below(self, value: int, spread: int) -> int:
        """See Roundest. Where nothing is beside it, the spread is the value's own size."""
        return self.between(value - 1 - (spread or _size(value)), value - 1)

    def above(self, value: int, spread: int) -> int:
        """See Roundest."""
        return self.between(value + 1, value + 2 + (spread or _size(value)))


class RoundDays:
    """First days of centuries, decades, years, quarters, months, or Mondays; days are counted from 1970-01-01."""

    def between(self, low: int, high: int) -> int:
        """See Roundest."""
        for unit in _UNITS:
            first = _first_day(high, unit)
            if first > low:
                return first
        return high

    def below(self, value: int, spread: int) -> int:
        """See Roundest. Where nothing is beside it, the spread is a year."""
        return max(self.between(value - 1 - (spread or 366), value - 1), _FIRST)

    def above(self, value: int, spread: int) -> int:
        """See Roundest."""
        return min(self.between(value + 1, value + 2 + (spread or 366)), _LAST + 1)


class ListedPlaces:
    """Places in a list that is public: any is as good as another, so a range ends where its values do."""

    def between(self, low: int, high: int) -> int:
        """See Roundest: the next place."""
        return low + 1

    def below(self, value: int, spread: int) -> int:
        """See Roundest: the place itself."""
        return value

    def above(self, value: int, spread: int) -> int:
        """See Roundest: the next place."""
        return value + 1


def _size(value: int) -> int:
    return max(10 ** (len(str(abs(value))) - 1), 1)


def _first_day(day: int, unit: str) -> int:
    """The first day of the unit that a day lies in."""
    if unit == "week":
        # Day 0 of the epoch is a Thursday.
        return (day + 3) // 7 * 7 - 3
    months = {"century": 1200, "decade": 120, "year": 12, "quarter": 3, "month": 1}[unit]
    month = int(np.datetime64(day, "D").astype("datetime64[M]").astype(np.int64))
    # Months are counted from 1970, which begins a decade and, 70 years late, no century.
    shift = 840 if unit == "century" else 0
    start = (month + shift) // months * months - shift
    return int(np.datetime64(start, "M").astype("datetime64[D]").astype(np.int64))

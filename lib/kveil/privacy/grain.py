"""A partition's own values of a column: cells that at least k of its people hold, which is all that trees and generalizers name.

A cut lies between two cells, a bound is a cell's end and a set names cells. So no cut, bound or name is the value of fewer
than k people, and none comes from a row that the partition does not release. An end that k people do not hold is moved
outward to the roundest number or day before the next value.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.jit import compiled
from kveil.privacy.round_numbers import Roundest

I64 = NDArray[np.int64]


class Holders(NamedTuple):
    """Distinct values, ascending, and the different people who hold value i: `person[start[i]:start[i + 1]]`."""

    values: I64
    start: I64
    person: I64

    @property
    def people(self) -> I64:
        """How many people hold each value."""
        return np.diff(self.start)


def holders(values: I64, people: I64) -> Holders:
    """Who holds which value, of one value and one person number (from 0) per row."""
    if not len(values):
        return Holders(values, np.zeros(1, dtype=np.int64), people)
    width, least = int(people.max()) + 1, int(values.min())
    if (int(values.max()) - least + 1) * width < 2**62:
        # Sorting pairs as single numbers takes a third of the time of numbering the values first.
        keys = (values - least) * width + people
        distinct: I64 | None = None
    else:
        distinct, index = np.unique(values, return_inverse=True)
        keys = index.reshape(-1).astype(np.int64) * width + people
    keys.sort()
    keys = keys[np.concatenate([[True], keys[1:] != keys[:-1]])]
    value = keys // width
    first = np.flatnonzero(np.concatenate([[True], value[1:] != value[:-1]]))
    found = value[first] + least if distinct is None else distinct
    return Holders(found, np.append(first, len(keys)), keys - value * width)


class Cells(NamedTuple):
    """Cells `low`..`high`, ascending; between two of them may lie values that nobody holds."""

    low: I64
    high: I64

    def of(self, values: I64) -> I64:
        """The cell of each value: the one that holds it, else the next below it, else the first."""
        return np.maximum(np.searchsorted(self.low, values, side="right") - 1, 0)


def ordered_cells(held: Holders, k: int, roundest: Roundest) -> Cells:
    """Cells of an ordered column that at least k people hold each (all people together, where they are fewer).

    A value that k people hold is a cell of its own. Others share one, and where it ends is the roundest place that leaves
    k people on either side.
    """
    ends, marks = _groups(held, k, roundest)
    first = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    common = held.people >= k
    low, high = held.values[first].copy(), held.values[ends].copy()
    for i in range(len(ends)):
        before = int(held.values[first[i] - 1]) if i else None
        after = int(held.values[ends[i] + 1]) if i + 1 < len(ends) else None
        spread = int(held.values[ends[i]] - held.values[first[i]])
        if not common[first[i]]:
            low[i] = marks[i - 1] if before is not None else roundest.below(int(low[i]), spread)
        if not common[ends[i]]:
            high[i] = (marks[i] if after is not None else roundest.above(int(high[i]), spread)) - 1
    return Cells(low, high)


def _groups(held: Holders, k: int, roundest: Roundest) -> tuple[I64, I64]:
    """The place of each cell's last value, and between each cell and the next the first number or day of the next one."""
    values, common = held.values, held.people >= k
    seen, token = np.zeros(int(held.person.max(initial=0)) + 1, dtype=np.int64), 0
    following = np.append(np.flatnonzero(common), len(values))
    ends: list[int] = []
    marks: list[int] = []

    def closed(end: int, mark: int | None = None) -> None:
        ends.append(end)
        if end + 1 < len(values):
            marks.append(roundest.between(int(values[end]), int(values[end + 1])) if mark is None else mark)

    at = 0
    while at < len(values):
        if common[at]:
            closed(at)
            at += 1
            continue
        run_end = int(following[np.searchsorted(following, at)])
        token += 2
        enough = int(_reached(held.start, held.person, at, run_end, k, seen, token - 1))
        if enough < 0:
            at = _joined(ends, marks, at, run_end, common, closed)
            continue
        again = int(_reached(held.start, held.person, enough + 1, run_end, k, seen, token))
        if again < 0:
            closed(run_end - 1)
            at = run_end
            continue
        mark = roundest.between(int(values[enough]), int(values[again]))
        end = int(np.searchsorted(values, mark)) - 1
        closed(end, mark)
        at = end + 1
    return np.array(ends, dtype=np.int64), np.array(marks, dtype=np.int64)


def _joined(ends: list[int], marks: list[int], at: int, run_end: int, common: NDArray[np.bool_], closed: object) -> int:
    """Lets too few people between two cells join one: that of rare values before, else the next, else the one before."""
    alone = not ends and run_end == len(common)
    to_next = run_end < len(common) and (not ends or common[ends[-1]])
    end = run_end if to_next else run_end - 1
    if not alone and not to_next:
        ends.pop()
        marks.pop()
    closed(end)  # type: ignore[operator]
    return end + 1


@compiled
def _reached(start: I64, person: I64, first: int, end: int, k: int, seen: I64, token: int) -> int:
    """The first value from `first` on, before `end`, up to which k different people hold one; -1 if there is none."""
    count = 0
    for value in range(first, end):
        for i in range(start[value], start[value + 1]):
            if seen[person[i]] != token:
                seen[person[i]] = token
                count += 1
        if count >= k:
            return value
    return -1

"""What a node's rows cover in each column, and the memory in which cutting keeps it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.jit import compiled
from kveil.privacy.space import SET, Space, penalty

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]
F64 = NDArray[np.float64]
Flags = NDArray[np.bool_]

_NO_CELL = 2**31
"""Above every cell's number."""


class Workspace(NamedTuple):
    """Memory that every node uses anew. Per cell of any dimension: `mark` (met in this pass), `released` rows,
    `rows` of all, `positive` labels, `slot` and `is_left`. Per cell of the dimension at hand, in cutting order: `cells`.
    Per place between them: `allowed` and `score`. Per row of the node: `order`. Per dimension: extents and `width`.
    """

    token: I64
    mark: I64
    released: I64
    rows: I64
    positive: I64
    slot: I64
    is_left: Flags
    cells: I64
    allowed: Flags
    score: F64
    order: I64
    low: I64
    high: I64
    distinct: I64
    has_null: Flags
    width: F64
    child: I64


def workspace(space: Space, rows: int) -> Workspace:
    """Memory for a fragment of so many rows."""
    cells, d = int(space.offset[-1]), len(space.kind)
    widest = int(np.diff(space.offset).max())

    def numbers(size: int) -> I64:
        return np.zeros(size, dtype=np.int64)

    return Workspace(
        numbers(1), numbers(cells), numbers(cells), numbers(cells), numbers(cells), numbers(cells), np.zeros(cells, dtype=bool),
        numbers(widest), np.zeros(widest + 1, dtype=bool), np.zeros(widest + 1), numbers(rows),
        numbers(d), numbers(d), numbers(d), np.zeros(d, dtype=bool), np.zeros(d), numbers(len(space.nodes) + 1),
    )  # fmt: skip


@compiled
def forgotten(space: Space, work: Workspace) -> None:
    """Starts new extents."""
    work.token[0] += 1
    work.low[:] = 0
    work.high[:] = 0
    work.distinct[:] = 0
    work.has_null[:] = False


@compiled
def covered_between(table: I32, start: int, end: int, space: Space, work: Workspace) -> None:
    """Lets new extents cover the rows start..end; column by column, without a branch per row where values are in order."""
    token = work.token[0]
    for j in range(len(space.kind)):
        if space.kind[j] == SET:
            base, distinct = space.offset[j], 0
            for row in range(start, end):
                at = base + table[row, j]
                if work.mark[at] != token:
                    work.mark[at] = token
                    distinct += 1
            work.distinct[j] = distinct
            continue
        least, low, high = _NO_CELL, _NO_CELL, 0
        for row in range(start, end):
            cell = table[row, j]
            least = min(least, cell)
            low = min(low, cell if cell else _NO_CELL)
            high = max(high, cell)
        work.low[j], work.high[j], work.has_null[j] = low if high else 0, high, least == 0


@compiled
def covered(table: I32, rows: I64, space: Space, work: Workspace) -> None:
    """Lets the extents cover these rows too."""
    token = work.token[0]
    for j in range(len(space.kind)):
        if space.kind[j] == SET:
            base, distinct = space.offset[j], 0
            for row in rows:
                at = base + table[row, j]
                if work.mark[at] != token:
                    work.mark[at] = token
                    distinct += 1
            work.distinct[j] += distinct
            continue
        low, high, has_null = work.low[j], work.high[j], work.has_null[j]
        for row in rows:
            cell = table[row, j]
            if cell == 0:
                has_null = True
            else:
                low = cell if high == 0 else min(low, cell)
                high = max(high, cell)
        work.low[j], work.high[j], work.has_null[j] = low, high, has_null


@compiled
def penalties(space: Space, work: Workspace) -> float:
    """The extents' penalty per dimension, written to `work.width`, and their sum."""
    total = 0.0
    for j in range(len(space.kind)):
        work.width[j] = penalty(space, j, work.low[j], work.high[j], work.distinct[j], work.has_null[j])
        total += work.width[j]
    return total

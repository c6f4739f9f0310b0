"""Local recoding by regrouping: Mondrian's classes, improved row by row until no single change loses less.

Classes that a tree makes never overlap, which costs detail. Here rows move to the class where they cost least, classes
are dissolved into their neighbours and large ones cut again, in the manner of k-member clustering (Byun et al. 2007)
with local search; every change keeps the model. Blocks of neighbouring classes are improved one by one, so that the work
grows with the rows and not with their square.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.cutting import BY_LOSS, NO_CUT, best_cut
from kveil.privacy.demand import Demand, Tally, added, cleared, is_lasting, met
from kveil.privacy.extents import Workspace
from kveil.privacy.jit import compiled
from kveil.privacy.space import SET, Space, penalty

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]
F64 = NDArray[np.float64]
Flags = NDArray[np.bool_]

_PASSES = 12
_WORTH = 1e-9
_NOWHERE = -1


class Block(NamedTuple):
    """Classes as extents [c, d], their members [c, cell of a set], size and summed penalty, and a linked list of rows."""

    low: I64
    high: I64
    distinct: I64
    has_null: Flags
    holds: Flags
    size: I64
    loss: F64
    first: I64
    following: I64
    class_of: I64


@compiled
def _empty_block(classes: int, rows: int, space: Space) -> Block:
    d = len(space.kind)
    return Block(
        np.zeros((classes, d), dtype=np.int64), np.zeros((classes, d), dtype=np.int64), np.zeros((classes, d), dtype=np.int64),
        np.zeros((classes, d), dtype=np.bool_), np.zeros((classes, _set_cells(space)), dtype=np.bool_),
        np.zeros(classes, dtype=np.int64), np.zeros(classes), np.full(classes, _NOWHERE, dtype=np.int64),
        np.full(rows, _NOWHERE, dtype=np.int64), np.full(rows, _NOWHERE, dtype=np.int64),
    )  # fmt: skip


@compiled
def _set_cells(space: Space) -> int:
    """How many cells all sets have together; theirs are numbered by `_set_cell`."""
    number = 0
    for j in range(len(space.kind)):
        if space.kind[j] == SET:
            number += space.offset[j + 1] - space.offset[j]
    return number


@compiled
def regrouped(table: I32, class_of: I64, classes: int, space: Space, demand: Demand, tally: Tally, work: Workspace) -> I64:
    """Better classes for the rows of one block, from 0; `class_of` are its classes so far, each of which meets the model."""
    # Half as many classes again leave room for those that are cut in two.
    block = _empty_block(classes + classes // 2 + 1, len(table), space)
    used = classes
    for row in range(len(table)):
        _joined(row, class_of[row], table, space, block)
    for c in range(classes):
        _measured(c, table, space, block)
    for _ in range(_PASSES):
        before = (block.loss * block.size).sum()
        for row in range(len(table)):
            _move(row, table, used, space, demand, tally, block)
        for c in range(used):
            _dissolve(c, table, used, space, demand, tally, block)
        for c in range(used):
            used += _split(c, used, table, space, demand, tally, work, block)
        if before - (block.loss * block.size).sum() <= 1e-3 * before:
            break
    return block.class_of


@compiled
def summed_loss(table: I32, class_of: I64, classes: int, space: Space) -> float:
    """The penalty of all rows under these classes."""
    block = _empty_block(classes, len(table), space)
    for row in range(len(table)):
        _joined(row, class_of[row], table, space, block)
    return float((block.loss * block.size).sum())


@compiled
def _joined(row: int, c: int, table: I32, space: Space, block: Block) -> None:
    """Puts the row into the class, extents and all; the class's loss is measured anew."""
    block.class_of[row], block.following[row] = c, block.first[c]
    block.first[c] = row
    block.size[c] += 1
    _extended(table, row, c, space, block)
    block.loss[c] = _penalty_with(table, row, c, space, block, np.inf)


@compiled
def _extended(table: I32, row: int, c: int, space: Space, block: Block) -> None:
    start = 0
    for j in range(len(space.kind)):
        cell = table[row, j]
        if space.kind[j] == SET:
            if not block.holds[c, start + cell]:
                block.holds[c, start + cell] = True
                block.distinct[c, j] += 1
            start += space.offset[j + 1] - space.offset[j]
        elif cell == 0:
            block.has_null[c, j] = True
        else:
            block.low[c, j] = cell if block.high[c, j] == 0 else min(block.low[c, j], cell)
            block.high[c, j] = max(block.high[c, j], cell)


@compiled
def _measured(c: int, table: I32, space: Space, block: Block) -> None:
    """Extents and loss of a class from its rows."""
    block.low[c], block.high[c], block.distinct[c], block.loss[c] = 0, 0, 0, 0.0
    block.has_null[c] = False
    block.holds[c] = False
    row = block.first[c]
    while row != _NOWHERE:
        _extended(table, row, c, space, block)
        row = block.following[row]
    if block.size[c]:
        block.loss[c] = _penalty_with(table, block.first[c], c, space, block, np.inf)


@compiled
def _left(row: int, table: I32, space: Space, block: Block) -> None:
    """Takes the row out of its class."""
    c = block.class_of[row]
    if block.first[c] == row:
        block.first[c] = block.following[row]
    else:
        at = block.first[c]
        while block.following[at] != row:
            at = block.following[at]
        block.following[at] = block.following[row]
    block.size[c] -= 1
    block.class_of[row] = _NOWHERE
    _measured(c, table, space, block)


@compiled
def _penalty_with(table: I32, row: int, c: int, space: Space, block: Block, limit: float) -> float:
    """The class's summed penalty with one more row; any value above `limit` once it is exceeded."""
    total, start = 0.0, 0
    for j in range(len(space.kind)):
        cell = table[row, j]
        if space.kind[j] == SET:
            distinct = block.distinct[c, j] + (not block.holds[c, start + cell])
            start += space.offset[j + 1] - space.offset[j]
            if distinct > 1:
                total += distinct / (space.span[j] + 1)
        else:
            low, high, has_null = block.low[c, j], block.high[c, j], block.has_null[c, j]
            if cell == 0:
                has_null = True
            else:
                low = cell if high == 0 else min(low, cell)
                high = max(high, cell)
            total += penalty(space, j, low, high, 0, has_null)
        if total > limit:
            return total
    return total


@compiled
def _cheapest(table: I32, row: int, other_than: int, budget: float, used: int, space: Space, block: Block) -> tuple[int, float]:
    """The class that takes the row at the least cost below `budget`, and that cost; _NOWHERE if there is none."""
    best, least = _NOWHERE, budget
    for c in range(used):
        size = block.size[c]
        if c == other_than or size == 0 or block.loss[c] >= least:
            continue
        now = size * block.loss[c]
        limit = (least + now) / (size + 1)
        after = _penalty_with(table, row, c, space, block, limit)
        if after < limit:
            best, least = c, (size + 1) * after - now
    return best, least


@compiled
def _meets(c: int, table: I32, space: Space, demand: Demand, tally: Tally, block: Block) -> bool:
    cleared(tally, demand)
    added(table, _rows_of(c, block), len(space.kind), tally, demand)
    return met(tally, demand)


@compiled
def _rows_of(c: int, block: Block) -> I64:
    rows, row = np.empty(block.size[c], dtype=np.int64), block.first[c]
    for i in range(len(rows)):
        rows[i] = row
        row = block.following[row]
    return rows


@compiled
def _move(row: int, table: I32, used: int, space: Space, demand: Demand, tally: Tally, block: Block) -> None:
    """Moves the row to another class where that loses less and both classes keep the model."""
    source = block.class_of[row]
    if block.loss[source] == 0 or block.size[source] <= demand.k:
        return
    before = block.size[source] * block.loss[source]
    _left(row, table, space, block)
    gain = before - block.size[source] * block.loss[source]
    target = source
    if _meets(source, table, space, demand, tally, block):
        found, _ = _cheapest(table, row, source, gain - _WORTH, used, space, block)
        if found != _NOWHERE:
            target = found
    _joined(row, target, table, space, block)
    if target != source and not is_lasting(demand) and not _meets(target, table, space, demand, tally, block):
        _left(row, table, space, block)
        _joined(row, source, table, space, block)


@compiled
def _dissolve(c: int, table: I32, used: int, space: Space, demand: Demand, tally: Tally, block: Block) -> None:
    """Spreads a class over others where that loses less and all of them keep the model."""
    size, budget = block.size[c], block.size[c] * block.loss[c] - _WORTH
    if budget <= 0:
        return
    rows = _rows_of(c, block)
    spent, placed = 0.0, 0
    while placed < size:
        target, cost = _cheapest(table, rows[placed], c, budget - spent, used, space, block)
        if target == _NOWHERE:
            break
        _left(rows[placed], table, space, block)
        _joined(rows[placed], target, table, space, block)
        spent += cost
        placed += 1
    kept = placed == size
    if kept and not is_lasting(demand):
        for i in range(size):
            kept = kept and _meets(block.class_of[rows[i]], table, space, demand, tally, block)
    if not kept:
        for i in range(placed):
            _left(rows[i], table, space, block)
            _joined(rows[i], c, table, space, block)


@compiled
def _split(c: int, used: int, table: I32, space: Space, demand: Demand, tally: Tally, work: Workspace, block: Block) -> int:
    """Cuts a class in two, the second being number `used`, if an allowed cut loses less; how many classes that adds."""
    size = block.size[c]
    if size < 2 * demand.k or block.loss[c] == 0 or used == len(block.size):
        return 0
    rows = _rows_of(c, block)
    # In the layout that cuts are made for, so that they are compiled once.
    own = np.empty((table.shape[1], size), dtype=np.int32).T
    for column in range(table.shape[1]):
        for i in range(size):
            own[i, column] = table[rows[i], column]
    j, _ = best_cut(own, 0, size, space, demand, tally, work, BY_LOSS)
    if j == NO_CUT:
        return 0
    for i in range(size):
        if not work.is_left[space.offset[j] + own[i, j]]:
            _left(rows[i], table, space, block)
            _joined(rows[i], used, table, space, block)
    return 1

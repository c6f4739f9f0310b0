"""The cut of one node: its columns' values in an order, which places between them are allowed, and which is best."""

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.demand import Demand, Tally, added, cleared, is_lasting, met
from kveil.privacy.extents import Workspace, covered, covered_between, forgotten, penalties
from kveil.privacy.jit import compiled
from kveil.privacy.space import LABEL, ORDERED, OUTSIDE, PERSON, SET, TAXONOMY, Space

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]

BY_WIDTH, BY_LOSS, BY_LABEL = 0, 1, 2
PLACES = (0.3, 0.5, 0.7)
"""Shares of the rows near which loss and label look for a cut: looking everywhere loses more later, by uneven cuts."""
_AT_ONCE = 64
"""Rows that are counted before the model is asked: in a large node so many mostly meet it."""
NO_CUT = -1


@compiled
def best_cut(
    table: I32, start: int, end: int, space: Space, demand: Demand, tally: Tally, work: Workspace, criterion: int
) -> tuple[int, int]:
    """Dimension and number of cells (the first of `work.cells`, marked in `work.is_left`) that go left; NO_CUT if none."""
    d = len(space.kind)
    forgotten(space, work)
    covered_between(table, start, end, space, work)
    penalties(space, work)
    width = work.width.copy()
    dimensions = np.argsort(-width, kind="mergesort")
    dimensions = dimensions[width[dimensions] > 0]
    if criterion == BY_WIDTH:
        return _first_by_width(table, start, end, dimensions, space, demand, tally, work)
    best, chosen, place = np.inf, NO_CUT, 0
    for i in range(len(dimensions)):
        j = dimensions[i]
        found, score = _best_place(table, start, end, j, space, demand, tally, work, criterion)
        if found != NO_CUT and score < best:
            best, chosen, place = score, j, found
    if chosen == NO_CUT:
        return NO_CUT, 0
    if criterion == BY_LABEL and not best < _label_entropy(table, start, end, d) - 1e-9:
        return _first_by_width(table, start, end, dimensions, space, demand, tally, work)
    number = _in_order(table, start, end, chosen, space, work, criterion)
    _sided(chosen, number, place, space, work)
    return chosen, place


@compiled
def moved_apart(table: I32, start: int, end: int, j: int, space: Space, work: Workspace, spare: I32) -> int:
    """Reorders rows start..end so that those going left come first, each side in its old order; where the right begins."""
    base, size, left = space.offset[j], end - start, 0
    for row in range(start, end):
        left += work.is_left[base + table[row, j]]
    to_left, to_right = 0, left
    for row in range(start, end):
        if work.is_left[base + table[row, j]]:
            work.order[to_left] = row
            to_left += 1
        else:
            work.order[to_right] = row
            to_right += 1
    for column in range(table.shape[1]):
        for i in range(size):
            spare[i] = table[work.order[i], column]
        for i in range(size):
            table[start + i, column] = spare[i]
    return start + left


@compiled
def _in_order(table: I32, start: int, end: int, j: int, space: Space, work: Workspace, criterion: int) -> int:
    """How many different cells the rows have in dimension j; writes them to `work.cells` in the order that is cut."""
    d, base, number = len(space.kind), space.offset[j], 0
    work.token[0] += 1
    for row in range(start, end):
        cell = table[row, j]
        at = base + cell
        if work.mark[at] != work.token[0]:
            work.mark[at] = work.token[0]
            work.released[at] = work.rows[at] = work.positive[at] = 0
            work.cells[number] = cell
            number += 1
        work.rows[at] += 1
        if not table[row, d + OUTSIDE]:
            work.released[at] += 1
            work.positive[at] += table[row, d + LABEL]
    cells = work.cells[:number]
    cells.sort()
    if space.kind[j] == SET and criterion == BY_LABEL:
        counts = np.maximum(work.released[base + cells], 1)
        cells = cells[np.argsort(work.positive[base + cells] / counts, kind="mergesort")]
    elif space.kind[j] == SET:
        # The most frequent first, so that a cut parts few common from many rare ones.
        cells = cells[np.argsort(-work.released[base + cells], kind="mergesort")]
    elif space.kind[j] == TAXONOMY:
        cells = _by_child(cells, j, space, work)
    if space.kind[j] != ORDERED:
        work.cells[:number] = cells
    return number


@compiled
def _by_child(cells: I64, j: int, space: Space, work: Workspace) -> I64:
    """Ascending cells regrouped by the child of their lowest common ancestor, the most frequent child first; null last."""
    base, nodes = space.offset[j], space.nodes[space.node_offset[j] : space.node_offset[j + 1]]
    known = cells[cells > 0]
    if known.size < 2:
        return cells[::-1].copy()
    first, last = space.position[base + known[0]], space.position[base + known[-1]]
    child_of = np.zeros(known.size, dtype=np.int64)
    ancestor = nodes[first, 3]
    while nodes[ancestor, 2] < last:
        ancestor = nodes[ancestor, 0]
    work.child[:] = 0
    for i in range(known.size):
        node = nodes[space.position[base + known[i]], 3]
        while nodes[node, 0] != ancestor:
            node = nodes[node, 0]
        child_of[i] = node
        work.child[node] += work.released[base + known[i]]
    ordered = known[np.argsort(-work.child[child_of] * len(nodes) + child_of, kind="mergesort")]
    return np.concatenate((ordered, cells[cells == 0]))


@compiled
def _sided(j: int, number: int, place: int, space: Space, work: Workspace) -> None:
    for i in range(number):
        work.is_left[space.offset[j] + work.cells[i]] = i < place


@compiled
def _first_by_width(
    table: I32, start: int, end: int, dimensions: I64, space: Space, demand: Demand, tally: Tally, work: Workspace
) -> tuple[int, int]:
    """The cut nearest the median of the widest dimension that has an allowed one."""
    for i in range(len(dimensions)):
        j = dimensions[i]
        number = _in_order(table, start, end, j, space, work, BY_WIDTH)
        place = _nearest(j, number, 0.5, False, space, work)
        _sided(j, number, place, space, work)
        # Large nodes nearly always allow this one: a look at few rows tells, without sorting any.
        if _side_meets(table, start, end, j, True, space, demand, tally, work) and _side_meets(
            table, start, end, j, False, space, demand, tally, work
        ):
            return j, place
        _sort_rows(table, start, end, j, number, space, work)
        _sweep(table, j, number, space, demand, tally, work, BY_WIDTH)
        place = _nearest(j, number, 0.5, True, space, work)
        if place != NO_CUT:
            _sided(j, number, place, space, work)
            return j, place
    return NO_CUT, 0


@compiled
def _nearest(j: int, number: int, share: float, only_allowed: bool, space: Space, work: Workspace) -> int:
    base, total, released, cells, allowed = space.offset[j], 0, work.released, work.cells, work.allowed
    for i in range(number):
        total += released[base + cells[i]]
    best, nearest, before = NO_CUT, np.inf, 0
    for place in range(1, number):
        before += released[base + cells[place - 1]]
        if only_allowed and not allowed[place]:
            continue
        distance = abs(before - total * share)
        if distance < nearest:
            best, nearest = place, distance
        elif before > total * share:
            break
    return best


@compiled
def _side_meets(
    table: I32, start: int, end: int, j: int, left: bool, space: Space, demand: Demand, tally: Tally, work: Workspace
) -> bool:
    d, base, lasting, order, is_left = len(space.kind), space.offset[j], is_lasting(demand), work.order, work.is_left
    cleared(tally, demand)
    waiting = 0
    for row in range(start, end):
        if is_left[base + table[row, j]] == left:
            order[waiting] = row
            waiting += 1
        if waiting == _AT_ONCE or row == end - 1:
            added(table, order[:waiting], d, tally, demand)
            waiting = 0
            if lasting and met(tally, demand):
                return True
    return met(tally, demand)


@compiled
def _sort_rows(table: I32, start: int, end: int, j: int, number: int, space: Space, work: Workspace) -> None:
    """Writes the rows' numbers to `work.order`, in the order of `work.cells`."""
    base, before = space.offset[j], 0
    for i in range(number):
        work.slot[base + work.cells[i]] = before
        before += work.rows[base + work.cells[i]]
    for row in range(start, end):
        at = base + table[row, j]
        work.order[work.slot[at]] = row
        work.slot[at] += 1


@compiled
def _best_place(
    table: I32, start: int, end: int, j: int, space: Space, demand: Demand, tally: Tally, work: Workspace, criterion: int
) -> tuple[int, float]:
    """The allowed place of the lowest score along one dimension, and that score."""
    number = _in_order(table, start, end, j, space, work, criterion)
    _sort_rows(table, start, end, j, number, space, work)
    _sweep(table, j, number, space, demand, tally, work, criterion)
    best, lowest = NO_CUT, np.inf
    for share in PLACES:
        place = _nearest(j, number, share, True, space, work)
        if place != NO_CUT and work.score[place] < lowest:
            best, lowest = place, work.score[place]
    return best, lowest


@compiled
def _sweep(table: I32, j: int, number: int, space: Space, demand: Demand, tally: Tally, work: Workspace, criterion: int) -> None:
    """Per place between cells: whether both sides are allowed, and by what score (the lower the better)."""
    work.allowed[:number] = True
    work.score[:number] = 0.0
    for backwards in (False, True):
        _sweep_one_way(table, j, number, backwards, space, demand, tally, work, criterion)


@compiled
def _sweep_one_way(
    table: I32, j: int, number: int, backwards: bool, space: Space, demand: Demand, tally: Tally, work: Workspace, criterion: int
) -> None:
    d, base, lasting, k = len(space.kind), space.offset[j], is_lasting(demand), demand.k
    cells, rows_of, order, allowed, people, seen = work.cells, work.rows, work.order, work.allowed, tally.number, tally.person
    # Where only people are asked for, they are counted here: a step is mostly a row or two, and a call takes longer than that.
    only_people = lasting and len(demand.distinct) == 0
    cleared(tally, demand)
    if criterion == BY_LOSS:
        forgotten(space, work)
    token = tally.token[0]
    is_met, rows, positive, at, total = False, 0, 0, 0, 0
    for i in range(number):
        total += rows_of[base + cells[i]]
    for step in range(number - 1):
        i = number - 1 - step if backwards else step
        cell, place = base + cells[i], i if backwards else i + 1
        size = rows_of[cell]
        new = order[total - at - size : total - at] if backwards else order[at : at + size]
        at += size
        if only_people:
            if not is_met:
                for row in new:
                    if not table[row, d + OUTSIDE] and seen[table[row, d + PERSON]] != token:
                        seen[table[row, d + PERSON]] = token
                        people[0] += 1
                is_met = people[0] >= k
        elif not (lasting and is_met):
            added(table, new, d, tally, demand)
            # Most places fail for want of people; asking for the rest of the model means handing over many arrays.
            is_met = people[0] >= k and met(tally, demand)
        allowed[place] &= is_met
        if criterion == BY_WIDTH:
            continue
        rows += work.released[cell]
        positive += work.positive[cell]
        if criterion == BY_LOSS:
            covered(table, new, space, work)
            work.score[place] += rows * penalties(space, work)
        else:
            work.score[place] += _entropy(rows, positive)


@compiled
def _entropy(rows: int, positive: int) -> float:
    """Rows times the entropy of their labels, in nats."""
    if positive == 0 or positive == rows:
        return 0.0
    share = positive / rows
    return float(-rows * (share * np.log(share) + (1 - share) * np.log(1 - share)))


@compiled
def _label_entropy(table: I32, start: int, end: int, d: int) -> float:
    rows, positive = 0, 0
    for row in range(start, end):
        if not table[row, d + OUTSIDE]:
            rows += 1
            positive += table[row, d + LABEL]
    return _entropy(rows, positive)

"""Mondrian multidimensional partitioning that counts people, not rows.

LeFevre, DeWitt, Ramakrishnan 2006, "Mondrian multidimensional k-anonymity", with three differences: a cut is allowed
only where both sides hold at least k distinct people (and the sensitive columns' distinct values); when the median is
no such cut, the nearest one is taken; unordered columns are cut into sets of categories.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.tree import LEAF, Tree

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]


@dataclass(frozen=True)
class Model:
    """What every class must hold: k distinct people, and per sensitive column so many distinct values."""

    k: int
    distinct: tuple[int, ...] = ()


@dataclass(frozen=True)
class Fragment:
    """Rows to partition: codes [n, d], person numbers [n], sensitive codes [n, s]; per dimension whether it is a set
    and the span that widths are measured against.
    """

    codes: I64
    people: I64
    sensitive: I64
    is_set: tuple[bool, ...]
    span: tuple[int, ...]


def partition(fragment: Fragment, model: Model) -> tuple[I32, Tree] | None:
    """Each row's class number and the tree that assigns it; None when even the whole fragment breaks the model.

    Every class satisfies the model; no class can be cut further by a single allowed cut along any dimension.
    """
    everything = np.arange(len(fragment.codes))
    if not _holds(fragment, model, everything):
        return None
    builder = _Builder()
    classes = np.empty(len(fragment.codes), dtype=np.int32)
    stack = [(builder.node(), everything)]
    while stack:
        node, rows = stack.pop()
        cut = _best_cut(fragment, model, rows)
        if cut is None:
            classes[rows] = builder.close(node)
            continue
        left, right = builder.split(node, cut)
        stack.append((right, cut.right))
        stack.append((left, cut.left))
    return classes, builder.tree()


@dataclass(frozen=True)
class _Cut:
    dimension: int
    threshold: int
    members: I64 | None
    left: I64
    right: I64


def _best_cut(fragment: Fragment, model: Model, rows: I64) -> _Cut | None:
    """The allowed cut of the widest dimension that has one."""
    if len(rows) < 2 * model.k:
        return None
    for dimension in _by_width(fragment, rows):
        cut = _cut_along(fragment, model, rows, dimension)
        if cut is not None:
            return cut
    return None


def _by_width(fragment: Fragment, rows: I64) -> Iterator[int]:
    """Dimensions in which the rows differ, widest first (as a share of the whole table's span)."""
    codes = fragment.codes[rows]
    highest = codes.max(axis=0)
    lowest = codes.min(axis=0)
    widths = []
    for dimension in np.flatnonzero(highest > lowest):
        column = codes[:, dimension]
        if fragment.is_set[dimension]:
            width = np.unique(column).size - 1
        else:
            # A null beside other values is one more cell, not a distance of 2**62.
            known = column[column > _NULL_LIMIT]
            width = known.max() - known.min() + (known.size < column.size) if known.size else 0
        widths.append((-width / fragment.span[dimension], int(dimension)))
    return (dimension for _, dimension in sorted(widths))


_NULL_LIMIT = -(2**60)


def _cut_along(fragment: Fragment, model: Model, rows: I64, dimension: int) -> _Cut | None:
    column = fragment.codes[rows, dimension]
    rank = _rank_by_frequency(column) if fragment.is_set[dimension] else column
    order = np.argsort(rank, kind="stable")
    boundaries = np.flatnonzero(np.diff(rank[order])) + 1
    position = _nearest_allowed(fragment, model, rows[order], boundaries)
    if position is None:
        return None
    left, right = order[:position], order[position:]
    members = np.unique(column[left]) if fragment.is_set[dimension] else None
    return _Cut(dimension, int(column[left[-1]]), members, rows[np.sort(left)], rows[np.sort(right)])


def _rank_by_frequency(column: I64) -> I64:
    """Each category's place when the most frequent comes first, so that a cut parts few common from many rare ones."""
    values, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
    place = np.empty(len(values), dtype=np.int64)
    place[np.lexsort((values, -counts))] = np.arange(len(values))
    return place[inverse]


def _nearest_allowed(fragment: Fragment, model: Model, ordered: I64, boundaries: I64) -> int | None:
    """The boundary nearest the middle of the ordered rows at which both sides satisfy the model."""
    if not boundaries.size:
        return None
    middle = len(ordered) / 2
    nearest = boundaries[np.argmin(np.abs(boundaries - middle))]
    # Large nodes nearly always allow the median: looking at a few rows of each side is enough to know.
    if _surely_holds(fragment, model, ordered[:nearest]) and _surely_holds(fragment, model, ordered[nearest:]):
        return int(nearest)
    allowed = boundaries[_holds_at(fragment, model, ordered, boundaries)]
    return int(allowed[np.argmin(np.abs(allowed - middle))]) if allowed.size else None


def _holds(fragment: Fragment, model: Model, rows: I64) -> bool:
    if _distinct(fragment.people[rows]) < model.k:
        return False
    return all(_distinct(fragment.sensitive[rows, i]) >= need for i, need in enumerate(model.distinct))


def _surely_holds(fragment: Fragment, model: Model, rows: I64) -> bool:
    return _holds(fragment, model, rows[:: max(1, len(rows) // (8 * model.k))])


def _distinct(values: I64) -> int:
    return int(np.unique(values).size)


def _holds_at(fragment: Fragment, model: Model, ordered: I64, boundaries: I64) -> NDArray[np.bool_]:
    """Per boundary whether the rows before it and the rows from it on both satisfy the model; exact."""
    allowed = _enough_on_both_sides(fragment.people[ordered], boundaries, model.k)
    for i, need in enumerate(model.distinct):
        allowed &= _enough_on_both_sides(fragment.sensitive[ordered, i], boundaries, need)
    return allowed


def _enough_on_both_sides(values: I64, boundaries: I64, need: int) -> NDArray[np.bool_]:
    size = len(values)
    _, first = np.unique(values, return_index=True)
    _, first_from_end = np.unique(values[::-1], return_index=True)
    if len(first) < need:
        return np.zeros(len(boundaries), dtype=bool)
    # The need-th new value from the left ends the shortest allowed left side; likewise from the right.
    shortest_left = np.partition(first, need - 1)[need - 1] + 1
    shortest_right = np.partition(first_from_end, need - 1)[need - 1] + 1
    return (boundaries >= shortest_left) & (boundaries <= size - shortest_right)


@dataclass
class _Builder:
    dimension: list[int] = field(default_factory=list)
    threshold: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    leaf: list[int] = field(default_factory=list)
    members: list[tuple[int, I64]] = field(default_factory=list)
    closed: int = 0

    def node(self) -> int:
        for column, value in (
            (self.dimension, LEAF),
            (self.threshold, 0),
            (self.left, LEAF),
            (self.right, LEAF),
            (self.leaf, LEAF),
        ):
            column.append(value)
        return len(self.dimension) - 1

    def close(self, node: int) -> int:
        self.leaf[node] = self.closed
        self.closed += 1
        return self.leaf[node]

    def split(self, node: int, cut: _Cut) -> tuple[int, int]:
        self.dimension[node] = cut.dimension
        self.threshold[node] = cut.threshold
        if cut.members is not None:
            self.members.append((node, cut.members))
        self.left[node], self.right[node] = self.node(), self.node()
        return self.left[node], self.right[node]

    def tree(self) -> Tree:
        nodes = [np.full(len(codes), node, dtype=np.int32) for node, codes in self.members]
        codes = [codes for _, codes in self.members]
        return Tree(
            np.array(self.dimension, dtype=np.int32),
            np.array(self.threshold, dtype=np.int64),
            np.array(self.left, dtype=np.int32),
            np.array(self.right, dtype=np.int32),
            np.array(self.leaf, dtype=np.int32),
            np.concatenate([np.empty(0, dtype=np.int32), *nodes]),
            np.concatenate([np.empty(0, dtype=np.int64), *codes]),
        )

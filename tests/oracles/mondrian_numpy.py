"""Mondrian in vectorised numpy: an independent second writing of the kernel, which must give the same classes.

It knows k, distinct sensitive values, ordered and set columns, and the cuts `width` and `loss`.

LeFevre, DeWitt, Ramakrishnan 2006, "Mondrian multidimensional k-anonymity", with three differences: a cut is allowed
only where both sides hold at least k distinct people (and the sensitive columns' distinct values); when the median is
no such cut, the nearest one is taken; unordered columns are cut into sets of categories.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from kveil.privacy.tree import LEAF, Tree
from numpy.typing import NDArray

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]


Fragment = Any


@dataclass(frozen=True)
class Model:
    k: int
    distinct: tuple[int, ...] = ()
    cuts: str = "width"


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
    """The allowed cut that the model prefers: the first one by width, or the one of least loss."""
    if len(rows) < 2 * model.k:
        return None
    cuts = (cut for dimension in _by_width(fragment, rows) for cut in _cuts_along(fragment, model, rows, dimension))
    if model.cuts == "width":
        return next(cuts, None)
    return min(cuts, key=lambda cut: _loss(fragment, cut.left) + _loss(fragment, cut.right), default=None)


def _by_width(fragment: Fragment, rows: I64) -> Iterator[int]:
    """Dimensions in which the rows differ, widest first (as a share of the whole table's span)."""
    return (dimension for _, dimension in sorted((-width, dimension) for dimension, width in _widths(fragment, rows)))


def _widths(fragment: Fragment, rows: I64) -> Iterator[tuple[int, float]]:
    """The dimensions in which the rows differ, each with its normalized certainty penalty (Xu et al. 2006): range by
    span for ordered columns, held by all values for sets.
    """
    codes = fragment.codes[rows]
    for dimension in np.flatnonzero(codes.max(axis=0) > codes.min(axis=0)):
        column = codes[:, dimension]
        if fragment.is_set[dimension]:
            yield int(dimension), np.unique(column).size / (fragment.span[dimension] + 1)
        else:
            # A null beside other values is one more cell, not a distance of 2**62.
            known = column[column > _NULL_LIMIT]
            yield int(dimension), (int(known.max() - known.min()) + (known.size < column.size)) / fragment.span[dimension]


_NULL_LIMIT = -(2**60)


def _loss(fragment: Fragment, rows: I64) -> float:
    """What generalizing these rows to one class costs: the sum of its widths, once per row (GCP without its constants)."""
    return len(rows) * sum(width for _, width in _widths(fragment, rows))


def _cuts_along(fragment: Fragment, model: Model, rows: I64, dimension: int) -> Iterator[_Cut]:
    """The allowed cuts of one dimension that are nearest its median or, where loss decides, also nearest its sides."""
    column = fragment.codes[rows, dimension]
    rank = _rank_by_frequency(column) if fragment.is_set[dimension] else column
    order = np.argsort(rank, kind="stable")
    boundaries = np.flatnonzero(np.diff(rank[order])) + 1
    places = (0.5,) if model.cuts == "width" else (0.3, 0.5, 0.7)
    for position in sorted(_allowed_near(fragment, model, rows[order], boundaries, places)):
        left, right = order[:position], order[position:]
        members = np.unique(column[left]) if fragment.is_set[dimension] else None
        yield _Cut(dimension, int(column[left[-1]]), members, rows[np.sort(left)], rows[np.sort(right)])


def _rank_by_frequency(column: I64) -> I64:
    """Each category's place when the most frequent comes first, so that a cut parts few common from many rare ones."""
    values, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
    place = np.empty(len(values), dtype=np.int64)
    place[np.lexsort((values, -counts))] = np.arange(len(values))
    return place[inverse]


def _allowed_near(fragment: Fragment, model: Model, ordered: I64, boundaries: I64, places: tuple[float, ...]) -> set[int]:
    """Per place (a share of the ordered rows) the nearest boundary at which both sides satisfy the model; maybe none."""
    if not boundaries.size:
        return set()
    nearest = {_nearest(boundaries, place * len(ordered)) for place in places}
    # Large nodes nearly always allow these: looking at a few rows of each side is enough to know.
    if all(_surely_holds(fragment, model, side) for at in nearest for side in (ordered[:at], ordered[at:])):
        return nearest
    allowed = boundaries[_holds_at(fragment, model, ordered, boundaries)]
    return {_nearest(allowed, place * len(ordered)) for place in places} if allowed.size else set()


def _nearest(positions: I64, target: float) -> int:
    return int(positions[np.argmin(np.abs(positions - target))])


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

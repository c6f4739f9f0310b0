"""Local recoding: classes that may overlap, which lose less detail than a tree's; see `regroup` for how they are made."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.coding import NULL
from kveil.privacy.models import Model
from kveil.privacy.mondrian import Ground, Grown, ground, grown_on, in_row_order, tree_of
from kveil.privacy.regroup import regrouped
from kveil.privacy.space import Fragment
from kveil.privacy.tree import Tree

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]
F64 = NDArray[np.float64]

CLASSES_PER_BLOCK = 500
"""How many classes compete for a row: the work per row grows with it, the loss falls ever more slowly."""
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Boxes:
    """Classes as boxes; `tree` sends a row to a block of them, in which it belongs to the box that grows least by it.

    Box c is low[c]..high[c] per ordered dimension (NULL: none) and, of sets, the codes of its rows of `member`
    [., 3]: class, dimension, code. Block b holds the classes start[b]..start[b + 1].
    """

    tree: Tree
    block_of_leaf: I32
    start: I64
    low: I64
    high: I64
    has_null: NDArray[np.bool_]
    member: I64
    is_set: NDArray[np.bool_]
    span: I64

    @property
    def classes(self) -> int:
        """How many boxes."""
        return len(self.low)

    def leaf_of(self, codes: I64) -> I32:
        """The class number of each row of codes [n, d]: of equal growth, the smallest box. A released row's own never grows."""
        block = self.block_of_leaf[self.tree.leaf_of(codes)]
        found = np.empty(len(codes), dtype=np.int32)
        for b in np.unique(block):
            rows = np.flatnonzero(block == b)
            for part in np.array_split(rows, len(rows) // _ROWS_AT_ONCE + 1):
                found[part] = self._nearest(codes[part], int(self.start[b]), int(self.start[b + 1]))
        return found

    def _nearest(self, codes: I64, first: int, end: int) -> I64:
        growth, size = np.zeros((len(codes), end - first)), np.zeros(end - first)
        for j in range(codes.shape[1]):
            more, own = self._in_set(codes[:, j], j, first, end) if self.is_set[j] else self._in_range(codes[:, j], j, first, end)
            growth += more
            size += own
        # Growth decides; the size of the box only among equals.
        return first + np.argmin(np.round(growth, 9) + size * 1e-12, axis=1)

    def _in_range(self, codes: I64, j: int, first: int, end: int) -> tuple[F64, F64]:
        low, high, null = self.low[first:end, j], self.high[first:end, j], self.has_null[first:end, j]
        held = high != NULL
        own = np.where(held, high - low, 0) / self.span[j]
        column, missing = codes[:, None], (codes == NULL)[:, None]
        beyond = np.maximum(np.maximum(low - column, column - high), 0) / self.span[j]
        # A box of nulls alone, or a null outside a box: one cell more.
        more = np.where(missing, ~null / self.span[j], np.where(held, beyond, 1 / self.span[j]))
        return more, own

    def _in_set(self, codes: I64, j: int, first: int, end: int) -> tuple[F64, F64]:
        mine = self.member[(self.member[:, 0] >= first) & (self.member[:, 0] < end) & (self.member[:, 1] == j)]
        values, index = np.unique(mine[:, 2], return_inverse=True)
        holds = np.zeros((end - first, len(values) + 1), dtype=bool)
        holds[mine[:, 0] - first, index] = True
        at = np.minimum(np.searchsorted(values, codes), len(values) - 1)
        at = np.where(values[at] == codes, at, len(values))
        return ~holds.T[at] / (self.span[j] + 1), holds.sum(axis=1) / (self.span[j] + 1)


def recoded(fragment: Fragment, model: Model) -> tuple[I32, Boxes] | None:
    """Each row's class number and the boxes; None when even the whole fragment breaks the model.

    Every class satisfies the model. Equal rows may stand in different classes.
    """
    base = ground(fragment, model)
    grown = grown_on(base, replace(model, cuts="loss"))
    if grown is None:
        return None
    blocks = len(grown.ends) // CLASSES_PER_BLOCK + 1
    block_of_leaf = (np.arange(len(grown.ends)) * blocks // len(grown.ends)).astype(np.int32)
    classes, start = _regrouped(base, grown, block_of_leaf, blocks)
    boxes = _boxes(fragment, grown, in_row_order(grown.table, classes, fragment), block_of_leaf, start)
    return in_row_order(grown.table, classes, fragment), boxes


def _regrouped(base: Ground, grown: Grown, block_of_leaf: I32, blocks: int) -> tuple[I64, I64]:
    """The classes of the table's rows, block by block, and where each block's classes begin."""
    begins = np.concatenate([[0], grown.ends[:-1]])
    seeds = np.repeat(np.arange(len(grown.ends)), grown.ends - begins)
    classes, start = np.empty(len(grown.table), dtype=np.int64), np.zeros(blocks + 1, dtype=np.int64)
    for b in range(blocks):
        of_block = np.flatnonzero(block_of_leaf == b)
        rows = slice(begins[of_block[0]], grown.ends[of_block[-1]])
        found = regrouped(grown.table[rows], seeds[rows] - of_block[0], len(of_block), *base[1:])
        numbers, local = np.unique(found, return_inverse=True)
        classes[rows] = local + start[b]
        start[b + 1] = start[b] + len(numbers)
    return classes, start


def _boxes(fragment: Fragment, grown: Grown, classes: I32, block_of_leaf: I32, start: I64) -> Boxes:
    codes, (n, d) = fragment.codes, fragment.codes.shape
    count = int(start[-1])
    is_set = np.array(fragment.is_set)
    low, high = np.full((count, d), np.iinfo(np.int64).max), np.full((count, d), NULL)
    has_null = np.zeros((count, d), dtype=bool)
    members = [np.empty((0, 3), dtype=np.int64)]
    for j in range(d):
        column, known = codes[:, j], codes[:, j] != NULL
        has_null[classes[~known], j] = True
        np.minimum.at(low[:, j], classes[known], column[known])
        np.maximum.at(high[:, j], classes[known], column[known])
        if is_set[j]:
            held = np.unique(np.column_stack([classes, np.full(n, j), column]), axis=0)
            members.append(held.astype(np.int64))
    low = np.where(high == NULL, NULL, low)
    return Boxes(
        tree_of(grown), block_of_leaf, start, low, high, has_null, np.concatenate(members), is_set, np.array(fragment.span)
    )

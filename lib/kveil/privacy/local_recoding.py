"""Local recoding: classes that may overlap, which lose less detail than a tree's; see `regroup` for how they are made."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.coding import NULL
from kveil.privacy.ladder import climbed
from kveil.privacy.models import Model
from kveil.privacy.mondrian import Ground, ground, grown_on, in_row_order, partition
from kveil.privacy.regroup import regrouped, summed_loss
from kveil.privacy.space import ROW, Fragment
from kveil.privacy.tree import ONE_LEAF, Tree

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]
F64 = NDArray[np.float64]

PEOPLE_PER_BLOCK, TIMES_K = 16_384, 300
"""A block's least people, and in times of k: seeds are found in all of it, and a served row is compared with all its boxes."""
CLASSES_AT_ONCE = 600
"""How many classes compete for a row: the work grows with it, the loss falls ever more slowly."""
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Boxes:
    """Classes as boxes. The leaves of `tree` are blocks of them; of a row's block, its class is the box that grows least by it.

    Box c is low[c]..high[c] per ordered dimension or taxonomy (NULL: none); of sets it holds the codes in `member` [., 3]:
    class, dimension, code. Block b holds the classes start[b]..start[b + 1].
    """

    tree: Tree
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
        block = self.tree.leaf_of(codes)
        found = np.empty(len(codes), dtype=np.int32)
        for b in np.unique(block):
            rows = np.flatnonzero(block == b)
            for part in np.array_split(rows, len(rows) // _ROWS_AT_ONCE + 1):
                growth, size = self._growth(codes[part], int(self.start[b]), int(self.start[b + 1]))
                # Growth decides; the size of the box only among equals.
                found[part] = self.start[b] + np.argmin(growth + size * 1e-12, axis=1)
        return found

    def fitting(self, codes: I64) -> tuple[I64, I64]:
        """Every pair of a row of codes [n, d] and a class that it fits, whose box holds it: index of the row, class number."""
        block = self.tree.leaf_of(codes)
        rows, classes = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
        for b in np.unique(block):
            here = np.flatnonzero(block == b)
            for part in np.array_split(here, len(here) // _ROWS_AT_ONCE + 1):
                row, box = np.nonzero(self._growth(codes[part], int(self.start[b]), int(self.start[b + 1]))[0] == 0)
                rows.append(part[row])
                classes.append(self.start[b] + box)
        return np.concatenate(rows), np.concatenate(classes)

    def _growth(self, codes: I64, first: int, end: int) -> tuple[F64, F64]:
        """By how much each box of a block grows to hold each row [n, boxes], and how large each is, in shares of the space."""
        growth, size = np.zeros((len(codes), end - first)), np.zeros(end - first)
        for j in range(codes.shape[1]):
            more, own = self._in_set(codes[:, j], j, first, end) if self.is_set[j] else self._in_range(codes[:, j], j, first, end)
            growth += more
            size += own
        return np.round(growth, 9), size

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
    blocks = partition(fragment, replace(model, k=max(PEOPLE_PER_BLOCK, TIMES_K * model.k), cuts="loss"))
    if blocks is None and grown_on(ground(fragment, model), model) is None:
        return None
    block, tree = blocks or (np.zeros(len(fragment.codes), dtype=np.int32), ONE_LEAF)
    classes, start = np.empty(len(fragment.codes), dtype=np.int32), np.zeros(tree.classes + 1, dtype=np.int64)
    for b in range(tree.classes):
        rows = np.flatnonzero(block == b)
        found = _of_block(_part(fragment, rows), model)
        classes[rows] = found + start[b]
        start[b + 1] = start[b] + found.max() + 1
    return classes, _boxes(fragment, tree, classes, start)


def _part(fragment: Fragment, rows: I64) -> Fragment:
    people = np.unique(fragment.people[rows], return_inverse=True)[1]
    label = fragment.label[rows] if fragment.label.size else fragment.label
    return replace(
        fragment,
        codes=fragment.codes[rows],
        people=people,
        sensitive=fragment.sensitive[rows],
        label=label,
        outside=np.empty(0, dtype=bool),
    )


def _of_block(block: Fragment, model: Model) -> I64:
    """A block's classes: the better of Mondrian's and those of climbing levels, regrouped."""
    base = ground(block, model)
    grown = grown_on(base, replace(model, cuts="loss"))
    assert grown is not None  # a block satisfies the model
    seeds = np.repeat(np.arange(len(grown.ends)), np.diff(grown.ends, prepend=0))
    # Regrouping looks at whole rows, here and there.
    table = np.ascontiguousarray(grown.table)
    other = climbed(block, model)
    if other is not None:
        other = other[table[:, block.codes.shape[1] + ROW]]
        seeds = min(seeds, other, key=lambda classes: summed_loss(table, classes, int(classes.max()) + 1, base.space))
    return in_row_order(table, _improved(seeds, base._replace(table=table)), block).astype(np.int64)


def _improved(seeds: I64, base: Ground) -> I64:
    """Regrouped classes, from 0, of the table's rows; those whose rows lie near in Mondrian's order are regrouped together."""
    count = int(seeds.max()) + 1
    centre = np.bincount(seeds, np.arange(len(seeds)), minlength=count) / np.bincount(seeds, minlength=count)
    better, made = np.empty(len(seeds), dtype=np.int64), 0
    for near in np.array_split(np.argsort(centre, kind="stable"), count // CLASSES_AT_ONCE + 1):
        number = np.full(count, -1)
        number[near] = np.arange(len(near))
        rows = np.flatnonzero(number[seeds] >= 0)
        found = regrouped(base.table[rows], number[seeds[rows]], len(near), *base[1:])
        better[rows] = np.unique(found, return_inverse=True)[1] + made
        made = int(better[rows].max()) + 1
    return better


def _boxes(fragment: Fragment, tree: Tree, classes: I32, start: I64) -> Boxes:
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
    for j, taxonomy in enumerate(fragment.taxonomies or ()):
        if taxonomy is not None:
            known = high[:, j] != NULL
            node = taxonomy.lowest_common(np.where(known, low[:, j], 0), np.where(known, high[:, j], 0))
            low[:, j] = np.where(known, taxonomy.first[node], NULL)
            high[:, j] = np.where(known, taxonomy.last[node], NULL)
    return Boxes(tree, start, low, high, has_null, np.concatenate(members), is_set, np.array(fragment.span))

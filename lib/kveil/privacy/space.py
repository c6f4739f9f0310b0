"""A fragment's rows as the kernels read them: small whole numbers in one table, and what each column's cells mean."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.coding import NULL
from kveil.privacy.jit import compiled
from kveil.privacy.taxonomy import Taxonomy

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]
F64 = NDArray[np.float64]
Flags = NDArray[np.bool_]

ORDERED, SET, TAXONOMY = 0, 1, 2
PERSON, ROW, LABEL, OUTSIDE, VALUES = 0, 1, 2, 3, 4
"""Places after the dimensions in a table's row; from VALUES on, per sensitive column its value and its (person, value) pair."""


@dataclass(frozen=True)
class Fragment:
    """Rows to partition: codes [n, d], person numbers [n], sensitive value numbers [n, s]; per dimension whether it is
    a set, the span that widths are measured against and its taxonomy, if any.

    `label` [n] is the training label (0, 1) where cuts follow it. `outside` [n] marks rows of the population table:
    their people are not part of the release, and are numbered apart.
    """

    codes: I64
    people: I64
    sensitive: I64
    is_set: tuple[bool, ...]
    span: tuple[int, ...]
    taxonomies: tuple[Taxonomy | None, ...] = ()
    label: I64 = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    outside: Flags = field(default_factory=lambda: np.empty(0, dtype=bool))


class Space(NamedTuple):
    """What cells mean. Dimension j's cells are 0 (null) and 1.. (its values, ascending); `position` [offset[j] + cell]
    holds their codes, `nodes` [node_offset[j] + node] a taxonomy's parent, first leaf, last leaf and, at a leaf's code,
    that leaf's node.
    """

    kind: I64
    span: I64
    offset: I64
    position: I64
    node_offset: I64
    nodes: I64


def space_and_table(fragment: Fragment) -> tuple[Space, I32]:
    """The fragment's space and its rows [n, d + 4 + 2s] as int32."""
    n, d = fragment.codes.shape
    s = fragment.sensitive.shape[1]
    # Column by column in memory: the loops that grow a tree walk along one column at a time.
    table = np.zeros((n, d + VALUES + 2 * s), dtype=np.int32, order="F")
    positions: list[I64] = []
    for j in range(d):
        table[:, j], values = _cells(fragment.codes[:, j])
        positions.append(values)
    table[:, d + PERSON] = fragment.people
    table[:, d + ROW] = np.arange(n)
    if fragment.label.size:
        table[:, d + LABEL] = fragment.label
    if fragment.outside.size:
        table[:, d + OUTSIDE] = fragment.outside
    pairs = 0
    for i in range(s):
        values = fragment.sensitive[:, i]
        table[:, d + VALUES + 2 * i] = values
        numbers = _pairs(fragment.people, values)
        table[:, d + VALUES + 2 * i + 1] = numbers + pairs
        pairs += int(numbers.max(initial=-1)) + 1
    return _space(fragment, positions), table


def _space(fragment: Fragment, positions: list[I64]) -> Space:
    d = len(positions)
    taxonomies = fragment.taxonomies or (None,) * d
    nodes = [_nodes(taxonomy) for taxonomy in taxonomies]
    kind = [
        TAXONOMY if tree is not None else SET if is_set else ORDERED
        for tree, is_set in zip(taxonomies, fragment.is_set, strict=True)
    ]
    return Space(
        np.array(kind, dtype=np.int64),
        np.array(fragment.span, dtype=np.int64),
        np.cumsum([0, *map(len, positions)]),
        np.concatenate(positions),
        np.cumsum([0, *map(len, nodes)]),
        np.concatenate(nodes),
    )


def _nodes(taxonomy: Taxonomy | None) -> I64:
    if taxonomy is None:
        return np.empty((0, 4), dtype=np.int64)
    nodes = np.zeros((len(taxonomy.parent), 4), dtype=np.int64)
    nodes[:, 0], nodes[:, 1], nodes[:, 2] = taxonomy.parent, taxonomy.first, taxonomy.last
    nodes[: len(taxonomy.leaf_node), 3] = taxonomy.leaf_node
    return nodes


def _cells(codes: I64) -> tuple[I32, I64]:
    """Each code's cell and each cell's code; near codes are ranked by a map of what is there, far ones by sorting."""
    known = codes != NULL
    if not known.any():
        return np.zeros(len(codes), dtype=np.int32), np.array([NULL])
    low, high = int(codes[known].min()), int(codes.max())
    if high - low <= 4 * len(codes) + 1024:
        there = np.zeros(high - low + 1, dtype=bool)
        there[codes[known] - low] = True
        cell = np.cumsum(there, dtype=np.int32)
        cells = np.where(known, cell[np.where(known, codes - low, 0)], 0)
        return cells.astype(np.int32), np.concatenate([[NULL], np.flatnonzero(there) + low])
    values, inverse = np.unique(codes[known], return_inverse=True)
    cells = np.zeros(len(codes), dtype=np.int32)
    cells[known] = inverse + 1
    return cells, np.concatenate([[NULL], values])


def _pairs(people: I64, values: I64) -> I64:
    """The number of each row's pair (person, value), from 0."""
    pairs: I64 = np.unique(people * (int(values.max(initial=0)) + 1) + values, return_inverse=True)[1]
    return pairs


@compiled
def penalty(space: Space, j: int, low: int, high: int, distinct: int, has_null: bool) -> float:
    """The normalized certainty penalty (Xu et al. 2006) of dimension j where cells without null run from low to high (0:
    none) or, for sets, are so many: range by span, held by all values, leaves below the lowest common ancestor.

    A null beside other values counts as one more.
    """
    kind = space.kind[j]
    if kind == SET:
        return distinct / (space.span[j] + 1) if distinct > 1 else 0.0
    if high == 0 or (low == high and not has_null):
        return 0.0
    base = space.offset[j]
    first, last = space.position[base + low], space.position[base + high]
    if kind == ORDERED:
        return (last - first + has_null) / space.span[j]
    tree = space.node_offset[j]
    node = space.nodes[tree + first, 3]
    while space.nodes[tree + node, 2] < last:
        node = space.nodes[tree + node, 0]
    return (space.nodes[tree + node, 2] - space.nodes[tree + node, 1] + has_null) / space.span[j]

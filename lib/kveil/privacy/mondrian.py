"""Mondrian multidimensional partitioning that counts people, not rows.

LeFevre, DeWitt, Ramakrishnan 2006, "Mondrian multidimensional k-anonymity", with three differences: a cut is allowed
only where both sides satisfy the model; when the median is no such cut, the nearest one is taken; unordered columns are
cut into sets of categories, taxonomies between the children of the lowest common ancestor first.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.cutting import BY_LABEL, BY_LOSS, BY_WIDTH, NO_CUT, best_cut, moved_apart
from kveil.privacy.demand import Demand, Tally, added, cleared, demand, may_be_cut, met, tally
from kveil.privacy.extents import Workspace, workspace
from kveil.privacy.jit import compiled
from kveil.privacy.models import Model
from kveil.privacy.space import ORDERED, ROW, Fragment, Space, space_and_table
from kveil.privacy.tree import LEAF, Tree

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]

_CRITERIA = {"width": BY_WIDTH, "loss": BY_LOSS, "label": BY_LABEL}


def partition(fragment: Fragment, model: Model) -> tuple[I32, Tree] | None:
    """Each row's class number and the tree that assigns it; None when even the whole fragment breaks the model.

    Every class satisfies the model; no class can be cut further by a single allowed cut of an ordered dimension.
    Deterministic: equal rows share a class whatever their order.
    """
    grown = grown_on(ground(fragment, model), model)
    if grown is None:
        return None
    sizes = np.diff(grown.ends, prepend=0)
    return in_row_order(grown.table, np.repeat(np.arange(len(sizes)), sizes), fragment), tree_of(grown)


class Ground(NamedTuple):
    """A fragment and a model as the loops take them, with their working memory."""

    table: I32
    space: Space
    demand: Demand
    tally: Tally
    work: Workspace


def ground(fragment: Fragment, model: Model) -> Ground:
    """The fragment prepared for partitioning."""
    space, table = space_and_table(fragment)
    asked = demand(model, tuple(int(column.max(initial=-1)) + 1 for column in fragment.sensitive.T))
    pairs = int(table[:, -1].max(initial=-1)) + 1 if fragment.sensitive.size else 0
    return Ground(
        table, space, asked, tally(asked, int(fragment.people.max(initial=-1)) + 1, pairs), workspace(space, len(table))
    )


def in_row_order(table: I32, classes: I64, fragment: Fragment) -> I32:
    """Classes of the table's rows, as they lie now, in the fragment's order of rows."""
    ordered = np.empty(len(table), dtype=np.int32)
    ordered[table[:, fragment.codes.shape[1] + ROW]] = classes
    return ordered


class Grown(NamedTuple):
    """The table's rows in the order of their classes and where each class ends; nodes [m, 5]: dimension, threshold, left,
    right, class; members [., 2]: node, code.
    """

    table: I32
    nodes: I64
    members: I64
    ends: I64


def grown_on(ground: Ground, model: Model) -> Grown | None:
    """Mondrian's classes and tree, or None when even the whole fragment breaks the model; reorders the ground's table."""
    return _grown(*ground, _CRITERIA[model.cuts])


@compiled
def _grown(table: I32, space: Space, demand: Demand, tally: Tally, work: Workspace, criterion: int) -> Grown | None:
    """Cuts depth first, leaving the table's rows in the order of their classes."""
    n, d = len(table), len(space.kind)
    cleared(tally, demand)
    added(table, np.arange(n), d, tally, demand)
    if not met(tally, demand):
        return None
    spare = np.empty(n, dtype=np.int32)
    nodes = np.full((2 * (n // demand.k) + 1, 5), LEAF, dtype=np.int64)
    members = np.empty((64, 2), dtype=np.int64)
    ends = np.empty(n // demand.k + 1, dtype=np.int64)
    stack = np.empty((64 + len(nodes), 3), dtype=np.int64)
    stack[0] = (0, 0, n)
    waiting, used, held, classes = 1, 1, 0, 0
    while waiting:
        waiting -= 1
        node, start, end = stack[waiting]
        j, place = NO_CUT, 0
        if may_be_cut(table, start, end, d, tally, demand):
            j, place = best_cut(table, start, end, space, demand, tally, work, criterion)
        if j == NO_CUT:
            nodes[node, 4] = classes
            ends[classes] = end
            classes += 1
            continue
        base = space.offset[j]
        nodes[node, 0], nodes[node, 1], nodes[node, 2], nodes[node, 3] = (
            j,
            space.position[base + work.cells[place - 1]],
            used,
            used + 1,
        )
        if space.kind[j] != ORDERED:
            while held + place > len(members):
                members = np.concatenate((members, np.empty_like(members)))
            for i in range(place):
                members[held] = (node, space.position[base + work.cells[i]])
                held += 1
        middle = moved_apart(table, start, end, j, space, work, spare)
        stack[waiting] = (used + 1, middle, end)
        stack[waiting + 1] = (used, start, middle)
        waiting += 2
        used += 2
    return Grown(table, nodes[:used], members[:held], ends[:classes])


def tree_of(grown: Grown) -> Tree:
    """The tree that sends any row to its class."""
    nodes, members = grown.nodes, grown.members
    # Members are listed ascending per node, so that the tree does not tell how frequent they are.
    members = members[np.lexsort((members[:, 1], members[:, 0]))]
    dimension, threshold, left, right, leaf = nodes.T
    return Tree(
        dimension.astype(np.int32), threshold.copy(), left.astype(np.int32), right.astype(np.int32), leaf.astype(np.int32),
        members[:, 0].astype(np.int32), members[:, 1].copy(),
    )  # fmt: skip

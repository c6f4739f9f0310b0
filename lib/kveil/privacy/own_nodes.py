"""A hierarchy cut down to the nodes that k of a partition's people hold.

Its leaves are the lowest such nodes. A value below none of them goes where the first of those goes that the nearest node
above it covers: so whoever has a tree's cuts knows of nodes that k people hold, and of no others.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.coding import Coding
from kveil.privacy.grain import holders
from kveil.privacy.taxonomy import Taxonomy

I64 = NDArray[np.int64]
Flags = NDArray[np.bool_]


def own_taxonomy(given: Coding, codes: I64, known: I64, who: I64, k: int) -> tuple[Coding, I64]:
    """The coding by the partition's own nodes, and the rows' codes in it; `known` are the codes that `who` holds."""
    taxonomy = given.taxonomy
    assert taxonomy is not None  # the caller's condition
    lowest = _lowest_common_nodes(taxonomy, known, who, k)
    own = Taxonomy.of_paths([_path(taxonomy, node) for node in lowest.tolist()])
    first_under = _first_under(taxonomy, lowest)
    of_leaf = _routes(given, taxonomy, lowest, first_under)
    coding = replace(
        given,
        values=own.leaf_names,
        highest=own.leaves - 1,
        taxonomy=own,
        cells=_cells(given, taxonomy, lowest),
        other=int(of_leaf[given.other]) if given.other >= 0 else -1,
        routes=_named_routes(given, taxonomy, first_under, of_leaf),
        sizes=_sizes(_leaf_sizes(given, taxonomy, lowest, known), own),
    )
    return coding, np.where(codes >= 0, of_leaf[np.maximum(codes, 0)], codes)


def _lowest_common_nodes(taxonomy: Taxonomy, known: I64, who: I64, k: int) -> I64:
    """The nodes that k people hold and none of whose children k people hold, in the order of leaves; else the root."""
    people = np.zeros(len(taxonomy.parent), dtype=np.int64)
    held = holders(taxonomy.leaf_node[known].astype(np.int64), who)
    for _ in range(taxonomy.levels):
        people[held.values] = held.people
        above = taxonomy.parent[held.values].astype(np.int64)
        held = holders(np.repeat(above, held.people), held.person)
    common = people >= k
    has_common_child = np.zeros(len(people), dtype=bool)
    inner = np.flatnonzero(common[1:]) + 1
    has_common_child[taxonomy.parent[inner]] = True
    lowest = np.flatnonzero(common & ~has_common_child)
    return lowest[np.argsort(taxonomy.first[lowest], kind="stable")] if len(lowest) else np.zeros(1, dtype=np.int64)


def _path(taxonomy: Taxonomy, node: int) -> list[str]:
    """Names from a leaf's depth up to the root: a node that is no leaf stands for itself on the levels below."""
    names = [taxonomy.names[node]]
    while node:
        node = int(taxonomy.parent[node])
        names.append(taxonomy.names[node])
    return [names[0]] * (taxonomy.levels - len(names)) + names


def _first_under(taxonomy: Taxonomy, lowest: I64) -> I64:
    """Per node the place of the first of the lowest nodes that it covers; -1 where it covers none."""
    found = np.full(len(taxonomy.parent), -1, dtype=np.int64)
    for place in range(len(lowest) - 1, -1, -1):
        node = int(lowest[place])
        found[node] = place
        while node:
            node = int(taxonomy.parent[node])
            found[node] = place
    return found


def _routes(given: Coding, taxonomy: Taxonomy, lowest: I64, first_under: I64) -> I64:
    """Per leaf the place of the node that it goes with; numbers and days go with the nearest node below, or the first."""
    if not given.is_text:
        starts = taxonomy.first[lowest]
        return np.maximum(np.searchsorted(starts, np.arange(taxonomy.leaves), side="right") - 1, 0)
    node = taxonomy.leaf_node.copy()
    while (without := first_under[node] < 0).any():
        node = np.where(without, taxonomy.parent[node], node)
    return first_under[node]


def _cells(given: Coding, taxonomy: Taxonomy, lowest: I64) -> tuple[tuple[int, int], ...]:
    if given.is_text:
        return ()
    ends = zip(taxonomy.first[lowest].tolist(), taxonomy.last[lowest].tolist(), strict=True)
    return tuple((given.cells[first][0], given.cells[last][1]) for first, last in ends)


def _named_routes(given: Coding, taxonomy: Taxonomy, first_under: I64, of_leaf: I64) -> dict[str, int]:
    """Where texts go: of a prefix the forms that k people share, else all leaves of the list."""
    if not given.is_text:
        return {}
    if given.prefix is not None:
        return {taxonomy.names[node]: int(first_under[node]) for node in np.flatnonzero(first_under >= 0).tolist()}
    return dict(zip(taxonomy.leaf_names, of_leaf.tolist(), strict=True))


def _leaf_sizes(given: Coding, taxonomy: Taxonomy, nodes: I64, known: I64) -> I64:
    """For how many values each node stands: all of a list or grid, of a prefix those that the partition's people hold."""
    if given.prefix is None:
        return taxonomy.sizes[nodes]
    there = np.zeros(taxonomy.leaves + 1, dtype=np.int64)
    there[np.unique(known[known >= 0]) + 1] = 1
    summed = np.cumsum(there)
    return np.asarray(summed[taxonomy.last[nodes] + 1] - summed[taxonomy.first[nodes]])


def _sizes(of_leaves: I64, own: Taxonomy) -> tuple[int, ...]:
    """For how many values each of its own nodes stands: those of its leaves together."""
    summed = np.concatenate([[0], np.cumsum(of_leaves)])
    return tuple((summed[own.last + 1] - summed[own.first]).tolist())

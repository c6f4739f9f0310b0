"""Generalization hierarchies as trees whose leaves are numbered so that every node is one range of leaf numbers.

Ranges make a hierarchy as cheap as an ordered column: the node of a class follows from its lowest and highest leaf.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kveil.errors import ContractError
from kveil.settings.hierarchies import path_problems, rooted

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Taxonomy:
    """A tree of named nodes, node 0 the root, each node before its children; all leaves lie equally deep.

    Node i covers the leaves `first[i]`..`last[i]`; leaf j is node `leaf_node[j]`; the root is its own parent. A value
    that stays itself over several levels is a chain of nodes of one name. A name stands for one set of leaves.
    """

    names: tuple[str, ...]
    parent: I32
    first: I32
    last: I32
    leaf_node: I32

    @classmethod
    def of_paths(cls, paths: Sequence[Sequence[str]]) -> "Taxonomy":
        """From rows as ARX's files have them: a leaf first, then its ancestors, the top last; a root is added where
        there are several tops. Siblings keep their order of appearance. ContractError when the rows are no tree.
        """
        rows = rooted(list(dict.fromkeys(tuple(path) for path in paths)))
        problem = next(path_problems(rows), None)
        if problem is not None:
            raise ContractError(f"hierarchy: {problem}")
        names: list[str] = []
        parent: list[int] = []
        leaf_node: list[int] = []
        before: tuple[str, ...] = ()
        open_nodes: list[int] = []
        for path in _in_tree_order(rows):
            same = next((i for i, (old, new) in enumerate(zip(before, path, strict=False)) if old != new), len(before))
            del open_nodes[same:]
            for name in path[same:]:
                parent.append(open_nodes[-1] if open_nodes else 0)
                open_nodes.append(len(names))
                names.append(name)
            leaf_node.append(open_nodes[-1])
            before = path
        return cls._of_nodes(tuple(names), np.array(parent, dtype=np.int32))

    @classmethod
    def _of_nodes(cls, names: tuple[str, ...], parent: I32) -> "Taxonomy":
        """From nodes in depth-first order."""
        size = len(names)
        is_leaf = np.ones(size, dtype=bool)
        is_leaf[parent[1:]] = False
        leaf_node = np.flatnonzero(is_leaf).astype(np.int32)
        # Depth-first order: a node's leaves are those from its own number up to its last descendant's.
        end = np.arange(size)
        for node in range(size - 1, 0, -1):
            end[parent[node]] = max(end[parent[node]], end[node])
        first = np.searchsorted(leaf_node, np.arange(size)).astype(np.int32)
        last = (np.searchsorted(leaf_node, end, side="right") - 1).astype(np.int32)
        return cls(names, parent, first, last, leaf_node)

    @property
    def leaves(self) -> int:
        """How many leaves."""
        return len(self.leaf_node)

    @cached_property
    def leaf_names(self) -> tuple[str, ...]:
        """The leaves' names, by leaf number."""
        return tuple(self.names[node] for node in self.leaf_node)

    @cached_property
    def sizes(self) -> I64:
        """How many leaves each node covers."""
        return self.last.astype(np.int64) - self.first + 1

    @cached_property
    def levels(self) -> int:
        """How many levels: level 0 are the leaves, level `levels - 1` is the root."""
        count, node = 1, int(self.leaf_node[0])
        while node:
            count, node = count + 1, int(self.parent[node])
        return count

    def ancestor_at(self, level: int) -> I32:
        """Each leaf's ancestor so many levels up, as node numbers [leaves]; the root from the top level on."""
        node = self.leaf_node
        for _ in range(level):
            node = self.parent[node]
        return node

    def lowest_common(self, low: NDArray[Any], high: NDArray[Any]) -> I32:
        """The smallest node that covers the leaves low[i]..high[i], for each i; low <= high."""
        node = self.leaf_node[low]
        while (outside := self.last[node] < high).any():
            node = np.where(outside, self.parent[node], node)
        return node

    def node_named(self, name: str) -> int | None:
        """The node of a name (the deepest of a chain), or None."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, int]:
        return {name: node for node, name in enumerate(self.names)}

    def names_under(self, node: int) -> tuple[str, ...]:
        """The names of the leaves that a node covers."""
        return self.leaf_names[self.first[node] : self.last[node] + 1]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Taxonomy) and self.names == other.names and bool(np.array_equal(self.parent, other.parent))

    def __hash__(self) -> int:
        return hash(self.names)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {"names": list(self.names), "parent": self.parent.tolist()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Taxonomy":
        """The taxonomy that `to_dict` described."""
        return cls._of_nodes(tuple(values["names"]), np.array(values["parent"], dtype=np.int32))


def _in_tree_order(paths: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Root-first paths, sorted so that each node's leaves are neighbours and siblings stand as they first appeared."""
    seen: dict[tuple[int, str], int] = {}
    for path in paths:
        for level, name in enumerate(path):
            seen.setdefault((level, name), len(seen))
    ordered = sorted(paths, key=lambda path: [seen[level, path[level]] for level in range(len(path) - 1, -1, -1)])
    return [path[::-1] for path in ordered]

"""The partition tree: sends any coded row to its class, the same way the release did."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]
LEAF = -1


@dataclass(frozen=True)
class Tree:
    """Nodes as arrays, node 0 the root. An inner node sends a row left when its code in `dimension` is at most
    `threshold` (ordered) or among the node's members (sets); a leaf has dimension LEAF and a class number.
    """

    dimension: I32
    threshold: I64
    left: I32
    right: I32
    leaf: I32
    member_node: I32
    member_code: I64

    @property
    def classes(self) -> int:
        """How many leaves."""
        return int(self.leaf.max()) + 1

    def leaf_of(self, codes: I64) -> I32:
        """The class number of each row of codes [n, d]."""
        node = np.zeros(len(codes), dtype=np.int32)
        active = np.flatnonzero(self.dimension[node] != LEAF)
        members = _MemberLookup(self)
        while active.size:
            at = node[active]
            value = codes[active, self.dimension[at]]
            goes_left = np.where(members.has[at], members.contains(at, value), value <= self.threshold[at])
            node[active] = np.where(goes_left, self.left[at], self.right[at])
            active = active[self.dimension[node[active]] != LEAF]
        return self.leaf[node]


_NONE32, _NONE64 = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64)
_LEAF32 = np.array([LEAF], dtype=np.int32)
ONE_LEAF = Tree(_LEAF32, np.zeros(1, dtype=np.int64), _LEAF32, _LEAF32, np.zeros(1, dtype=np.int32), _NONE32, _NONE64)
"""The tree of a single class."""


class _MemberLookup:
    def __init__(self, tree: Tree) -> None:
        self.has = np.zeros(len(tree.dimension), dtype=bool)
        self.has[tree.member_node] = True
        # Category codes are small: null becomes 0, unlisted (-1) becomes 1, the rest follow.
        self._width = int(tree.member_code.max(initial=0)) + 3
        self._keys = np.sort(self._key(tree.member_node, tree.member_code))

    def _key(self, node: I32, code: I64) -> I64:
        return node.astype(np.int64) * self._width + np.clip(code, -2, self._width - 3) + 2

    def contains(self, node: I32, code: I64) -> NDArray[np.bool_]:
        """Whether each code is a member at its node."""
        if not self._keys.size:
            return np.zeros(len(node), dtype=bool)
        keys = self._key(node, code)
        found = self._keys[np.minimum(np.searchsorted(self._keys, keys), self._keys.size - 1)] == keys
        return found & (code < self._width - 2)

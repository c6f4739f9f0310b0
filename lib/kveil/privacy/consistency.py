"""Noisy totals that add up: groups and the totals above them, each drawn with noise of its own, made consistent.

The estimates are the weighted least squares solution, the best linear unbiased one, and cost no privacy. Hay, Rastogi, Miklau
and Suciu 2010, "Boosting the accuracy of differentially private histograms through consistency", for levels of unequal
noise: upwards each total is averaged with the sum of its children, downwards what is missing is shared among the children.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.noise_sum import Error, NoiseSum, Part
from kveil.privacy.sensitivity import Noise

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Tree:
    """Levels, coarsest first: a node of level i has `fans[i]` children, and its own draw has `noises[i]`.

    There may be several trees of the same shape beside each other; the children of a node are neighbours.
    """

    fans: tuple[int, ...]
    noises: tuple[Noise, ...]

    def consistent(self, drawn: Sequence[F64]) -> list[F64]:
        """The estimates of each level's nodes [nodes, items] from what was drawn: a node's is the sum of its children's."""
        trust = self._trust
        upward = [drawn[-1]]
        for level in reversed(range(len(self.fans))):
            summed = _summed(upward[0], self.fans[level])
            upward.insert(0, trust[level] * drawn[level] + (1 - trust[level]) * summed)
        found = [upward[0]]
        for level, fan in enumerate(self.fans):
            missing = (found[level] - _summed(upward[level + 1], fan)) / fan
            found.append(upward[level + 1] + np.repeat(missing, fan, axis=0))
        return found

    @property
    def errors(self) -> tuple[Error, ...]:
        """How far the estimates of each level stray."""
        return _errors(self)

    @property
    def _trust(self) -> list[float]:
        """Per level the weight of a node's own draw against the sum of its children's estimates from below; 1 for leaves."""
        found, below = [1.0], self.noises[-1].standard_error ** 2
        for fan, noise in zip(reversed(self.fans), reversed(self.noises[:-1]), strict=True):
            own, summed = noise.standard_error**2, fan * below
            found.insert(0, summed / (own + summed))
            below = own * summed / (own + summed)
        return found

    def weights(self) -> list[dict[tuple[int, int], float]]:
        """Of the estimate of a node per level, the weight of every draw by its kind: how deep it and the node have a common
        ancestor, and how deep it is itself.
        """
        kinds = [(common, own) for own in range(len(self.noises)) for common in range(own + 1)]
        found = [{(common, own): self._upward(0, own) for common, own in kinds}]
        for level, fan in enumerate(self.fans):
            found.append({kind: found[level][kind] / fan + self._downward(level + 1, kind) for kind in kinds})
        return found

    def _downward(self, level: int, kind: tuple[int, int]) -> float:
        """What a child at `level` has of a draw besides its share of the parent's estimate."""
        common, own = kind
        if own < level or common < level - 1:
            return 0.0
        return self._upward(level, own) * ((common >= level) - 1 / self.fans[level - 1])

    def _upward(self, level: int, own: int) -> float:
        """The weight of a draw at depth `own` in the upward estimate of its ancestor at `level`."""
        trust = self._trust
        return trust[own] * prod(1 - trust[i] for i in range(level, own))

    def times(self, kind: tuple[int, int]) -> int:
        """How many draws are of a kind, seen from one leaf."""
        common, own = kind
        return 1 if common == own else (self.fans[common] - 1) * prod(self.fans[common + 1 : own])


@cache
def _errors(tree: Tree) -> tuple[Error, ...]:
    if not tree.fans:
        return tree.noises
    return tuple(NoiseSum(tuple(_parts(tree, level))) for level in range(len(tree.noises)))


def _parts(tree: Tree, level: int) -> Iterator[Part]:
    for kind, weight in tree.weights()[level].items():
        # Below the node's own depth all draws of its subtree are of one sort, whichever leaf the others are seen from.
        if weight and tree.times(kind):
            yield Part(weight, tree.times(kind), tree.noises[kind[1]])


def _summed(children: F64, fan: int) -> F64:
    return children.reshape(-1, fan, children.shape[1]).sum(axis=1)

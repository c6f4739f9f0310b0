"""The best of all level vectors of full-domain generalization, found without looking at most of them.

Samarati 2001 and LeFevre et al. 2005 (Incognito) prune by monotonicity: what is unsafe stays unsafe when generalized
less. Kohlmayer et al. 2012 (Flash) decide whole chains by bisection. Here both, and a bound that makes the loss with
suppressed rows, which is not monotone, searchable exactly.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
Levels = tuple[int, ...]

MOST_NODES = 2_000_000


@dataclass(frozen=True)
class Checked:
    """What one level vector gives: the rows it must suppress, and its mean loss with a suppressed row's loss as 1."""

    suppressed: int
    loss: float


@dataclass(frozen=True)
class Optimum:
    """The level vector of least loss among those that suppress no more rows than allowed, and how many were checked."""

    levels: Levels
    suppressed: int
    loss: float
    checked: int


def optimal(penalties: Sequence[F64], check: Callable[[Levels], Checked], most_suppressed: int) -> Optimum | None:
    """The exact optimum over levels 0..len(penalties[i])-1 of each dimension i; None when even the top suppresses too much.

    penalties[i][l] is the mean over all rows of dimension i's loss at level l: from 0 to 1, never falling with l. A row's
    loss is the mean over dimensions. Three facts about v <= w make the search exact: w suppresses a subset of v's rows;
    the loss without suppression g rises from v to w; and what suppression adds, loss - g = the mean over rows of
    [suppressed] * (1 - row's loss), falls from v to w. So loss(v) >= g(v) + (loss(w) - g(w)) for every checked w >= v.
    ValueError when the lattice has more than MOST_NODES nodes.
    """
    shape = tuple(len(each) for each in penalties)
    if prod(shape) > MOST_NODES:
        raise ValueError(f"the lattice has {prod(shape):,} nodes where {MOST_NODES:,} can be searched")
    search = _Search(_without_suppression(penalties), check, most_suppressed)
    while (start := search.most_promising()) is not None:
        search.decide(search.chain_from(start))
    return search.best()


def _without_suppression(penalties: Sequence[F64]) -> F64:
    total: F64 = np.zeros(())
    for each in penalties:
        total = total[..., None] + np.asarray(each, dtype=np.float64) / len(penalties)
    return total


class _Search:
    def __init__(self, base: F64, check: Callable[[Levels], Checked], most_suppressed: int) -> None:
        self._base, self._check, self._most = base, check, most_suppressed
        self._bound = base.copy()
        self._open = np.ones(base.shape, dtype=bool)
        self._safe = np.zeros(base.shape, dtype=bool)
        self._best: tuple[float, Levels, int] | None = None
        self._checked = 0

    def best(self) -> Optimum | None:
        if self._best is None:
            return None
        loss, levels, suppressed = self._best
        return Optimum(levels, suppressed, loss, self._checked)

    def most_promising(self) -> Levels | None:
        """The open node with the least bound, if that is below the best loss."""
        bounds = np.where(self._open, self._bound, np.inf)
        place = np.unravel_index(int(np.argmin(bounds)), bounds.shape)
        worth = bounds[place] < (np.inf if self._best is None else self._best[0])
        return tuple(int(level) for level in place) if worth else None

    def chain_from(self, start: Levels) -> list[Levels]:
        """Ever higher open nodes of unknown safety, each the least bound above the last; a safe start stands alone."""
        chain = [start]
        while not self._safe[chain[-1]]:
            above = [node for node in self._just_above(chain[-1]) if self._open[node] and not self._safe[node]]
            if not above:
                break
            chain.append(min(above, key=lambda node: (float(self._bound[node]), node)))
        return chain

    def _just_above(self, node: Levels) -> list[Levels]:
        shape: Levels = self._open.shape
        return [(*node[:i], level + 1, *node[i + 1 :]) for i, level in enumerate(node) if level + 1 < shape[i]]

    def decide(self, chain: list[Levels]) -> None:
        """Finds where the chain becomes safe, by bisection, and draws the conclusions."""
        low, high = 0, len(chain) - 1
        while low <= high:
            middle = (low + high) // 2
            if self._conclude(chain[middle]):
                high = middle - 1
            else:
                low = middle + 1

    def _conclude(self, node: Levels) -> bool:
        found = self._check(node)
        self._checked += 1
        below = tuple(slice(0, level + 1) for level in node)
        added = found.loss - float(self._base[node])
        np.maximum(self._bound[below], self._base[below] + added, out=self._bound[below])
        self._open[node] = False
        if found.suppressed > self._most:
            self._open[below] = False
            return False
        self._safe[tuple(slice(level, None) for level in node)] = True
        if self._best is None or (found.loss, node) < self._best[:2]:
            self._best = (found.loss, node, found.suppressed)
        return True

"""Categories joined bottom-up into ever fewer groups, from which a hierarchy is cut."""

import heapq

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

Merges = list[tuple[int, int]]
"""Merge i joins two groups into group n + i, where 0..n-1 are the single categories."""


def by_frequency(counts: F64) -> Merges:
    """The two rarest groups join first (Huffman 1952), so that groups tend to be equally common."""
    heap = [(float(count), number) for number, count in enumerate(counts)]
    heapq.heapify(heap)
    merges: Merges = []
    while len(heap) > 1:
        (few, a), (more, b) = heapq.heappop(heap), heapq.heappop(heap)
        heapq.heappush(heap, (few + more, len(counts) + len(merges)))
        merges.append((a, b))
    return merges


def by_similarity(profiles: F64, counts: F64) -> Merges:
    """Ward's method (1963) on profiles [n, m] weighted by counts: the pair joins whose joint variance grows least.

    Time n^3, memory n^2; equal pairs join in the order of their numbers.
    """
    size = len(counts)
    means, weights = profiles.astype(np.float64).copy(), counts.astype(np.float64).copy()
    number = np.arange(size)
    cost = np.full((size, size), np.inf)
    for row in range(size):
        cost[row, :row] = _growth(means, weights, row)[:row]
    merges: Merges = []
    for _ in range(size - 1):
        b, a = np.unravel_index(int(np.argmin(cost)), cost.shape)
        merges.append((int(number[a]), int(number[b])))
        means[a] = (weights[a] * means[a] + weights[b] * means[b]) / (weights[a] + weights[b])
        weights[a] += weights[b]
        number[a] = size + len(merges) - 1
        cost[b, :], cost[:, b] = np.inf, np.inf
        grown = _growth(means, weights, int(a))
        cost[a, :a] = np.where(np.isinf(cost[a, :a]), np.inf, grown[:a])
        cost[a + 1 :, a] = np.where(np.isinf(cost[a + 1 :, a]), np.inf, grown[a + 1 :])
    return merges


def _growth(means: F64, weights: F64, one: int) -> F64:
    distance = ((means - means[one]) ** 2).sum(axis=1)
    return weights * weights[one] / (weights + weights[one]) * distance


def groups(merges: Merges, left: int) -> I64:
    """Each category's group number when `left` groups are left; groups of fewer are unions of groups of more."""
    size = len(merges) + 1
    root = np.arange(2 * size - 1)
    for i in range(size - left - 1, -1, -1):
        for child in merges[i]:
            root[child] = root[size + i]
    return root[:size]

"""How much a class tells about a sensitive value: l-diversity, t-closeness and beta-likeness, counted over people.

`counts[v]` is the number of distinct (person, value) pairs of a class whose value is v; `reference[v]` is the share of
v among the pairs of the whole table. Values are numbered 0 .. m-1; for the ordered distance by their order.

A tree of values is three arrays: `parent[node]` (greater than node; -1 for the root, which comes last), `height[node]`
(0 for leaves, else 1 + the highest child's) and `node_of_value[v]` (a leaf).

Every function is a plain loop over arrays and scalars, so that numba's nopython mode takes it as it stands: `compiled`.
"""

from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

DISTINCT, ENTROPY, RECURSIVE_C, RECURSIVE_L, T, DISTANCE, BETA = range(7)
"""Places in a rule: the least distinct values and entropy l (0: not asked), recursive c and l (l 0: not asked), the
greatest t (inf: not asked) and its distance, the greatest beta (inf: not asked)."""

EQUAL, ORDERED, HIERARCHICAL = range(3)
"""Distances between two sensitive values: 1, the difference of ranks, the height of the lowest common ancestor."""

ROUNDING = 1e-10
"""Sums of shares are off by less than this; where a threshold is met by equality they must not decide."""


def distinct(counts: I64) -> int:
    """How many values the class holds (Machanavajjhala et al. 2007: distinct l)."""
    held = 0
    for value in range(counts.size):
        if counts[value] > 0:
            held += 1
    return held


def entropy_l(counts: I64) -> float:
    """The exponential of the entropy of the class's values: l equally frequent values give l (Machanavajjhala et al. 2007)."""
    total = counts.sum()
    entropy = 0.0
    for value in range(counts.size):
        if counts[value] > 0:
            share = counts[value] / total
            entropy -= share * np.log(share)
    return np.exp(entropy)


def recursive_c(counts: I64, l: int) -> float:  # noqa: E741 - the name that the literature gives it
    """The bound that c must exceed: r_1 / (r_l + ... + r_m), counts from the greatest down; inf for fewer than l values.

    The class is recursive (c, l)-diverse where r_1 < c (r_l + ... + r_m) (Machanavajjhala et al. 2007).
    """
    ascending = np.sort(counts)
    size = ascending.size
    tail = 0
    for place in range(size - l + 1):
        tail += ascending[place]
    if tail == 0:
        return np.inf
    return ascending[size - 1] / tail


def emd_equal(counts: I64, reference: F64) -> float:
    """Earth mover's distance to the whole table where all values are equally far (Li et al. 2007): half the differences' sum."""
    total = counts.sum()
    moved = 0.0
    for value in range(counts.size):
        moved += abs(counts[value] / total - reference[value])
    return moved / 2


def emd_ordered(counts: I64, reference: F64) -> float:
    """Earth mover's distance where values lie in order, neighbours 1 / (m - 1) apart (Li et al. 2007); 0 for one value."""
    size = counts.size
    if size < 2:
        return 0.0
    total = counts.sum()
    carried = 0.0
    moved = 0.0
    for value in range(size - 1):
        carried += counts[value] / total - reference[value]
        moved += abs(carried)
    return moved / (size - 1)


def emd_hierarchical(counts: I64, reference: F64, parent: I64, height: I64, node_of_value: I64) -> float:
    """Earth mover's distance where two values are as far as their lowest common ancestor is high, the root being 1.

    Li et al. 2007. Each inner node matches what its children have too much with what they lack, at height / H, and hands
    on the rest.
    """
    nodes = parent.size
    highest = height[nodes - 1]
    if highest == 0:
        return 0.0
    total = counts.sum()
    extra = np.zeros(nodes)
    too_much = np.zeros(nodes)
    too_little = np.zeros(nodes)
    for value in range(counts.size):
        extra[node_of_value[value]] += counts[value] / total - reference[value]
    cost = 0.0
    for node in range(nodes):
        cost += height[node] / highest * min(too_much[node], too_little[node])
        above = parent[node]
        if above >= 0:
            extra[above] += extra[node]
            if extra[node] > 0:
                too_much[above] += extra[node]
            else:
                too_little[above] -= extra[node]
    return cost


def beta(counts: I64, reference: F64) -> float:
    """The greatest relative gain (p - q) / q of a value's share over the whole table's: basic beta-likeness.

    Cao and Karras 2012. inf where the class holds a value that the whole table does not.
    """
    total = counts.sum()
    greatest = 0.0
    for value in range(counts.size):
        if counts[value] > 0:
            if reference[value] <= 0:
                return np.inf
            greatest = max(greatest, (counts[value] / total - reference[value]) / reference[value])
    return greatest


# Six flat arguments, since numba's nopython mode knows no dataclass.
def emd(  # noqa: PLR0913, PLR0917
    counts: I64, reference: F64, distance: int, parent: I64, height: I64, node_of_value: I64
) -> float:
    """Earth mover's distance to the whole table by the distance's code."""
    if distance == ORDERED:
        return emd_ordered(counts, reference)
    if distance == HIERARCHICAL:
        return emd_hierarchical(counts, reference, parent, height, node_of_value)
    return emd_equal(counts, reference)


def holds(  # noqa: PLR0913, PLR0917
    counts: I64, reference: F64, rule: F64, parent: I64, height: I64, node_of_value: I64
) -> bool:
    """Whether a class satisfies a rule (see DISTINCT and its neighbours); an empty class does not.

    What a rule does not ask for is not computed; `reference` is read for t and beta, the tree for t over a hierarchy.
    """
    if counts.sum() == 0 or distinct(counts) < rule[DISTINCT]:
        return False
    if rule[ENTROPY] > 0 and entropy_l(counts) < rule[ENTROPY] * (1 - ROUNDING):
        return False
    # The only strict inequality: equality must not pass, so rounding counts against it.
    if rule[RECURSIVE_L] > 0 and recursive_c(counts, int(rule[RECURSIVE_L])) >= rule[RECURSIVE_C] * (1 - ROUNDING):
        return False
    if rule[BETA] < np.inf and beta(counts, reference) > rule[BETA] + ROUNDING:
        return False
    if rule[T] < np.inf:
        return emd(counts, reference, int(rule[DISTANCE]), parent, height, node_of_value) <= rule[T] + ROUNDING
    return True


def compiled(jit: Callable[[Any], Any]) -> Callable[..., bool]:
    """`holds`, and all that it calls, as a compiler such as `numba.njit` makes them; this module's functions stay as they are."""
    scope = dict(globals())
    for function in (distinct, entropy_l, recursive_c, emd_equal, emd_ordered, emd_hierarchical, beta, emd, holds):
        scope[function.__name__] = jit(FunctionType(function.__code__, scope, function.__name__))
    return scope["holds"]

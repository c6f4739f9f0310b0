"""The laws that noise should follow, written down independently of the samplers, and how well draws fit them."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import chisquare

Cdf = Callable[[np.ndarray], np.ndarray]
"""The probability of at most x, for integers x."""


def discrete_laplace(b: float) -> Cdf:
    def at_most(x: np.ndarray) -> np.ndarray:
        outer = np.exp(-np.where(x >= 0, x + 1, -x) / b) / (1 + np.exp(-1 / b))
        return np.where(x >= 0, 1 - outer, outer)

    return at_most


def discrete_gaussian(variance: float) -> Cdf:
    """By summation, out to 12 standard deviations."""
    edge = int(12 * np.sqrt(variance)) + 2
    mass = np.exp(-(np.arange(-edge, edge + 1.0) ** 2) / (2 * variance))
    total = np.cumsum(mass) / mass.sum()
    return lambda x: total[np.clip(x + edge, 0, 2 * edge)]


def noisy_max(scores: Sequence[int], b: float) -> np.ndarray:
    """How likely each score is to be the highest (of equals the first) once discrete Laplace noise of scale b is added to all.

    By summation over what the winner's noisy score can be, out to 40 scales, and over no score that lies further below.
    """
    law, best = discrete_laplace(b), np.array(scores) - max(scores)
    reach = int(40 * b)
    noisy = np.arange(-reach, reach + 1)
    at_most = np.array([law(noisy - each) for each in best])
    below = np.array([law(noisy - 1 - each) for each in best])
    mass = at_most - below
    first = np.cumprod(np.vstack([np.ones(len(noisy)), below[:-1]]), axis=0)
    later = np.cumprod(np.vstack([np.ones(len(noisy)), at_most[:0:-1]]), axis=0)[::-1]
    return (mass * first * later).sum(axis=1)


def fits(found: np.ndarray, chances: np.ndarray) -> float:
    """Chi-squared goodness of fit of how often each of some outcomes was found."""
    return float(chisquare(*_pooled(found, chances / chances.sum() * found.sum())).pvalue)


def p_value(draws: np.ndarray, law: Cdf, reach: float, bins: int = 80) -> float:
    """Chi-squared goodness of fit, in single integers or even ranges from -reach to reach, with both tails beyond."""
    edges = np.unique(np.round(np.linspace(-reach, reach, bins)).astype(np.int64))
    expected = np.diff(np.concatenate([[0.0], law(edges), [1.0]])) * len(draws)
    found = np.bincount(np.searchsorted(edges, draws), minlength=len(edges) + 1)
    return float(chisquare(*_pooled(found, expected)).pvalue)


def _pooled(found: np.ndarray, expected: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Neighbouring bins together until ten draws are expected in each, since rarer ones break the approximation."""
    group = np.zeros(len(expected), dtype=int)
    held, number = 0.0, 0
    for i, each in enumerate(expected):
        group[i] = number
        held += each
        if held >= 10 and expected[i + 1 :].sum() >= 10:
            held, number = 0.0, number + 1
    return np.bincount(group, found), np.bincount(group, expected)

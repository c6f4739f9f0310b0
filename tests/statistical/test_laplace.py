"""The sampler draws the law it promises, and the test would notice another one.

Tests reject at p < 1e-9, so a correct sampler fails once in a billion runs; wrong laws must land far below that.
"""

from fractions import Fraction

import numpy as np
import pytest
from kveil.privacy.laplace import noisy, sample
from kveil.privacy.randomness import SystemBits, below
from scipy.stats import chisquare

from tests.strategies import SeededBits

DRAWS = 200_000
REJECT = 1e-9


def p_value(draws: np.ndarray, b: float) -> float:
    """Chi-squared goodness of fit to the discrete Laplace law of scale b, with both tails pooled."""
    ratio = np.exp(-1 / b)
    edge = int(5 * b) + 1
    inner = np.arange(-edge, edge + 1)
    law = (1 - ratio) / (1 + ratio) * ratio ** np.abs(inner)
    tail = ratio ** (edge + 1) / (1 + ratio)
    counts = np.array([(draws < -edge).sum(), *[(draws == x).sum() for x in inner], (draws > edge).sum()])
    return float(chisquare(counts, np.array([tail, *law, tail]) * len(draws)).pvalue)


@pytest.mark.parametrize("b", [Fraction(1, 2), Fraction(1), Fraction(7, 3), Fraction(10)])
def test_draws_follow_the_discrete_laplace_law(b):
    assert p_value(sample(b, DRAWS, SystemBits()), float(b)) > REJECT


@pytest.mark.parametrize("wrong", [0.9, 1.1])
def test_a_scale_that_is_ten_percent_off_is_noticed(wrong):
    assert p_value(sample(Fraction(7, 3), DRAWS, SystemBits()), float(Fraction(7, 3)) * wrong) < REJECT


def test_a_rounded_continuous_laplace_is_noticed():
    rounded = np.round(np.random.default_rng(1).laplace(scale=1.0, size=DRAWS)).astype(np.int64)
    assert p_value(rounded, 1.0) < REJECT


@pytest.mark.parametrize("bound", [2, 3, 10, 1000, 10 * (2**33 + 1)])
def test_uniform_integers_stay_below_their_bound_and_are_uniform(bound):
    drawn = below(np.full(DRAWS, bound, dtype=np.uint64), SystemBits())
    assert drawn.max() < bound
    cells = min(bound, 10)
    counts = np.bincount((drawn // np.uint64(bound // cells)).astype(int), minlength=cells)
    assert chisquare(counts).pvalue > REJECT


def test_the_only_integer_below_one_is_zero():
    assert not below(np.ones(10, dtype=np.uint64), SystemBits()).any()


def test_values_are_clamped_before_noise():
    high = noisy(np.full(DRAWS, 10**9), 0, 100, Fraction(100), SystemBits())
    assert abs(high.mean() - 100) < 0.1
    assert high.max() > 100


def test_the_same_bits_give_the_same_noise_and_other_bits_do_not():
    b = Fraction(1000)
    first, again, other = (sample(b, 1000, SeededBits(seed)) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_a_scale_too_large_to_be_exact_is_refused():
    with pytest.raises(ValueError, match="scale"):
        sample(Fraction(2**60), 1, SystemBits())


def test_neighbouring_values_are_at_most_e_to_the_epsilon_apart():
    # 0 and 10 are the two extremes of [0, 10]; every outcome's odds must stay within e^epsilon.
    epsilon = 1.0
    low, high = (noisy(np.full(DRAWS, v), 0, 10, Fraction(1), SystemBits()) for v in (0, 10))
    for outcome in range(-10, 21, 5):
        a, b = (low == outcome).sum(), (high == outcome).sum()
        sigma = np.sqrt(1 / a + 1 / b)
        assert abs(np.log(a / b)) < epsilon + 7 * sigma

"""The samplers draw the law they promise, and the tests would notice another one.

Tests reject at p < 1e-12, so a correct sampler fails once in a million million runs; wrong laws must land below that.
"""

from fractions import Fraction

import numpy as np
import pytest
from kveil.privacy import gaussian, laplace, row_laplace
from kveil.privacy.randomness import KeyedBits, below, fresh_secret
from scipy.stats import chi2_contingency, chisquare

from tests.oracles.noise_laws import discrete_gaussian, discrete_laplace, p_value

DRAWS = 200_000
REJECT = 1e-12
SCALES = [Fraction(1), Fraction(5), Fraction(1000), Fraction(10**6)]
SAMPLERS = {"rejection": laplace.sample, "tables": row_laplace.sample}


def fresh_bits(size: int = DRAWS) -> KeyedBits:
    return KeyedBits(fresh_secret(), np.arange(size, dtype=np.uint64))


@pytest.fixture(scope="module", params=[(name, b) for name in SAMPLERS for b in SCALES], ids=lambda p: f"{p[0]}-{p[1]}")
def drawn(request):
    name, b = request.param
    return b, SAMPLERS[name](b, fresh_bits())


def test_draws_follow_the_discrete_laplace_law(drawn):
    b, draws = drawn
    assert p_value(draws, discrete_laplace(float(b)), 8 * float(b)) > REJECT


@pytest.mark.parametrize("wrong", [0.9, 1.1])
def test_a_scale_that_is_ten_percent_off_is_noticed(drawn, wrong):
    b, draws = drawn
    assert p_value(draws, discrete_laplace(float(b) * wrong), 8 * float(b)) < REJECT


@pytest.mark.parametrize("sample", SAMPLERS.values(), ids=SAMPLERS)
@pytest.mark.parametrize("b", [Fraction(1, 5), Fraction(1, 2), Fraction(7, 3), Fraction(10**9 + 7, 123_456_789)])
def test_scales_that_are_no_whole_numbers_are_met(sample, b):
    assert p_value(sample(b, fresh_bits()), discrete_laplace(float(b)), 8 * float(b) + 2) > REJECT


@pytest.mark.parametrize("b", SCALES)
def test_both_samplers_draw_the_same_law(b):
    edges = np.round(np.linspace(-4 * float(b), 4 * float(b), 40)).astype(np.int64)
    counts = [
        np.bincount(np.searchsorted(np.unique(edges), sample(b, fresh_bits())), minlength=41) for sample in SAMPLERS.values()
    ]
    held = np.array(counts)
    assert chi2_contingency(held[:, held.sum(axis=0) > 10]).pvalue > REJECT


@pytest.mark.parametrize("b", [Fraction(2**40, 3), Fraction(2**55 - 1)])
def test_the_largest_scales_are_met(b):
    assert p_value(row_laplace.sample(b, fresh_bits(50_000)), discrete_laplace(float(b)), 8 * float(b)) > REJECT


def test_a_rounded_continuous_laplace_is_noticed():
    rounded = np.round(np.random.default_rng(1).laplace(scale=1.0, size=DRAWS)).astype(np.int64)
    assert p_value(rounded, discrete_laplace(1.0), 8) < REJECT


@pytest.mark.parametrize("variance", [Fraction(1, 4), Fraction(1), Fraction(100, 7), Fraction(10**6)])
def test_draws_follow_the_discrete_gaussian_law(variance):
    draws, spread = gaussian.sample(variance, fresh_bits(50_000)), float(variance) ** 0.5
    assert p_value(draws, discrete_gaussian(float(variance)), 4 * spread) > REJECT
    for wrong in (0.9, 1.1):
        assert p_value(draws, discrete_gaussian(float(variance) * wrong**2), 4 * spread) < REJECT


@pytest.mark.parametrize("bound", [2, 3, 10, 1000, 10 * (2**33 + 1)])
def test_uniform_integers_stay_below_their_bound_and_are_uniform(bound):
    drawn = below(np.full(DRAWS, bound, dtype=np.uint64), np.arange(DRAWS), fresh_bits())
    assert drawn.max() < bound
    cells = min(bound, 10)
    counts = np.bincount((drawn // np.uint64(bound // cells)).astype(int), minlength=cells)
    assert chisquare(counts).pvalue > REJECT


def test_the_only_integer_below_one_is_zero():
    assert not below(np.ones(10, dtype=np.uint64), np.arange(10), fresh_bits(10)).any()


def test_values_are_clamped_before_noise():
    high = row_laplace.noisy(np.full(DRAWS, 10**9), 0, 100, Fraction(100), fresh_bits())
    assert abs(high.mean() - 100) < 0.1
    assert high.max() > 100

"""What mechanisms cost together: known answers of the literature, and bounds that may only err upwards."""

from decimal import Decimal
from fractions import Fraction as Q
from math import exp, log, sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kveil.privacy.composition import (
    epsilon_of_rho,
    epsilon_of_rho_in_short,
    renyi_of_pure,
    rho_of_pure,
    rho_within,
    smallest_bound,
)

MILLIONTH = Q(1, 10**6)


@pytest.mark.parametrize(("times", "by_sum", "by_zcdp"), [(10, 1.00, 1.71), (100, 10.0, 5.76)])
def test_a_tenth_many_times_over_costs_what_the_literature_says(times, by_sum, by_zcdp):
    pure = [Q(1, 10)] * times
    assert float(sum(pure)) == by_sum
    assert round(float(epsilon_of_rho_in_short(rho_of_pure(Q(1, 10)) * times, MILLIONTH)), 2) == by_zcdp
    found = smallest_bound(pure, Q(0), MILLIONTH).epsilon
    assert found <= min(by_sum, by_zcdp)


def test_a_hundred_tenths_lie_between_the_laplace_mechanisms_own_and_any_mechanisms_bound():
    """4.69 and 4.98 are what privacy loss distributions and Renyi divergences prove for Laplace, the best of pure mechanisms."""
    found = smallest_bound([Q(1, 10)] * 100, Q(0), MILLIONTH)
    assert found.by == "Renyi"
    assert 4.98 <= float(found.epsilon) < 5.08


def test_without_delta_pure_losses_add_up_and_rho_has_no_bound():
    assert smallest_bound([Q(1, 3), Q(2, 3)], Q(0), Q(0)).epsilon == 1
    with pytest.raises(ValueError, match="delta"):
        smallest_bound([], Q(1), Q(0))


def test_one_mechanism_alone_is_never_made_dearer():
    assert smallest_bound([Q(1, 2)], Q(0), MILLIONTH).epsilon <= Q(1, 2)


@pytest.mark.parametrize("delta", [Q(0), Q(1), Q(-1, 10)])
def test_a_delta_outside_its_range_is_refused(delta):
    with pytest.raises(ValueError, match="delta"):
        epsilon_of_rho(Q(1), delta)


def gaussian_delta(rho: float, epsilon: float) -> float:
    """The exact delta of the continuous Gaussian mechanism of this rho (Balle, Wang 2018)."""
    from scipy.stats import norm

    mu = sqrt(2 * rho)
    return norm.cdf(mu / 2 - epsilon / mu) - exp(epsilon) * norm.cdf(-mu / 2 - epsilon / mu)


@pytest.mark.parametrize("rho", [Q(1, 1000), Q(1, 50), Q(1, 2), Q(3)])
def test_the_bound_of_rho_covers_the_gaussian_mechanism_and_is_near_it(rho):
    delta = Q(1, 10**5)
    epsilon = float(epsilon_of_rho(rho, delta))
    assert gaussian_delta(float(rho), epsilon) <= float(delta)
    assert gaussian_delta(float(rho), 0.85 * epsilon) > float(delta)
    assert epsilon <= float(epsilon_of_rho_in_short(rho, delta))


# A search in exact fractions takes a tenth of a second.
@settings(max_examples=25)
@given(st.integers(10**7, 3 * 10**9), st.integers(4, 12))
def test_what_is_spent_is_the_most_that_stays_within(nano, digits):
    epsilon, delta = Q(nano, 10**9), Q(1, 10**digits)
    rho = rho_within(epsilon, delta)
    assert epsilon_of_rho(rho, delta) <= epsilon < epsilon_of_rho(rho + Q(1, 10**9), delta)


@given(st.floats(0.01, 5), st.floats(1.01, 60))
def test_randomised_response_diverges_as_defined(epsilon, order):
    yes, no = exp(epsilon) / (1 + exp(epsilon)), 1 / (1 + exp(epsilon))
    defined = log(yes**order * no ** (1 - order) + no**order * yes ** (1 - order)) / (order - 1)
    assert float(renyi_of_pure(Decimal(epsilon), Decimal(order))) == pytest.approx(defined, rel=1e-6, abs=1e-9)

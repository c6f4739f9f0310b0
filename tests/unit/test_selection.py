"""Which unknown groups are shown: the published optimum, and both inequalities of differential privacy, exactly."""

from fractions import Fraction as Q
from itertools import pairwise
from math import ceil, exp, log, tanh

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.privacy.selection import keep_odds, kept, people_for
from scipy.stats import binom

ONE = 2**64


def closed_form(n: int, epsilon: float, delta: float) -> float:
    """Theorem 1 of Desfontaines et al. 2020, the part below the crossing: (e^(n eps) - 1) / (e^eps - 1) delta."""
    return (exp(n * epsilon) - 1) / (exp(epsilon) - 1) * delta


@pytest.mark.parametrize(("epsilon", "delta"), [(Q(1), Q(1, 10**5)), (Q(1, 10), Q(1, 10**6)), (Q(3), Q(1, 100))])
def test_odds_are_those_of_the_closed_form_up_to_the_crossing(epsilon, delta):
    odds = keep_odds(epsilon, delta)
    e, d = float(epsilon), float(delta)
    crossing = ceil(log(tanh(e / 2) * (1 - d) / d + 1) / e) - 1
    for n in range(crossing):
        assert odds[n] / ONE == pytest.approx(closed_form(n, e, d), rel=1e-6, abs=1e-15)
    assert len(odds) < 2 * crossing + 8


@given(st.integers(1, 4000), st.integers(2, 15))
def test_neighbouring_numbers_of_people_are_epsilon_delta_close(thousandths, digits):
    epsilon, delta = Q(thousandths, 1000), Q(1, 10**digits)
    odds = [*keep_odds(epsilon, delta), ONE]
    assert odds[0] == 0
    step, growth = delta * ONE, Q(exp(float(epsilon))) * (1 + Q(1, 10**14))
    for fewer, more in pairwise(odds):
        assert fewer <= more
        assert more <= growth * fewer + step
        assert ONE - fewer <= growth * (ONE - more) + step


def test_groups_are_kept_as_often_as_promised_and_counts_beyond_the_table_always():
    random = np.random.default_rng(3)
    epsilon, delta, groups, draws = Q(2), Q(1, 10**4), 2, 200_000
    odds = keep_odds(epsilon / groups, delta / groups)
    for people in (0, 4, len(odds) // 2, len(odds) - 1, len(odds), 10**9):
        words = random.integers(0, 2**64, draws, dtype=np.uint64)
        shown = kept(np.full(draws, people), words, groups, epsilon, delta).sum()
        expected = odds[people] / ONE if people < len(odds) else 1.0
        assert binom.cdf(shown, draws, expected) > 1e-9
        assert binom.sf(shown - 1, draws, expected) > 1e-9


def test_the_plan_names_the_people_that_make_the_odds_even():
    needed = people_for(0.5, 1, Q(1), Q(1, 10**5))
    odds = keep_odds(Q(1), Q(1, 10**5))
    assert odds[needed] >= ONE // 2 > odds[needed - 1]


def test_a_delta_too_small_for_any_group_is_refused():
    with pytest.raises(ValueError, match="delta"):
        keep_odds(Q(1), Q(1, 10**25))

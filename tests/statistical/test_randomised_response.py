"""Randomised response follows its law, and another law is noticed."""

from fractions import Fraction

import numpy as np
import pytest
from kveil.privacy.randomised_response import keep_probability, responses
from kveil.privacy.randomness import KeyedBits, fresh_secret
from scipy.stats import chisquare

DRAWS = 200_000
REJECT = 1e-12


def drawn(code: int, values: int, epsilon: Fraction) -> np.ndarray:
    bits = KeyedBits(fresh_secret(), np.arange(DRAWS, dtype=np.uint64))
    return np.bincount(responses(np.full(DRAWS, code), values, epsilon, bits), minlength=values)


def expected(code: int, values: int, epsilon: float) -> np.ndarray:
    odds = np.where(np.arange(values) == code, np.exp(epsilon), 1.0)
    return odds / odds.sum() * DRAWS


@pytest.mark.parametrize(
    ("values", "epsilon"), [(2, Fraction(1)), (5, Fraction(1, 2)), (1000, Fraction(3)), (3, Fraction(1, 10**9))]
)
def test_every_value_is_as_likely_as_promised(values, epsilon):
    for code in (0, values - 1):
        assert chisquare(drawn(code, values, epsilon), expected(code, values, float(epsilon))).pvalue > REJECT


@pytest.mark.parametrize("wrong", [0.9, 1.1])
def test_an_epsilon_that_is_ten_percent_off_is_noticed(wrong):
    assert chisquare(drawn(1, 4, Fraction(2)), expected(1, 4, 2 * wrong)).pvalue < REJECT


def test_a_large_epsilon_keeps_nearly_everything():
    assert float(keep_probability(2, Fraction(1000))) == 1.0
    assert drawn(1, 2, Fraction(1000))[1] == DRAWS

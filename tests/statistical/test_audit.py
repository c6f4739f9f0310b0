"""Black-box audit: from outputs alone, a lower bound on epsilon that holds with probability 1 - 1e-9.

Of two worlds that differ in one value, the event that tells them apart best is chosen on one half of the draws and counted
on the other (Clopper and Pearson 1934). Ours stays under its claim; mechanisms with a planted flaw must exceed it.
"""

from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from kveil.anonymize.noise import Draws
from kveil.privacy import row_laplace
from kveil.privacy.randomness import KeyedBits, fresh_secret
from kveil.settings.noise import RowNoise
from scipy.stats import beta

DRAWS = 400_000
MISSES = 1e-9
EPSILON, LOWER, UPPER = 1, 0, 100
AMOUNT = RowNoise(lower=LOWER, upper=UPPER, epsilon=EPSILON)
COLOUR = RowNoise(mechanism="randomised_response", values=["red", "green", "blue", "grey"], epsilon=EPSILON)


def released(value, role: RowNoise) -> np.ndarray:
    """The product's own path: an Arrow column of equal values, one row per person."""
    table = pa.table({"person": np.arange(DRAWS), "it": pa.array([value] * DRAWS)})
    return Draws().noisy(table, {"it": role})["it"].to_numpy(zero_copy_only=False)


def noise(scale: int) -> np.ndarray:
    return row_laplace.sample(Fraction(scale), KeyedBits(fresh_secret(), np.arange(DRAWS, dtype=np.uint64)))


def lower_bound(here: np.ndarray, there: np.ndarray) -> float:
    """Of epsilon, by the best event of the form "at most" or "at least" a value, in either direction."""
    half = DRAWS // 2
    thresholds = np.unique(np.quantile(np.concatenate([here[:half], there[:half]]), np.linspace(0.0005, 0.9995, 200)))
    best = max(
        ((below, t) for below in (True, False) for t in thresholds),
        key=lambda event: _bound(here[:half], there[:half], *event),
    )
    return _bound(here[half:], there[half:], *best)


def _bound(here: np.ndarray, there: np.ndarray, below: bool, threshold: float) -> float:
    k, m = ((each <= threshold if below else each >= threshold).sum() for each in (here, there))
    n = len(here)
    return max(_log_ratio(k, m, n), _log_ratio(m, k, n))


def _log_ratio(k: int, m: int, n: int) -> float:
    least = beta.ppf(MISSES / 4, k, n - k + 1) if k else 0.0
    most = beta.ppf(1 - MISSES / 4, m + 1, n - m) if m < n else 1.0
    return float(np.log(least / most)) if least else -np.inf


def test_noise_on_numbers_keeps_its_claim():
    found = lower_bound(released(LOWER, AMOUNT), released(UPPER, AMOUNT))
    assert 0.8 * EPSILON < found <= EPSILON


def test_values_beyond_the_bounds_are_no_easier_to_tell():
    assert lower_bound(released(-(10**9), AMOUNT), released(10**9, AMOUNT)) <= EPSILON


def test_randomised_response_keeps_its_claim():
    reds = [(released(value, COLOUR) == "red").astype(int) for value in ("red", "green")]
    assert 0.9 * EPSILON < lower_bound(*reds) <= EPSILON


SCALE = (UPPER - LOWER) // EPSILON
FLAWS = {
    "the clamp was forgotten": lambda value: 3 * value + noise(SCALE),
    "noise was drawn twice and averaged": lambda value: value + (noise(SCALE) + noise(SCALE)) / 2,
    "the scale is a fifth too small": lambda value: value + noise(SCALE * 4 // 5),
    "zeros are left as they are": lambda value: np.where(value == 0, 0, value + noise(SCALE)),
}


@pytest.mark.parametrize("flawed", FLAWS.values(), ids=FLAWS)
def test_a_planted_flaw_exceeds_the_claim(flawed):
    assert lower_bound(flawed(LOWER), flawed(UPPER)) > EPSILON


def test_a_keep_probability_that_ignores_the_other_values_exceeds_the_claim():
    keep = np.e / (np.e + 1)  # right for two values, not for four
    random = np.random.default_rng(3)
    kept = random.random((2, DRAWS)) < keep
    other = random.integers(1, 4, (2, DRAWS))
    codes = np.where(kept, 0, other) + np.array([[0], [1]])
    assert lower_bound(*(codes % 4 == 0).astype(int)) > EPSILON

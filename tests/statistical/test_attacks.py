"""The two attacks that floating-point noise falls to, run against ours and against samplers that are known to fall.

Worlds differ in one value, 0 or 1 unit. An attack's signal is the share of outputs from which it names the world for certain.
Mironov 2012 asks which outputs a sampler can reach at all from each world; Haney, Desfontaines, Hartman, Shrestha and Hay 2022
look at the finest bits that an addition of floating-point numbers keeps.
"""

from fractions import Fraction

import numpy as np
import pytest
from kveil.privacy import row_laplace
from kveil.privacy.randomness import KeyedBits, fresh_secret
from scipy.stats import chi2_contingency

DRAWS = 100_000
SCALE = 1000


def ours(value: int, scale: int = SCALE) -> np.ndarray:
    bits = KeyedBits(fresh_secret(), np.arange(DRAWS, dtype=np.uint64))
    return np.full(DRAWS, value) + row_laplace.sample(Fraction(scale), bits)


def textbook(value: float) -> np.ndarray:
    """The sampler of the textbooks: a sign times the logarithm of a uniform double."""
    random = np.random.default_rng(1)
    uniform = random.integers(1, 2**53, DRAWS) / 2**53
    return value + random.choice([-1.0, 1.0], DRAWS) * SCALE * np.log(uniform)


def reached_by_textbook(outputs: np.ndarray, value: float) -> np.ndarray:
    """Whether some uniform double and sign give the output exactly: the few around the inverse are tried."""
    sign = np.where(outputs - value >= 0, -1.0, 1.0)
    nearest = np.round(np.exp((outputs - value) / SCALE * sign) * 2**53)
    tried = [(nearest + step) / 2**53 for step in range(-24, 25)]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.any([value + sign * SCALE * np.log(uniform) == outputs for uniform in tried], axis=0)


def reached_by_ours(outputs: np.ndarray, value: int) -> np.ndarray:
    """Whether some words give the output exactly: each digit of the magnitude has words of its own in its table."""
    sign, digits = row_laplace._tables(Fraction(SCALE))
    noise = outputs - value
    magnitude = np.where(noise < 0, -1 - noise, noise)
    reached = np.ones(len(outputs), dtype=bool)
    for i, (shift, law) in enumerate(digits):
        outcomes = len(law.thresholds) + 1
        bounds = [0, *law.thresholds, 2**128]
        has_words = np.array([bounds[k + 1] > bounds[k] for k in range(outcomes)])
        rest = magnitude >> shift
        reached &= has_words[rest % outcomes] & ((i + 1 < len(digits)) | (rest < outcomes))
    assert 0 < sign.thresholds[0] < 2**128
    return reached


def test_reachability_tells_the_textbook_sampler_s_world_and_not_ours():
    def signal(outputs, reached):
        here, there = reached(outputs, 0), reached(outputs, 1)
        assert here.mean() > 0.999  # the attack inverts the sampler
        return (here & ~there).mean()

    assert signal(textbook(0.0), reached_by_textbook) > 0.5
    assert signal(ours(0), reached_by_ours) == 0


def finer_than(outputs: np.ndarray, grid: float) -> np.ndarray:
    return np.mod(outputs, grid) != 0


@pytest.mark.parametrize("sampler", ["textbook", "numpy"])
def test_the_finest_bits_of_floating_point_noise_tell_the_world(sampler):
    random = np.random.default_rng(2)
    noise = textbook(0.0) / SCALE if sampler == "textbook" else random.laplace(size=DRAWS)
    # From world 1 every output is a sum with 1, a multiple of its last place; from world 0 many are finer.
    assert not finer_than(1.0 + noise, 2.0**-53).any()
    assert finer_than(0.0 + noise, 2.0**-53).mean() > 0.15


@pytest.mark.parametrize("scale", [1, SCALE])
def test_the_finest_bits_of_our_noise_tell_nothing(scale):
    here, there = ours(0, scale), ours(1, scale)
    assert here.dtype == there.dtype == np.int64
    # World 1 is world 0 moved by one unit: the last bits differ by what the shift of the law says, and by nothing else.
    last = [np.bincount(each % 8, minlength=8) for each in (here, there - 1)]
    assert chi2_contingency(last).pvalue > 1e-12
    if scale == SCALE:
        assert chi2_contingency([np.bincount(each % 8, minlength=8) for each in (here, there)]).pvalue > 1e-12

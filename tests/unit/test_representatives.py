"""Means that are told on a grid: nobody is reckoned back from the means of a class with and without one of its people."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.privacy.classes import Membership
from kveil.privacy.coding import Coding
from kveil.privacy.own_values import own_column, shown_of
from kveil.privacy.representatives import grid, rounded


def shown_mean(values: np.ndarray, people: np.ndarray, k: int) -> tuple[float, int, int]:
    """Representative and bounds of a class of these rows."""
    coding = Coding("born", "number", lowest=int(values.min()), highest=int(values.max()))
    own = own_column(coding, values, people, k)
    members = Membership(np.zeros(len(values), dtype=np.int32), people)
    found = shown_of(own, members, members, np.ones(len(values), dtype=bool), ["label", "bounds", "representative"], k)
    return float(found.representative[0]), int(found.lowest[0]), int(found.highest[0])


@given(st.lists(st.integers(0, 1000), min_size=11, max_size=40), st.data())
def test_count_times_mean_of_two_releases_leaves_a_member_anywhere_between_the_bounds(values, data):
    """What fits both means is at least as wide as the class's bounds, as long as these stay what they were."""
    k, held = 10, np.array(values)
    gone = data.draw(st.integers(0, len(values) - 1))
    before = shown_mean(held, np.arange(len(held)), k)
    after = shown_mean(np.delete(held, gone), np.arange(len(held) - 1), k)
    n, (low, high) = len(held), before[1:]
    if high == low:
        return
    step = float(grid(np.array([low], float), np.array([high], float), k)[0])
    # Each mean lies within half a step of what is told of it, so n of one less n - 1 of the other lie within this:
    width = (2 * n - 1) * step
    assert width >= 2 * (high - low)
    if before[1:] == after[1:]:
        reckoned = n * before[0] - (n - 1) * after[0]
        assert reckoned - width / 2 - 1e-6 <= held[gone] <= reckoned + width / 2 + 1e-6
        # A member who left moved the mean by one step at most.
        assert abs(before[0] - after[0]) <= step * (1 + 1e-9)


def test_exact_sums_are_gone():
    """The attack of the documentation: eleven people, then ten; n times mean gave the one who left to the year."""
    born = np.array([1950, 1953, 1957, 1961, 1962, 1966, 1970, 1971, 1975, 1979, 1983])
    hits = 0
    for gone in range(len(born)):
        before, *_ = shown_mean(born, np.arange(11), 10)
        after, *_ = shown_mean(np.delete(born, gone), np.arange(10), 10)
        hits += abs(11 * before - 10 * after - born[gone]) < 1
    assert hits <= 2  # a guess in the middle of 33 years hits some too


@pytest.mark.parametrize(("k", "expected"), [(2, 50.0), (3, 25.0), (11, 25.0)])
def test_a_mean_is_the_middle_of_its_cell_of_the_grid(k, expected):
    assert rounded(np.array([23.0]), np.array([0.0]), np.array([100.0]), k)[0] == expected


def test_a_class_of_one_value_shows_it_and_nulls_stay_nulls():
    found = rounded(np.array([7.0, np.nan]), np.array([7.0, np.nan]), np.array([7.0, np.nan]), 10)
    assert found[0] == 7.0 and np.isnan(found[1])


def test_a_frequent_buyer_counts_once():
    values, people = np.array([100] * 50 + list(range(0, 40, 2))), np.array([0] * 50 + list(range(1, 21)))
    many, *_ = shown_mean(values, people, 5)
    once, *_ = shown_mean(values[49:], people[49:], 5)
    assert many == once

"""Totals that add up: the least squares estimate, found by numpy's own solver, with errors that a simulation finds as well."""

from fractions import Fraction as Q
from math import isclose, log, prod, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.privacy.consistency import Tree
from kveil.privacy.noise_sum import NoiseSum, Part
from kveil.privacy.sensitivity import Noise

ITEMS = 2


def laplace(scale) -> Noise:
    return Noise("laplace", Q(scale) * 2**20, 2**20)


@st.composite
def trees(draw, beside: int = 1):
    fans = tuple(draw(st.lists(st.integers(1, 4), max_size=3)))
    scales = draw(st.lists(st.integers(1, 100), min_size=len(fans) + 1, max_size=len(fans) + 1))
    return Tree(fans, tuple(map(laplace, scales))), draw(st.integers(1, beside)), draw(st.integers(0, 2**32))


def sizes(tree: Tree, beside: int) -> list[int]:
    return [beside * prod(tree.fans[:level]) for level in range(len(tree.noises))]


def sums_of_leaves(tree: Tree, beside: int) -> list[np.ndarray]:
    """Per level the matrix that makes its totals out of the leaves."""
    leaves = sizes(tree, beside)[-1]
    return [np.repeat(np.eye(count), leaves // count, axis=1) for count in sizes(tree, beside)]


@given(trees(beside=3))
def test_it_is_the_weighted_least_squares_solution_and_adds_up(given_tree):
    tree, beside, seed = given_tree
    random = np.random.default_rng(seed)
    drawn = [random.normal(0, 1000, (count, ITEMS)) for count in sizes(tree, beside)]
    found = tree.consistent(drawn)
    matrices = sums_of_leaves(tree, beside)
    weighted = [matrix / noise.standard_error for matrix, noise in zip(matrices, tree.noises, strict=True)]
    asked = [each / noise.standard_error for each, noise in zip(drawn, tree.noises, strict=True)]
    leaves = np.linalg.lstsq(np.concatenate(weighted), np.concatenate(asked), rcond=None)[0]
    for level, matrix in enumerate(matrices):
        np.testing.assert_allclose(found[level], matrix @ leaves, rtol=1e-7, atol=1e-6)
        np.testing.assert_allclose(found[level], matrix @ found[-1], rtol=1e-9, atol=1e-8)


@given(trees(beside=2))
def test_what_adds_up_already_stays_as_it_is(given_tree):
    tree, beside, seed = given_tree
    leaves = np.random.default_rng(seed).normal(0, 1000, (sizes(tree, beside)[-1], ITEMS))
    true = [matrix @ leaves for matrix in sums_of_leaves(tree, beside)]
    for found, expected in zip(tree.consistent(true), true, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-8)


@given(trees())
def test_errors_are_those_of_the_estimates_weights_and_never_above_what_was_drawn(given_tree):
    """The weights are found by giving each draw in turn a one; the product counts kinds of draws instead."""
    tree, _, _ = given_tree
    counts = sizes(tree, 1)
    impulses = np.eye(sum(counts))
    answers = tree.consistent(np.split(impulses, np.cumsum(counts)[:-1]))
    variances = np.repeat([noise.standard_error**2 for noise in tree.noises], counts)
    for answer, error, noise in zip(answers, tree.errors, tree.noises, strict=True):
        np.testing.assert_allclose(np.sqrt(answer**2 @ variances), error.standard_error, rtol=1e-9)
        assert error.standard_error <= noise.standard_error * (1 + 1e-9)
        assert error.half_width() <= noise.half_width() * (1 + 1e-6) + 2**-19


def test_a_level_that_is_alone_keeps_its_noise():
    assert Tree((), (laplace(3),)).errors == (laplace(3),)


@pytest.mark.parametrize("mechanism", ["laplace", "gaussian"])
def test_standard_errors_and_intervals_are_those_of_a_simulation(mechanism):
    """A total over 3 groups of 5 each, with little noise on top and much below; numpy draws the continuous laws."""
    scales, fans, worlds = (4.0, 10.0, 25.0), (3, 5), 40_000
    parameters = [Q(scale) * 2**20 if mechanism == "laplace" else Q(scale) ** 2 * 2**40 for scale in scales]
    tree = Tree(fans, tuple(Noise(mechanism, parameter, 2**20) for parameter in parameters))
    random = np.random.default_rng(11)
    draw = random.laplace if mechanism == "laplace" else random.normal
    drawn = [draw(0, scale, (count, worlds)) for scale, count in zip(scales, (1, 3, 15), strict=True)]
    for found, error in zip(tree.consistent(drawn), tree.errors, strict=True):
        # Four standard deviations of what the simulation itself strays.
        assert isclose(found.std(axis=1).mean(), error.standard_error, rel_tol=4 * sqrt(5 / 4 / worlds))
        inside = (np.abs(found[0]) <= error.half_width()).mean()
        assert abs(inside - 0.95) < 4 * sqrt(0.95 * 0.05 / worlds)


def test_intervals_of_sums_are_known_where_the_law_is():
    one = NoiseSum((Part(-2.0, 1, laplace(10)),))
    assert one.half_width() == pytest.approx(20 * log(20), rel=1e-6)
    assert one.half_width(0.5) == pytest.approx(20 * log(2), rel=1e-6)
    # The sum of two: P(|X + Y| > x) = (1 + x / 2) exp(-x) at scale one.
    x = NoiseSum((Part(1.0, 2, laplace(1)),)).half_width()
    assert (1 + x / 2) * np.exp(-x) == pytest.approx(0.05, rel=1e-5)
    many = NoiseSum((Part(1.0, 10_000, laplace(1)),))
    assert many.half_width() == pytest.approx(1.959964 * sqrt(20_000), rel=1e-4)
    normal = NoiseSum((Part(3.0, 4, Noise("gaussian", Q(2**40), 2**20)),))
    assert normal.half_width() == pytest.approx(1.959964 * 6, rel=1e-6)

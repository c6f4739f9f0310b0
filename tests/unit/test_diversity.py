"""Diversity and closeness: the papers' own answers, scipy's, pycanon's, and the properties that a distance has."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from kveil.privacy import diversity
from kveil.privacy.models import SensitiveRule

optimize = pytest.importorskip("scipy.optimize")
stats = pytest.importorskip("scipy.stats")

GOLDEN = Path(__file__).parents[1] / "golden"
SALARIES = np.full(9, 1 / 9)  # 3k, 4k, ..., 11k, one person each (Li et al. 2007, table 3)


def counts(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def salaries(*thousands: int) -> np.ndarray:
    return np.bincount(np.array(thousands) - 3, minlength=9)


@st.composite
def shares(draw, size=None):
    """Counts of a class, some of them 0."""
    size = size or draw(st.integers(1, 8))
    found = draw(st.lists(st.integers(0, 9), min_size=size, max_size=size))
    assume(sum(found))
    return np.array(found, dtype=np.int64)


@st.composite
def trees(draw):
    """A random tree over 1 to 7 leaves of uneven depth, as arrays: leaves first, the root last."""
    leaves = draw(st.integers(1, 7))
    parent, height = [-1] * leaves, [0] * leaves
    tops = list(range(leaves))
    while len(tops) > 1:
        joined = draw(st.integers(2, len(tops)))
        children = [tops.pop(draw(st.integers(0, len(tops) - 1))) for _ in range(joined)]
        parent.append(-1)
        height.append(1 + max(height[child] for child in children))
        for child in children:
            parent[child] = len(parent) - 1
        tops.append(len(parent) - 1)
    return np.array(parent), np.array(height), np.arange(leaves)


def optimum(supply: np.ndarray, demand: np.ndarray, cost: np.ndarray) -> float:
    """The transport problem's optimum: what the earth mover's distance is by definition."""
    size = len(supply)
    rows = np.kron(np.eye(size), np.ones(size))
    columns = np.kron(np.ones(size), np.eye(size))
    solved = optimize.linprog(cost.ravel(), A_eq=np.vstack([rows, columns]), b_eq=np.concatenate([supply, demand]))
    assert solved.success
    return solved.fun


def ancestors(parent: np.ndarray, node: int) -> list[int]:
    return [node, *(ancestors(parent, parent[node]) if parent[node] >= 0 else [])]


def tree_costs(parent, height, node_of_value) -> np.ndarray:
    size, highest = len(node_of_value), max(height[-1], 1)
    lowest_common = [
        [next(a for a in ancestors(parent, x) if a in ancestors(parent, y)) for y in node_of_value] for x in node_of_value
    ]
    return height[np.array(lowest_common).reshape(size, size)] / highest


def test_the_salaries_of_li_et_al():
    """Their section 4.1: {3k, 4k, 5k} is 0.375 from the table, {6k, 8k, 11k} is 0.167."""
    assert diversity.emd_ordered(salaries(3, 4, 5), SALARIES) == pytest.approx(0.375)
    assert diversity.emd_ordered(salaries(6, 8, 11), SALARIES) == pytest.approx(1 / 6)
    # Table 5, their own 3-diverse version: t = 0.167 for salary.
    classes = [salaries(3, 5, 9), salaries(6, 11, 8), salaries(4, 7, 10)]
    assert max(diversity.emd_ordered(one, SALARIES) for one in classes) == pytest.approx(1 / 6)


def test_the_diseases_of_li_et_al():
    """Their figure 2: flu is 1/3 from bronchitis, 2/3 from pulmonary embolism and 1 from stomach cancer.

    Table 5's greatest distance under it is 8/27 = 0.296: every distance of nine people over that tree is a multiple of
    1/27, so the 0.278 that the paper prints for it cannot be one; the transport problem's optimum says 8/27 as well.
    """
    infection, vascular, stomach, colon, respiratory, digestive, root = range(10, 17)
    diseases = ["flu", "pneumonia", "bronchitis", "edema", "embolism", "ulcer", "cancer", "gastritis", "colitis", "colon cancer"]
    above_leaves = [infection] * 3 + [vascular] * 2 + [stomach] * 3 + [colon] * 2
    parent = np.array([*above_leaves, respiratory, respiratory, digestive, digestive, root, root, -1])
    height = np.array([0] * 10 + [1] * 4 + [2] * 2 + [3])
    nodes = np.arange(10)

    def of(*names: str) -> np.ndarray:
        return counts(*(names.count(name) for name in diseases))

    def apart(one: str, two: str) -> float:
        return diversity.emd_hierarchical(of(one), of(two).astype(float), parent, height, nodes)

    assert apart("flu", "bronchitis") == pytest.approx(1 / 3)
    assert apart("flu", "embolism") == pytest.approx(2 / 3)
    assert apart("flu", "cancer") == pytest.approx(1)
    classes = [("ulcer", "cancer", "pneumonia"), ("gastritis", "flu", "bronchitis"), ("gastritis", "bronchitis", "cancer")]
    reference = of(*(name for names in classes for name in names)) / 9
    cost = tree_costs(parent, height, nodes)
    for names, expected in zip(classes, (7 / 27, 8 / 27, 5 / 27), strict=True):
        assert diversity.emd_hierarchical(of(*names), reference, parent, height, nodes) == pytest.approx(expected)
        assert optimum(of(*names) / 3, reference, cost) == pytest.approx(expected)


def test_entropy_and_recursive_diversity_of_machanavajjhala_et_al():
    assert diversity.entropy_l(counts(5, 5, 0, 5)) == pytest.approx(3)
    assert diversity.entropy_l(counts(7)) == pytest.approx(1)
    # p = (1/2, 1/4, 1/4): entropy 1.5 ln 2.
    assert diversity.entropy_l(counts(2, 1, 1)) == pytest.approx(2**1.5)
    # (c, 2): r_1 < c (r_2 + ... + r_m); (c, 3) leaves out r_2 as well.
    assert diversity.recursive_c(counts(1, 0, 6, 3), 2) == 6 / 4
    assert diversity.recursive_c(counts(1, 0, 6, 3), 3) == 6 / 1
    assert diversity.recursive_c(counts(6, 3), 3) == np.inf
    assert not SensitiveRule(recursive=(1.5, 2)).holds(counts(1, 0, 6, 3))
    assert SensitiveRule(recursive=(1.51, 2)).holds(counts(1, 0, 6, 3))


def test_beta_is_the_greatest_relative_gain():
    reference = np.array([0.5, 0.4, 0.1])
    assert diversity.beta(counts(5, 4, 1), reference) == pytest.approx(0)
    assert diversity.beta(counts(5, 3, 2), reference) == pytest.approx(1)
    assert diversity.beta(counts(1, 0, 0), reference) == pytest.approx(1)
    assert diversity.beta(counts(1, 1), np.array([1.0, 0.0])) == np.inf


@given(st.data())
def test_each_distance_is_a_metric(data):
    parent, height, nodes = data.draw(trees())
    one, two, three = (data.draw(shares(len(nodes))) for _ in range(3))

    def distances(a, b):
        reference = b / b.sum()
        return [diversity.emd(a, reference, code, parent, height, nodes) for code in range(3)]

    same = np.array_equal(one * two.sum(), two * one.sum())
    for ab, ba, ac, cb in zip(
        distances(one, two), distances(two, one), distances(one, three), distances(three, two), strict=True
    ):
        assert (ab < 1e-9) == same
        assert ab == pytest.approx(ba, abs=1e-9)
        assert ab <= ac + cb + 1e-9
        assert -1e-9 <= ab <= 1 + 1e-9


@given(st.data())
def test_ordered_distance_is_scipys_wasserstein_distance(data):
    one = data.draw(shares())
    two = data.draw(shares(len(one)))
    places = np.linspace(0, 1, len(one)) if len(one) > 1 else np.zeros(1)
    expected = stats.wasserstein_distance(places, places, one, two)
    assert diversity.emd_ordered(one, two / two.sum()) == pytest.approx(expected, abs=1e-9)


@given(st.data())
def test_distances_are_optima_of_the_transport_problem(data):
    parent, height, nodes = data.draw(trees())
    one, two = data.draw(shares(len(nodes))), data.draw(shares(len(nodes)))
    p, q = one / one.sum(), two / two.sum()
    expected = optimum(p, q, tree_costs(parent, height, nodes))
    assert diversity.emd_hierarchical(one, q, parent, height, nodes) == pytest.approx(expected, abs=1e-7)
    assert diversity.emd_equal(one, q) == pytest.approx(optimum(p, q, 1 - np.eye(len(nodes))), abs=1e-7)


@pytest.mark.parametrize("need", range(2, 40))
def test_a_threshold_met_by_equality_is_met(need):
    """need equally frequent values are entropy-need-diverse, whatever the rounding of exp and log."""
    assert SensitiveRule(entropy=need).holds(np.full(need, 3))
    assert not SensitiveRule(entropy=need).holds(np.full(need - 1, 3))
    reference = np.full(need, 1 / need)
    one = np.eye(need, dtype=np.int64)[0]
    assert SensitiveRule(t=(need - 1) / need, reference=reference).holds(one)
    assert SensitiveRule(beta=need - 1, reference=reference).holds(one)


def test_what_is_not_asked_is_not_demanded_and_an_empty_class_is_never_safe():
    assert SensitiveRule().holds(counts(1))
    assert not SensitiveRule().holds(counts(0, 0))
    assert not SensitiveRule(distinct=2).holds(counts(4, 0))


@given(st.data())
def test_more_is_never_met_where_less_is_not(data):
    """Stricter rules hold on no more classes."""
    one = data.draw(shares())
    reference = (one + 1) / (one + 1).sum()
    strictness = sorted(data.draw(st.lists(st.floats(0.01, 0.99), min_size=2, max_size=2)))
    less, more = (
        [
            SensitiveRule(entropy=1 + 3 * s).holds(one),
            SensitiveRule(recursive=(5 * (1 - s), 2)).holds(one),
            SensitiveRule(t=1 - s, reference=reference).holds(one),
            SensitiveRule(beta=1 - s, reference=reference).holds(one),
        ]
        for s in strictness
    )
    assert all(loose or not strict for loose, strict in zip(less, more, strict=True))


@pytest.mark.parametrize("column", ["illness", "salary"])
def test_pycanon_agrees_where_every_person_owns_one_row(column):
    """See tests/oracles/pycanon_answers.py for what pycanon defines otherwise."""
    answers = json.loads((GOLDEN / "pycanon.json").read_text(encoding="utf-8"))
    expected = answers[column]
    rows = pd.read_csv(GOLDEN / "pycanon.csv")
    numbers, values = pd.factorize(rows[column], sort=True)
    reference = np.bincount(numbers) / len(rows)
    classes = [np.bincount(numbers[at], minlength=len(values)) for at in rows.groupby(["age", "town"]).indices.values()]
    distance = diversity.ORDERED if column == "salary" else diversity.EQUAL
    nowhere = np.empty(0, dtype=np.int64)
    found = [diversity.emd(one, reference, distance, nowhere, nowhere, nowhere) for one in classes]
    assert min(one.sum() for one in classes) == answers["k"]
    assert min(diversity.distinct(one) for one in classes) == expected["distinct"]
    assert int(min(diversity.entropy_l(one) for one in classes)) == expected["entropy_l_cut"]
    assert max(diversity.recursive_c(one, expected["l"]) for one in classes) == pytest.approx(expected["recursive_c"])
    assert max(found) == pytest.approx(expected["t"])
    assert max(diversity.beta(one, reference) for one in classes) == pytest.approx(expected["beta"])

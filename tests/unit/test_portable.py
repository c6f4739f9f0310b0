"""Portable models: known answers, a recursive oracle for the vectorised walk, exact JSON."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kveil.model.portable import LinearModel, model_from_dict
from kveil.train.extract import ensemble_of


def node(tree, id, value, left=-1, right=-1, feature=-1, threshold=None):
    return {"tree": tree, "id": id, "value": value, "left": left, "right": right, "feature": feature, "threshold": threshold}


STUMP_AND_LEAF = [
    node(0, 0, 9.0, 1, 2, feature=1, threshold=0.5),
    node(0, 1, -0.25),
    node(0, 2, 0.75),
    node(1, 0, 0.125),
]


def test_logistic_regression_known_answer_and_extremes():
    model = LinearModel(np.array([1.0, -2.0]), 0.5)
    matrix = np.array([[0.0, 0.25], [math.log(3) - 0.5, 0.0], [1e6, 0.0], [-1e6, 0.0]])
    with np.errstate(all="raise"):
        np.testing.assert_allclose(model.probability(matrix), [0.5, 0.75, 1.0, 0.0], atol=1e-15)


def test_a_tie_at_the_threshold_goes_left():
    model = ensemble_of(STUMP_AND_LEAF, [1.0, 2.0])
    matrix = np.array([[7.0, 0.5], [7.0, np.nextafter(0.5, 1)], [7.0, -3.0]])
    margins = np.array([-0.25 + 0.25, 0.75 + 0.25, -0.25 + 0.25])
    np.testing.assert_allclose(model.probability(matrix), 1 / (1 + np.exp(-2 * margins)), rtol=1e-15)


@st.composite
def forests(draw):
    nodes, trees = [], draw(st.integers(1, 4))
    for tree in range(trees):
        count = 0

        def grow(depth, tree=tree):
            nonlocal count
            id, count = count, count + 1
            value = draw(st.floats(-2, 2))
            if depth == 4 or draw(st.booleans()):
                nodes.append(node(tree, id, value))
                return id
            left, right = grow(depth + 1), grow(depth + 1)
            nodes.append(node(tree, id, value, left, right, draw(st.integers(0, 2)), float(draw(st.integers(0, 3)))))
            return id

        grow(0)
    return nodes, draw(st.lists(st.floats(0.1, 1), min_size=trees, max_size=trees))


def oracle(nodes, weights, row):
    by_id = {(each["tree"], each["id"]): each for each in nodes}
    margin = 0.0
    for tree, weight in enumerate(weights):
        at = by_id[tree, 0]
        while at["left"] >= 0:
            at = by_id[tree, at["left"] if row[at["feature"]] <= at["threshold"] else at["right"]]
        margin += weight * at["value"]
    return 1 / (1 + math.exp(-2 * margin))


@settings(max_examples=60, deadline=None)
@given(forests(), st.lists(st.tuples(*[st.integers(-1, 4)] * 3), min_size=1, max_size=20))
def test_the_vectorised_walk_is_the_recursive_one(forest, rows):
    nodes, weights = forest
    matrix = np.array(rows, dtype=np.float64)
    model = ensemble_of(nodes[::-1], weights)
    np.testing.assert_allclose(model.probability(matrix), [oracle(nodes, weights, row) for row in matrix], rtol=1e-12)


@pytest.mark.parametrize("model", [LinearModel(np.array([0.1 + 0.2, -1e-17]), 1 / 3), ensemble_of(STUMP_AND_LEAF, [1.0, 0.1])])
def test_json_keeps_every_digit(model):
    matrix = np.random.default_rng(1).normal(size=(50, 2))
    again = model_from_dict(json.loads(json.dumps(model.to_dict(), allow_nan=False)))
    assert again.probability(matrix).tobytes() == model.probability(matrix).tobytes()


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="allowed: linear, trees"):
        model_from_dict({"kind": "forest"})


def test_no_rows_no_scores():
    assert ensemble_of(STUMP_AND_LEAF, [1.0, 1.0]).probability(np.empty((0, 2))).shape == (0,)

"""The kernel's promises, on tables that hypothesis makes as nasty as it can."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from kveil.privacy.models import Model, SensitiveRule
from kveil.privacy.mondrian import partition
from kveil.privacy.space import Fragment

from tests.oracles import mondrian_numpy as oracle
from tests.strategies import fragments


def holds(fragment: Fragment, model: Model, rows: np.ndarray) -> bool:
    people = len(set(fragment.people[rows].tolist()))
    values = len(set(fragment.sensitive[rows, 0].tolist()))
    return people >= model.k and all(values >= rule.distinct for rule in model.rules)


CUTS = st.sampled_from(["width", "loss"])


@given(fragments(), st.integers(2, 12), st.integers(1, 3), CUTS)
def test_every_class_holds_k_people_and_l_values_or_nothing_is_released(fragment, k, distinct, cuts):
    model = Model(k, (SensitiveRule(distinct),), cuts)
    found = partition(fragment, model)
    everything = np.arange(len(fragment.codes))
    assert (found is None) == (not holds(fragment, model, everything))
    if found is not None:
        classes, tree = found
        assert set(classes.tolist()) == set(range(tree.classes))
        for number in range(tree.classes):
            assert holds(fragment, model, np.flatnonzero(classes == number))


@given(fragments(), st.integers(2, 8), CUTS)
def test_the_frozen_tree_sends_every_row_to_its_own_class(fragment, k, cuts):
    found = partition(fragment, Model(k, cuts=cuts))
    if found is not None:
        classes, tree = found
        assert (tree.leaf_of(fragment.codes) == classes).all()


@given(fragments(), st.integers(2, 8), CUTS, st.randoms())
def test_equal_rows_share_a_class_whatever_their_order(fragment, k, cuts, random):
    found = partition(fragment, Model(k, cuts=cuts))
    if found is None:
        return
    order = np.array(random.sample(range(len(fragment.codes)), len(fragment.codes)))
    shuffled = Fragment(fragment.codes[order], fragment.people[order], fragment.sensitive[order], fragment.is_set, fragment.span)
    again = partition(shuffled, Model(k, cuts=cuts))
    assert again is not None
    assert (again[0] == found[0][order]).all()


@given(fragments(), st.integers(2, 8), CUTS)
def test_no_class_can_be_cut_again_along_an_ordered_column(fragment, k, cuts):
    model = Model(k, cuts=cuts)
    found = partition(fragment, model)
    if found is None:
        return
    classes, tree = found
    for number in range(tree.classes):
        rows = np.flatnonzero(classes == number)
        for dimension in np.flatnonzero(~np.array(fragment.is_set)):
            column = fragment.codes[rows, dimension]
            for threshold in np.unique(column)[:-1]:
                sides = rows[column <= threshold], rows[column > threshold]
                assert not all(holds(fragment, model, side) for side in sides)


@given(fragments(), st.integers(2, 12), st.integers(1, 3), CUTS)
def test_the_compiled_loops_agree_with_a_second_writing_in_numpy(fragment, k, distinct, cuts):
    ours = partition(fragment, Model(k, (SensitiveRule(distinct),), cuts))
    theirs = oracle.partition(fragment, oracle.Model(k, (distinct,), cuts))
    assert (ours is None) == (theirs is None)
    if ours is not None:
        assert (ours[0] == theirs[0]).all()


def test_one_person_with_a_thousand_rows_is_one_person():
    fragment = Fragment(
        np.arange(1000, dtype=np.int64)[:, None],
        np.zeros(1000, dtype=np.int64),
        np.empty((1000, 0), dtype=np.int64),
        (False,),
        (999,),
    )
    assert partition(fragment, Model(2)) is None


def test_two_groups_apart_are_cut_apart():
    codes = np.array([[1]] * 5 + [[100]] * 5, dtype=np.int64)
    fragment = Fragment(codes, np.arange(10), np.empty((10, 0), dtype=np.int64), (False,), (99,))
    classes, tree = partition(fragment, Model(5))
    assert tree.classes == 2
    assert len(set(classes[:5].tolist())) == len(set(classes[5:].tolist())) == 1


def loss(fragment: Fragment, classes: np.ndarray) -> float:
    """Information loss recomputed from the classes alone: mean width of ordered columns, in shares of the span."""
    widths = 0.0
    for number in np.unique(classes):
        codes = fragment.codes[classes == number]
        widths += len(codes) * ((codes.max(axis=0) - codes.min(axis=0)) / np.array(fragment.span)).sum()
    return widths / fragment.codes.size


def test_cuts_by_loss_lose_less_on_clustered_rows():
    random = np.random.default_rng(5)
    centres = random.integers(0, 1000, (30, 4))
    codes = (centres[random.integers(0, 30, 3000)] + random.integers(0, 40, (3000, 4))).astype(np.int64)
    fragment = Fragment(codes, np.arange(3000), np.empty((3000, 0), dtype=np.int64), (False,) * 4, (1040,) * 4)
    by_width, by_loss = (loss(fragment, partition(fragment, Model(10, cuts=cuts))[0]) for cuts in ("width", "loss"))
    assert by_loss < 0.9 * by_width

"""The kernels under every model, taxonomies, populations and label cuts, against counting by hand and brute force."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.privacy.coding import NULL
from kveil.privacy.local_recoding import recoded
from kveil.privacy.models import Model, PopulationRule, SensitiveRule
from kveil.privacy.mondrian import partition
from kveil.privacy.space import Fragment
from kveil.privacy.taxonomy import Taxonomy

from tests.strategies import fragments

KINDS = Taxonomy.of_paths([(f"v{i}", f"group {i // 3}", "all") for i in range(12)])
FLAT = np.array([4, 4, 4, 4, -1]), np.array([0, 0, 0, 0, 1]), np.arange(4)


@st.composite
def rules(draw: st.DrawFn, reference: np.ndarray) -> SensitiveRule:
    parent, height, node_of_value = FLAT
    return SensitiveRule(
        draw(st.integers(1, 3)),
        draw(st.sampled_from([0.0, 1.5, 2.5])),
        draw(st.sampled_from([None, (2.0, 2), (4.0, 3)])),
        draw(st.sampled_from([None, 0.2, 0.4])),
        draw(st.sampled_from(["equal", "ordered", "hierarchical"])),
        draw(st.sampled_from([None, 0.5, 2.0])),
        reference, parent, height, node_of_value,
    )  # fmt: skip


def pairs_per_value(fragment: Fragment, rows: np.ndarray) -> np.ndarray:
    pairs = {(fragment.people[row], fragment.sensitive[row, 0]) for row in rows}
    return np.bincount([value for _, value in pairs], minlength=4)


@given(st.data(), fragments(), st.integers(2, 6), st.sampled_from(["width", "loss", "label"]), st.booleans())
def test_every_class_holds_every_model(data, fragment, k, cuts, overlapping):
    everything = np.arange(len(fragment.codes))
    whole = pairs_per_value(fragment, everything)
    rule = data.draw(rules(whole / whole.sum()))
    fragment = replace(fragment, label=fragment.people % 2)
    found = (recoded if overlapping else partition)(fragment, Model(k, (rule,), cuts))
    enough = len(set(fragment.people.tolist())) >= k
    assert (found is None) == (not (enough and rule.holds(whole)))
    if found is not None:
        for number in range(found[1].classes):
            rows = np.flatnonzero(found[0] == number)
            assert len(set(fragment.people[rows].tolist())) >= k
            assert rule.holds(pairs_per_value(fragment, rows))


@given(fragments(), st.integers(2, 6), st.integers(0, 2**32 - 1), st.booleans())
def test_taxonomies_are_cut_and_their_trees_find_every_row_again(fragment, k, seed, by_loss):
    generator = np.random.default_rng(seed)
    column = generator.integers(0, 12, len(fragment.codes))
    column[generator.random(len(column)) < 0.1] = NULL
    d = fragment.codes.shape[1]
    fragment = replace(
        fragment,
        codes=np.column_stack([fragment.codes, column]),
        is_set=(*fragment.is_set, False),
        span=(*fragment.span, 11),
        taxonomies=(*(None,) * d, KINDS),
    )
    found = partition(fragment, Model(k, cuts="loss" if by_loss else "width"))
    if found is not None:
        assert (found[1].leaf_of(fragment.codes) == found[0]).all()
        for number in range(found[1].classes):
            assert len(set(fragment.people[found[0] == number].tolist())) >= k


def test_a_flat_taxonomy_gives_the_most_frequent_leaf_a_class_of_its_own():
    flat = Taxonomy.of_paths([(name, "all") for name in "abcde"])
    codes = np.repeat([0, 1, 2, 3, 4], [2, 2, 40, 2, 2])[:, None]
    fragment = Fragment(codes, np.arange(48), np.empty((48, 0), np.int64), (False,), (4,), (flat,))
    classes, _ = partition(fragment, Model(5, cuts="loss"))
    assert len(set(codes[classes == classes[10], 0])) == 1


@given(fragments(), st.integers(2, 4), st.integers(3, 8), st.sampled_from([(0.0, 1.0), (0.1, 0.8), (0.3, 1.0)]))
def test_every_class_holds_its_bounds_against_the_population(fragment, k, k_map, delta):
    outside = np.arange(len(fragment.codes)) % 2 == 1
    fragment = replace(fragment, outside=outside)
    found = partition(fragment, Model(k, population=PopulationRule(k_map, *delta)))
    if found is not None:
        for number in range(found[1].classes):
            rows = found[0] == number
            ours = len(set(fragment.people[rows & ~outside].tolist()))
            theirs = len(set(fragment.people[rows & outside].tolist()))
            assert ours >= k
            assert theirs >= k_map
            assert delta[0] * theirs <= ours <= delta[1] * theirs


def table(seed: int, rows: int, dimensions: int, values: int) -> Fragment:
    generator = np.random.default_rng(seed)
    codes = generator.integers(0, values, (rows, dimensions))
    return Fragment(codes, np.arange(rows), np.empty((rows, 0), np.int64), (False,) * dimensions, (values - 1,) * dimensions)


def loss(fragment: Fragment, classes: np.ndarray) -> float:
    widths = 0.0
    for number in np.unique(classes):
        codes = fragment.codes[classes == number]
        widths += len(codes) * ((codes.max(axis=0) - codes.min(axis=0)) / np.array(fragment.span)).sum()
    return widths


def test_label_cuts_make_classes_homogeneous_in_the_label():
    fragment = table(1, 4000, 4, 100)
    # The label follows the narrowest column, which cuts by width would look at last.
    fragment.codes[:, 3] //= 4
    fragment = replace(fragment, label=(fragment.codes[:, 3] > 12).astype(np.int64))

    def mixed(cuts: str) -> float:
        classes, tree = partition(fragment, Model(20, cuts=cuts))
        share = np.bincount(classes, fragment.label) / np.bincount(classes, minlength=tree.classes)
        return float(np.minimum(share, 1 - share)[classes].mean())

    assert mixed("label") < 0.01 < mixed("width")


@pytest.mark.parametrize("seed", range(6))
def test_no_partition_beats_brute_force_and_local_recoding_is_near_it(seed):
    fragment = table(seed, 9, 2, 8)
    best = min(loss(fragment, np.array(classes)) for classes in set_partitions(9, 3))
    by_tree = loss(fragment, partition(fragment, Model(3, cuts="loss"))[0])
    by_boxes = loss(fragment, recoded(fragment, Model(3))[0])
    assert best - 1e-9 <= by_boxes <= by_tree + 1e-9
    # Nine rows leave no class a row to spare, the worst case for moves.
    assert by_boxes <= 1.6 * best


def set_partitions(rows: int, k: int) -> list[list[int]]:
    """Every way to put so many rows into classes of at least k."""
    found: list[list[int]] = [[]]
    for _ in range(rows):
        found = [[*each, number] for each in found for number in range(max(each, default=-1) + 2)]
    return [each for each in found if min(np.bincount(each)) >= k]


def holds(boxes, number: int, row) -> bool:
    """Whether a box holds a row of codes, by its ranges and sets alone."""
    for j, code in enumerate(row):
        if boxes.is_set[j]:
            held = code in boxes.member[(boxes.member[:, 0] == number) & (boxes.member[:, 1] == j), 2]
        elif code == NULL:
            held = boxes.has_null[number, j]
        else:
            held = boxes.low[number, j] <= code <= boxes.high[number, j]
        if not held:
            return False
    return True


@given(fragments(), st.integers(2, 6))
def test_boxes_hold_their_rows_and_send_each_row_to_a_box_that_holds_it(fragment, k):
    found = recoded(fragment, Model(k))
    if found is None:
        return
    classes, boxes = found
    for of_rows in (classes, boxes.leaf_of(fragment.codes)):
        assert all(holds(boxes, number, row) for number, row in zip(of_rows, fragment.codes, strict=True))


@given(fragments(), st.integers(2, 6), st.data())
def test_a_row_fits_every_box_of_its_block_that_holds_it_and_no_other(fragment, k, data):
    found = recoded(fragment, Model(k))
    if found is None:
        return
    boxes, codes = found[1], fragment.codes.copy()
    at = data.draw(st.integers(0, len(codes) - 1))
    codes[at] = codes[at] + 1
    block = boxes.tree.leaf_of(codes)
    expected = {
        (row, number)
        for row, b in enumerate(block)
        for number in range(boxes.start[b], boxes.start[b + 1])
        if holds(boxes, number, codes[row])
    }
    assert set(zip(*(part.tolist() for part in boxes.fitting(codes)), strict=True)) == expected


def test_more_people_per_class_cost_more_detail():
    fragment = table(3, 3000, 4, 50)
    for kernel in (partition, recoded):
        losses = [loss(fragment, kernel(fragment, Model(k, cuts="loss"))[0]) for k in (2, 4, 8, 16, 32, 64)]
        assert losses == sorted(losses)


def test_without_numba_the_same_loops_give_the_same_classes():
    script = (
        "import sys; sys.modules['numba'] = None\n"
        "import json\n"
        "from tests.unit.test_kernel_models import table\n"
        "from kveil.privacy.jit import COMPILES\n"
        "from kveil.privacy.local_recoding import recoded\n"
        "from kveil.privacy.models import Model\n"
        "from kveil.privacy.mondrian import partition\n"
        "f = table(7, 150, 3, 9)\n"
        "print(json.dumps([COMPILES, partition(f, Model(4))[0].tolist(), recoded(f, Model(4))[0].tolist()]))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=Path(__file__).parents[2], check=True
    )
    compiles, by_tree, by_boxes = json.loads(run.stdout)
    fragment = table(7, 150, 3, 9)
    assert not compiles
    assert by_tree == partition(fragment, Model(4))[0].tolist()
    assert by_boxes == recoded(fragment, Model(4))[0].tolist()

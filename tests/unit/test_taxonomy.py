"""Hierarchies as ranges of leaves: the smallest common node, levels, labels and what is refused."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.errors import ContractError
from kveil.privacy import labels
from kveil.privacy.classes import Membership, shown
from kveil.privacy.coding import NULL, Coding
from kveil.privacy.taxonomy import Taxonomy


@st.composite
def taxonomies(draw: st.DrawFn) -> Taxonomy:
    """Trees of up to 30 leaves and 4 levels below the root, their rows in any order, some values without a group."""
    count = draw(st.integers(1, 30))
    groups = [draw(st.lists(st.integers(0, 5), min_size=count, max_size=count)) for _ in range(draw(st.integers(0, 3)))]
    rows = []
    for leaf in range(count):
        path = [f"v{leaf}"]
        place = [groups[level][leaf] for level in range(len(groups))][::-1]
        path += ["g" + "-".join(map(str, place[:depth])) for depth in range(len(place), 0, -1)]
        if len(path) > 1 and draw(st.booleans()) and draw(st.booleans()):
            path[1:-1] = [path[0]] * (len(path) - 2)  # itself for some levels
        rows.append((*path, "*"))
    return Taxonomy.of_paths(draw(st.permutations(rows)))


def ancestors(taxonomy: Taxonomy, leaf: int) -> list[int]:
    """From the leaf's node to the root, by the parents alone."""
    path = [int(taxonomy.leaf_node[leaf])]
    while path[-1]:
        path.append(int(taxonomy.parent[path[-1]]))
    return path


@given(taxonomies())
def test_every_node_is_the_range_of_exactly_its_leaves(taxonomy):
    for node in range(len(taxonomy.names)):
        under = [leaf for leaf in range(taxonomy.leaves) if node in ancestors(taxonomy, leaf)]
        assert under == list(range(taxonomy.first[node], taxonomy.last[node] + 1))
        assert taxonomy.sizes[node] == len(under)


@given(taxonomies(), st.data())
def test_the_lowest_common_node_is_what_walking_up_the_parents_finds(taxonomy, data):
    leaf = st.integers(0, taxonomy.leaves - 1)
    pairs = data.draw(st.lists(st.tuples(leaf, leaf).map(sorted), min_size=1, max_size=20))
    found = taxonomy.lowest_common(np.array([low for low, _ in pairs]), np.array([high for _, high in pairs]))
    for (low, high), node in zip(pairs, found.tolist(), strict=True):
        above = [set(ancestors(taxonomy, leaf)) for leaf in range(low, high + 1)]
        assert node == next(node for node in ancestors(taxonomy, low) if all(node in path for path in above))


@given(taxonomies())
def test_levels_are_parents_of_parents(taxonomy):
    assert all(len(ancestors(taxonomy, leaf)) == taxonomy.levels for leaf in range(taxonomy.leaves))
    for level in range(taxonomy.levels + 1):
        expected = [ancestors(taxonomy, leaf)[min(level, taxonomy.levels - 1)] for leaf in range(taxonomy.leaves)]
        assert taxonomy.ancestor_at(level).tolist() == expected


@given(taxonomies())
def test_a_taxonomy_survives_json_as_does_its_coding(taxonomy):
    assert Taxonomy.from_dict(json.loads(json.dumps(taxonomy.to_dict()))) == taxonomy
    coding = Coding.of_taxonomy("c", taxonomy)
    assert Coding.from_dict(json.loads(json.dumps(coding.to_dict()))) == coding


@given(taxonomies(), st.data())
def test_every_label_holds_the_values_it_covers_and_is_read_back(taxonomy, data):
    coding = Coding.of_taxonomy("c", taxonomy)
    code = st.one_of(st.integers(0, taxonomy.leaves - 1), st.just(int(NULL)))
    codes = np.array(data.draw(st.lists(code, min_size=1, max_size=30)), dtype=np.int64)
    classes = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(codes), max_size=len(codes))))
    classes = np.unique(classes, return_inverse=True)[1].astype(np.int32)
    column = shown(coding, codes, Membership(classes, np.arange(len(codes))))
    for number, label in enumerate(column.labels):
        held = codes[classes == number]
        names, has_null = labels.members(label, coding)
        assert {coding.values[code] for code in held[held != NULL]} <= names
        assert has_null == (held == NULL).any()
        assert labels.size(label, 0, taxonomy=taxonomy) == len(names) + has_null
        if len(set(held.tolist())) == 1:
            assert len(names) + has_null == 1
        assert column.representative[number] in held


COLOURS = [("red", "warm", "*"), ("orange", "warm", "*"), ("blue", "cold", "*"), ("black", "black", "*")]


def test_rows_of_uneven_depth_repeat_a_label_and_tops_get_a_root():
    with_root, without = Taxonomy.of_paths(COLOURS), Taxonomy.of_paths([row[:-1] for row in COLOURS])
    assert with_root == without
    assert with_root.names == ("*", "warm", "red", "orange", "cold", "blue", "black", "black")
    assert [with_root.names[node] for node in with_root.ancestor_at(1)] == ["warm", "warm", "cold", "black"]
    assert with_root.names_under(with_root.node_named("warm")) == ("red", "orange")


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([("a", "x"), ("b",)], "row 2 has 1 fewer labels than row 1"),
        ([("a", "x"), ("a", "y")], "value 'a' stands under both 'x' and 'y'"),
        ([("a", "m", "x"), ("b", "m", "y")], "label of level 1 'm' stands under both 'x' and 'y'"),
        ([("a", "b", "*"), ("b", "c", "*")], "label 'b' stands for 1 values at level 1 and for 1 at level 0; rename one"),
        ([("*", "x"), ("b", "y")], "label '*' stands for"),
        ([("a", ""), ("b", "y")], "row 1 holds the label ''"),
        ([("a or null", "x")], "do not end in 'or null'"),
    ],
)
def test_rows_that_are_no_tree_are_refused_by_name(rows, says):
    with pytest.raises(ContractError, match="hierarchy") as caught:
        Taxonomy.of_paths(rows)
    assert says in str(caught.value)


def test_numbers_and_dates_have_the_bounds_of_their_node_and_a_mean_over_people():
    taxonomy = Taxonomy.of_paths([("0 .. 4", "0 .. 9", "*"), ("5 .. 9", "0 .. 9", "*"), ("10 .. 14", "10 .. 19", "*")])
    coding = Coding.of_taxonomy("age", taxonomy, "number", ((0, 4), (5, 9), (10, 14)))
    codes = coding.codes(np.array([1.5, 6.0, np.nan, 12.0, 99.0, -5.0, np.inf]))
    assert codes.tolist() == [0, 1, NULL, 2, 2, 0, 2]
    column = shown(coding, codes[:4], Membership(np.array([0, 0, 0, 1], dtype=np.int32), np.arange(4)))
    assert column.labels == ["0 .. 9 or null", "10 .. 14"]
    assert column.lowest.tolist() == [0, 10]
    assert column.highest.tolist() == [9, 14]
    assert column.representative.tolist() == [(2 + 7) / 2, 12]


def test_a_value_that_the_taxonomy_misses_goes_to_the_catch_all_or_nowhere():
    values = np.array(["red", "mauve", None], dtype=object)
    assert Coding.of_taxonomy("c", Taxonomy.of_paths(COLOURS)).codes(values).tolist() == [0, -1, NULL]
    rows = [*COLOURS, ("others", "others", "*")]
    coding = Coding.of_taxonomy("c", Taxonomy.of_paths(rows), other="others")
    assert coding.codes(values).tolist() == [0, 4, NULL]
    assert Coding.from_dict(json.loads(json.dumps(coding.to_dict()))).codes(values).tolist() == [0, 4, NULL]

"""What a profile tells of a sample: dependencies, keys, associations, and nothing that fewer than k people share."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.profile.association import association, tenths
from kveil.profile.dependencies import dependencies, keys
from kveil.profile.described import description
from kveil.profile.looks import frequent, frequent_patterns, histogram, outliers
from kveil.profile.sampled import PERSON
from kveil.profile.sketch import NULL, coded, people_of, together

CODES = st.lists(st.tuples(st.integers(-1, 4), st.integers(-1, 4), st.integers(0, 6)), min_size=1, max_size=60)


def column(values):
    return coded(pa.chunked_array([pa.array([None if value is None else str(value) for value in values], pa.string())]))


def table(**columns):
    return {name: column(values) for name, values in columns.items()}


@given(CODES)
def test_people_are_counted_as_sets_count_them(rows):
    codes, people, _ = map(np.array, zip(*rows, strict=True))
    told = people_of(codes, people, 5)
    for code in range(5):
        assert told[code] == len({p for c, p, _ in rows if c == code and p != NULL})


@given(CODES)
def test_combinations_have_one_number_each(rows):
    columns = [np.array(each) for each in zip(*rows, strict=True)]
    told = together(columns)
    assert len({(row, number) for row, number in zip(rows, told, strict=True)}) == len(set(rows)) == len(set(told))


def test_a_dependency_is_found_with_its_errors_and_its_support():
    towns = [f"town {i % 10}" for i in range(400)]
    country = [f"country {i % 10 % 3}" for i in range(400)]
    country[7], country[19] = "country 0", "country 1"  # two rows contradict: 7 % 3 = 1, 9 % 3 = 0
    found = {(each.columns, each.told): each for each in dependencies(table(town=towns, country=country))}
    assert set(found) == {(("town",), "country")}
    told = found[("town",), "country"]
    assert (told.confidence, told.support) == (1 - 2 / 400, 400)


def test_what_follows_from_everything_or_from_a_key_is_no_dependency():
    random = np.random.default_rng(0)
    found = dependencies(table(id=range(300), nearly=["x"] * 299 + ["y"], noise=random.integers(0, 5, 300)))
    assert found == []


@given(CODES)
def test_confidence_is_what_groups_counted_by_hand_keep(rows):
    first, second, _ = zip(*rows, strict=True)
    frame = pd.DataFrame({"a": first, "b": second})
    for each in dependencies(table(a=[None if v < 0 else v for v in first] * 30, b=[None if v < 0 else v for v in second] * 30)):
        x, y = each.columns[0], each.told
        known = frame[(frame["a"] >= 0) & (frame["b"] >= 0)]
        kept = known.groupby(x)[y].agg(lambda values: values.value_counts().iloc[0]).sum()
        assert each.confidence == round(kept / len(known), 4)


def test_keys_alone_and_in_pairs():
    rows = [(i, i // 4, i % 4, 1) for i in range(40)]
    a, b, c, d = zip(*rows, strict=True)
    told = [each.columns for each in keys(table(a=a, b=b, c=c, d=d))]
    assert told == [("a",), ("b", "c")]
    assert keys(table(a=[1, 2, None])) == []


def test_association_of_the_same_of_the_unrelated_and_of_a_constant():
    random = np.random.default_rng(1)
    same = random.integers(0, 4, 4000)
    assert association(same, same) == pytest.approx(1, abs=1e-3)
    assert association(same, random.permutation(same)) < 0.03
    assert np.isnan(association(same, np.zeros(4000, dtype=int)))
    # Without its bias a column of many values tells nothing of a label that it has nothing to do with.
    assert association(random.integers(0, 500, 4000), same) < 0.06
    numbers = random.normal(size=4000)
    assert association(tenths(numbers), (numbers > 0).astype(int)) > 0.95
    assert (tenths(np.array([np.nan, 1.0])) == [NULL, 0]).all()


def test_outliers_lie_far_beyond_the_quartiles():
    assert outliers(np.r_[np.arange(99.0), 1e9]) == 0.01
    assert outliers(np.full(10, 3.0)) == 0
    assert outliers(np.array([np.nan])) == 0


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 9)), max_size=60), st.integers(2, 5))
def test_nothing_is_shown_that_fewer_than_k_people_share(rows, k):
    texts, people = [text for text, _ in rows], np.array([person for _, person in rows], dtype=np.int64)
    told = frequent(column(texts), people, k)
    for each in told:
        if each.shown is not None:
            assert len({person for text, person in rows if text == each.shown}) >= k
    assert sum(each.rows for each in told) == len(rows)
    assert {each.shown for each in told if each.shown} == {
        text for text in set(texts) if len({person for each, person in rows if each == text}) >= k
    }


def test_one_busy_person_shares_nothing_with_k_people():
    texts, people = ["secret"] * 500 + ["known"] * 5, np.r_[np.zeros(500, int), np.arange(1, 6)]
    assert [each.shown for each in frequent(column(texts), people, 5)] == ["known", None]
    assert [each.shown for each in frequent_patterns(column(["x-1"] * 500 + ["A"] * 5), people, 5)] == ["A", None]
    assert histogram(np.arange(505.0), people, 5) == []


def test_a_bin_with_fewer_than_k_people_tells_no_number():
    people = np.arange(400)
    numbers = np.r_[np.full(200, 1.0), np.full(198, 10.0), [5.0, 5.2]]
    told = {each.shown: each.rows for each in histogram(numbers, people, 5)}
    assert sorted(rows for rows in told.values() if rows) == [198, 200]
    assert [rows for rows in told.values()].count(None) == 1


def test_a_description_is_json_and_holds_no_rare_value():
    random = np.random.default_rng(2)
    rows = 600
    sample = pa.table(
        {
            "customer": pa.array([str(i // 2) for i in range(rows)]),
            "mail": pa.array([f"person{i // 2}@example.org" for i in range(rows)]),
            "age": pa.array([str(18 + i % 60) for i in range(rows)]),
            "town": pa.array([["north", "south", None, "the lonely house"][3 if i == 1 else i % 3] for i in range(rows)]),
            "empty": pa.array([None] * rows, pa.string()),
            "late": pa.array([str(bool(random.random() < 0.3)).lower() for _ in range(rows)]),
            PERSON: pa.array([i // 2 for i in range(rows)]),
        }
    )
    types = {"customer": "bigint", "mail": "string", "age": "int", "town": "string", "empty": "string", "late": "boolean"}
    told = list(description(types, 5, "late")(sample))
    text = json.dumps(told, allow_nan=False)
    assert "example.org" not in text and "lonely" not in text
    roles = {each["column"]: each["semantic"] for each in told if each["kind"] == "column"}
    assert roles["mail"] == "email" and roles["age"] == "age" and roles["empty"] == "empty"
    assert {"north", "south"} <= {each.get("shown") for each in told}
    assert {("customer",), ("mail",)} <= {tuple(each["columns"]) for each in told if each["kind"] == "dependency"}

"""Who is singled out: counted in people, smallest sets alone, against a count by hand."""

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from kveil.privacy.separation import singled_out, smallest_sets

ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers(-1, 2), st.integers(-1, 2), st.integers(-1, 2)), min_size=1, max_size=40)


def by_hand(columns, people):
    holders = {}
    for person, row in zip(people, zip(*columns, strict=True), strict=True):
        holders.setdefault(row, set()).add(person)
    return len(set().union(*[each for each in holders.values() if len(each) == 1], set())) / len(set(people))


@given(ROWS)
def test_a_share_is_what_counting_by_hand_gives(rows):
    people, *columns = map(np.array, zip(*rows, strict=True))
    assert singled_out(columns, people) == by_hand(columns, people)
    assert singled_out(columns[:1], people) == by_hand(columns[:1], people)


@given(ROWS)
def test_sets_are_minimal_and_none_is_missed(rows):
    people, *columns = map(np.array, zip(*rows, strict=True))
    named = dict(zip("abc", columns, strict=True))
    shares = {
        names: by_hand([named[name] for name in names], people) for size in (1, 2, 3) for names in combinations("abc", size)
    }
    telling = {names for names, share in shares.items() if share > 0.05}
    smallest = {names for names in telling if not any(set(other) < set(names) for other in telling)}
    assert {each.columns: each.share for each in smallest_sets(named, people)} == {names: shares[names] for names in smallest}


def test_a_thousand_rows_of_one_person_are_one_person():
    people = np.r_[np.zeros(1000, int), [1, 2]]
    town = np.r_[np.zeros(1000, int), [1, 1]]
    assert singled_out([town], people) == 1 / 3


def test_nobody_is_singled_out_where_nobody_is():
    assert singled_out([np.array([], dtype=int)], np.array([], dtype=int)) == 0
    assert smallest_sets({}, np.array([0])) == []

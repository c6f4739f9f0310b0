"""What classes show: a label contains every value it covers and can be read back; representatives count people."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.privacy import labels
from kveil.privacy.classes import Membership, shown
from kveil.privacy.coding import NULL, Coding

# Values that look like labels themselves ("*", "{a}") are their own labels; all others must survive the grammar.
TEXTS = st.text(alphabet="ab,{}\\* ", min_size=1, max_size=4).filter(
    lambda text: text.strip() == text and text != "*" and not text.startswith("{")
)


@given(st.sets(TEXTS, min_size=1, max_size=6).map(sorted), st.booleans(), st.data())
def test_a_set_label_is_read_back_exactly(domain, has_null, data):
    held = sorted(data.draw(st.sets(st.sampled_from(domain), min_size=1)))
    label = labels.of_set(held, len(domain), has_null)
    coding = Coding("c", "category", values=tuple(domain))
    assert labels.members(label, coding) == (frozenset(held), has_null)


@pytest.mark.parametrize(
    ("label", "size"),
    [("*", 5), ("a", 1), ("{a, b}", 2), ("{a, b} or null", 3), (None, 1), ("* or null", 6), (r"{a\, b, c}", 2)],
)
def test_the_size_of_a_set_label(label, size):
    assert labels.size(label, 5) == size


@pytest.mark.parametrize(("label", "size"), [("lo .. mid", 2), ("*", 3), ("mid", 1), ("lo .. hi or null", 4), (None, 1)])
def test_the_size_of_a_range_label(label, size):
    assert labels.size(label, 3, ("lo", "mid", "hi")) == size


def membership(classes: list[int], people: list[int]) -> Membership:
    return Membership(np.array(classes, dtype=np.int32), np.array(people, dtype=np.int64))


def test_a_frequent_buyer_does_not_move_the_representatives():
    # Person 0 has nine rows, persons 1 and 2 one each.
    members = membership([0] * 11, [0] * 9 + [1, 2])
    codes = np.array([100] * 9 + [10, 10], dtype=np.int64)
    number = shown(Coding("n", "number", highest=100), codes, members)
    assert number.representative[0] == pytest.approx((100 + 10 + 10) / 3)
    category = shown(Coding("c", "category", values=tuple(map(str, range(101)))), codes, members)
    assert category.representative[0] == 10


def test_bounds_are_whole_cells_and_hold_every_value():
    codes = np.array([2, 4, NULL, NULL], dtype=np.int64)
    column = shown(Coding("n", "number", step=10, lowest=0, highest=9), codes, membership([0, 0, 0, 1], [0, 1, 2, 3]))
    assert column.labels == ["20 .. 49 or null", None]
    assert column.lowest.tolist() == [20, NULL]
    assert np.isnan(column.representative[1])


def test_a_date_class_shows_its_days():
    day = int(np.datetime64("2017-03-01").astype("datetime64[D]").astype(int))
    column = shown(Coding("d", "date"), np.array([day, day + 2], dtype=np.int64), membership([0, 0], [0, 1]))
    assert column.labels == ["2017-03-01 .. 2017-03-03"]


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1), st.integers(1, 1000))
def test_any_float_has_a_code_and_its_cell_holds_it(values, step):
    codes = Coding("n", "number", step=step).codes(np.array(values))
    for value, code in zip(values, codes.tolist(), strict=True):
        if np.isnan(value):
            assert code == NULL
        elif abs(value) < 2**40:
            assert code * step <= value < code * step + step


def test_unlisted_and_null_texts_have_codes_of_their_own():
    codes = Coding("c", "category", values=("a", "b")).codes(np.array(["b", None, "x"], dtype=object))
    assert codes.tolist() == [1, NULL, -1]

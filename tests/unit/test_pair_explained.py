"""A waterfall in text adds up, and each of its bars starts where the one before it ended."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.clean.people.explain import waterfall

NAMES = st.sampled_from(["name", "street", "birth_date", "phone"])
WEIGHTS = st.dictionaries(NAMES, st.integers(-30, 30).map(float), min_size=1)


def test_known_answer():
    assert list(waterfall({"name": 20.0, "phone": -10.0}, 0.0)) == [
        "prior          -10.00  ====================",
        "name           +20.00  ++++++++++++++++++++++++++++++++++++++++",
        "phone          -10.00                      --------------------",
        "match weight     0.00                      =",
    ]


@given(WEIGHTS, st.integers(-40, 40).map(float))
def test_numbers_add_up_and_bars_join(parts, weight):
    lines = list(waterfall(parts, weight))
    numbers = [float(line[12:].split()[0]) for line in lines]
    assert sum(numbers[:-1]) == pytest.approx(numbers[-1], abs=0.006 * len(numbers))
    assert [line.split()[0] for line in lines[1:-1]] == list(parts)
    ends = []
    for line, number in zip(lines, numbers, strict=True):
        bar = line[23:]
        first, last = len(bar) - len(bar.lstrip()), len(bar)
        assert set(bar.strip()) == {"=" if line in (lines[0], lines[-1]) else "-" if "-" in line[12:21] else "+"}
        ends.append((last, first) if number < 0 else (first, last))
    # A bar that is too short for a sign gets one all the same.
    assert all(abs(one[1] - other[0]) <= 1 for one, other in pairwise(ends[:-1]))
    assert all(0 <= end <= 41 for pair in ends for end in pair)

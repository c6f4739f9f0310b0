"""Noise on Arrow tables: the same for the same row wherever it is computed, another for another use."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.anonymize.noise import Draws
from kveil.privacy.row_keys import occurrences
from kveil.settings.noise import RowNoise

SECRET = bytes(range(32))
ROLES = {
    "cents": RowNoise(lower=0, upper=1000, epsilon="0.5"),
    "day": RowNoise(lower=date(2024, 1, 1), upper=date(2024, 12, 31), epsilon=2),
    "colour": RowNoise(mechanism="randomised_response", values=["red", "green", "blue"], epsilon=1),
}
DRAWS = Draws(("person", "cents", "day", "colour", "weight", "price", "flag"), ("shop", "release"), SECRET)

cells = st.fixed_dictionaries(
    {
        "person": st.integers(0, 3),
        "cents": st.none() | st.integers(0, 2),
        "day": st.none() | st.sampled_from([date(2024, 1, 1), date(2030, 5, 5)]),
        "colour": st.none() | st.sampled_from(["red", "green"]),
        "weight": st.none() | st.sampled_from([0.0, 1.5]),
        "price": st.none() | st.sampled_from([Decimal("0.10"), Decimal("0.01")]),
        "flag": st.none() | st.booleans(),
    }
)
SCHEMA = pa.schema(
    {
        "person": pa.int64(),
        "cents": pa.int64(),
        "day": pa.date32(),
        "colour": pa.string(),
        "weight": pa.float64(),
        "price": pa.decimal128(9, 2),
        "flag": pa.bool_(),
    }
)


def table_of(rows):
    return pa.Table.from_pylist(rows, SCHEMA)


def named(row):
    return repr(sorted(row.items(), key=lambda item: item[0]))


def released(rows, draws=DRAWS, roles=ROLES):
    """Each row with its noise, as a sorted list."""
    made = draws.noisy(table_of(rows), roles)
    return sorted(zip(map(named, rows), *(made[name].to_pylist() for name in roles), strict=True), key=repr)


@given(st.lists(cells, min_size=1, max_size=30), st.randoms(use_true_random=False), st.integers(2, 5))
def test_order_and_partitioning_change_no_draw(rows, random, parts):
    """Equal rows stay together, as the kernel's fragments keep them; all else may be cut anyhow."""
    whole = released(rows)
    shuffled = random.sample(rows, len(rows))
    assert released(shuffled) == whole
    place = {named(row): random.randrange(parts) for row in rows}
    cut = [released([row for row in shuffled if place[named(row)] == part]) for part in range(parts)]
    assert sorted((each for part in cut for each in part), key=repr) == whole


def test_equal_rows_draw_for_themselves():
    row = {"person": 1, "cents": 500, "day": date(2024, 6, 1), "colour": "red", "weight": 1.0, "price": None, "flag": True}
    made = DRAWS.noisy(table_of([row] * 2000), ROLES)
    cents = np.array(made["cents"])
    assert len(np.unique(cents)) > 1000
    assert abs(np.corrcoef(cents[:-1], cents[1:])[0, 1]) < 0.15


@pytest.mark.parametrize(
    "other",
    [
        replace(DRAWS, use=("shop", "another release")),
        replace(DRAWS, secret=bytes(32)),
        Draws(DRAWS.row, DRAWS.use),
    ],
    ids=["use", "secret", "fresh"],
)
def test_another_release_or_secret_draws_anew(other):
    rows = [{"person": i, "cents": 500} for i in range(300)]
    one, two = (np.array(draws.noisy(table_of(rows), {"cents": ROLES["cents"]})["cents"]) for draws in (DRAWS, other))
    assert (one == two).mean() < 0.05


def test_another_scale_or_column_draws_anew():
    """One draw at two scales would be two equations in one unknown: the value would be read off."""
    rows = [{"person": i, "cents": 500, "day": None} for i in range(2000)]

    def noise(name, role):
        table = table_of(rows).append_column("other", pa.array([500] * len(rows)))
        return np.array(DRAWS.noisy(table, {name: role})[name]) - 500

    first = noise("cents", ROLES["cents"])
    narrow = noise("cents", RowNoise(lower=0, upper=1000, epsilon=1))
    elsewhere = noise("other", ROLES["cents"])
    for other in (narrow, elsewhere):
        assert abs(np.corrcoef(first, other)[0, 1]) < 0.15


def test_nulls_stay_null_and_values_are_clamped_first():
    rows = [{"person": i, "cents": None if i % 2 else 10**9, "day": None, "colour": None} for i in range(4000)]
    made = DRAWS.noisy(table_of(rows), ROLES)
    assert made["day"].null_count == made["colour"].null_count == len(rows)
    assert np.array(made["cents"].is_null()).tolist() == [bool(i % 2) for i in range(len(rows))]
    values = made["cents"].drop_null().to_numpy()
    assert abs(values.mean() - 1000) < 6 * np.sqrt(2) * 2000 / np.sqrt(len(values))
    assert values.max() > 1000


def test_clamping_after_the_noise_keeps_the_bounds():
    role = RowNoise(lower=-5, upper=5, epsilon=1, clamp_after=True)
    made = np.array(DRAWS.noisy(table_of([{"person": i, "cents": 3} for i in range(500)]), {"cents": role})["cents"])
    assert (made.min(), made.max()) == (-5, 5)


def test_dates_beyond_the_calendar_become_its_first_or_last_day():
    role = RowNoise(lower=date(1, 1, 1), upper=date(9999, 12, 31), epsilon="0.01")
    rows = [{"person": i, "day": date(2024, 1, 1)} for i in range(200)]
    days = DRAWS.noisy(table_of(rows), {"day": role})["day"].to_pylist()
    assert {date.min, date.max} <= set(days)


def test_an_extreme_range_does_not_overflow():
    role = RowNoise(lower=-(2**54), upper=2**54 - 1, epsilon=1000)
    values = [-(2**63), 2**63 - 1, 0]
    made = DRAWS.noisy(table_of([{"person": i, "cents": v} for i, v in enumerate(values)]), {"cents": role})["cents"]
    assert np.abs(np.array(made) - np.clip(values, *role.span)).max() < 2**55


def test_the_secret_is_in_no_text_of_the_draws():
    shown = f"{DRAWS!r} {DRAWS}"
    assert "secret" not in shown
    assert repr(SECRET)[2:20] not in shown


def test_a_text_outside_the_list_is_an_error_without_its_value():
    with pytest.raises(ValueError, match="does not name") as caught:
        DRAWS.noisy(table_of([{"person": 1, "colour": "mauve"}]), {"colour": ROLES["colour"]})
    assert "mauve" not in str(caught.value)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=30))
def test_occurrences_count_equal_keys(keys):
    found = occurrences(np.array(keys, dtype=np.uint64).reshape(-1, 2))
    assert sorted(zip(keys, found.tolist(), strict=True)) == sorted(
        (key, number) for key in set(keys) for number in range(keys.count(key))
    )

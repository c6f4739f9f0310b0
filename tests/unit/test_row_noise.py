"""Noise on Arrow tables: the same for the same row wherever it is computed, another for another use."""

from dataclasses import replace
from datetime import date
from decimal import ROUND_FLOOR, Decimal

import numpy as np
import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st
from kveil.anonymize.blocks import blocks_of
from kveil.anonymize.grid import off_grid, on_grid
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


NAMED = Draws(("till", "number"), ("shop", "every release"), SECRET, named=True)


def of_named(rows, draws=NAMED, roles=ROLES):
    """The noisy values by the row's name, where the row's place in `rows` is its number at the till."""
    texts = pa.array([f"till {number % 3}" for number, _ in rows])
    table = table_of([row for _, row in rows]).append_column("till", texts)
    made = draws.noisy(table.append_column("number", pa.array([number for number, _ in rows])), roles)
    return {number: tuple(made[name][i].as_py() for name in roles) for i, (number, _) in enumerate(rows)}


@given(st.lists(cells, min_size=1, max_size=30), cells, st.randoms(use_true_random=False))
def test_a_named_row_s_values_keep_their_draws_whatever_else_changes(rows, other, random):
    """Any column may change, rows may lie anywhere: a value that stayed has its noise, and one that changed has another."""
    before = list(enumerate(rows))
    after = [(number, {**row, **{name: other[name] for name in other if random.random() < 0.5}}) for number, row in before]
    old, new = of_named(before), of_named(random.sample(after, len(after)))
    cut = [of_named([each]) for each in after]
    assert {number: made for part in cut for number, made in part.items()} == new
    for (number, was), (_, now) in zip(before, after, strict=True):
        for i, name in enumerate(ROLES):
            if was[name] == now[name]:
                assert old[number][i] == new[number][i]


def test_a_changed_value_draws_anew():
    """Two values under one draw would tell their difference to anybody."""
    rows = [(i, {"cents": 400, "day": date(2024, 5, 1), "colour": "red"}) for i in range(3000)]
    changed = [(i, {"cents": 401, "day": date(2024, 5, 2), "colour": "green"}) for i, _ in rows]
    old, new = of_named(rows), of_named(changed)
    cents, days = ([[made[i][at] for i in range(3000)] for made in (old, new)] for at in (0, 1))
    assert np.mean(np.diff(cents, axis=0) == 1) < 0.05
    assert abs(np.corrcoef(*cents)[0, 1]) < 0.1
    assert abs(np.corrcoef(*[[day.toordinal() for day in each] for each in days])[0, 1]) < 0.1
    kept = [np.array([made[i][2] for i in range(3000)]) == colour for made, colour in ((old, "red"), (new, "green"))]
    assert abs(np.corrcoef(*kept)[0, 1]) < 0.1


def test_what_the_bounds_make_one_value_has_one_draw():
    """Else whoever is far beyond the bounds, and changes there, would have the same clamped value told again and again."""
    one, two = ({i: {"cents": cents} for i in range(200)}.items() for cents in (10**6, 10**9))
    only = {"cents": ROLES["cents"]}
    assert of_named(list(one), roles=only) == of_named(list(two), roles=only)


def test_names_that_differ_in_any_part_draw_for_themselves():
    rows = [(i, {"cents": 500}) for i in range(2000)]
    only = {"cents": ROLES["cents"]}
    made = np.array([each for (each,) in of_named(rows, roles=only).values()])
    assert len(np.unique(made)) > 1000
    assert abs(np.corrcoef(made[:-1], made[1:])[0, 1]) < 0.1
    by_number = of_named(rows, replace(NAMED, row=("number",)), only)
    assert np.mean(made == np.array([each for (each,) in by_number.values()])) < 0.05


texts = st.none() | st.text(max_size=40) | st.sampled_from(["", "a" * 16, "a" * 17, "a" * 32])


@given(st.lists(texts, max_size=12), st.integers(0, 3))
def test_texts_have_one_block_each_alone_or_among_others(texts, start):
    column = pa.chunked_array([pa.array([*texts, *["x"] * 3], pa.string()).slice(min(start, len(texts)))])
    found = [tuple(block) for block in blocks_of(column, SECRET)]
    held = column.to_pylist()
    assert len(set(found)) == len(set(held))
    for block, text in zip(found, held, strict=True):
        alone = blocks_of(pa.chunked_array([pa.array([text], pa.string())]), SECRET)
        assert tuple(alone[0]) == block


def test_a_text_s_block_is_the_mac_of_its_length_and_octets():
    """Against AES, one block at a time."""
    text = "Straße 17, 3. Stock, links".encode()
    state = aes(len(text).to_bytes(16, "little"))
    for start in range(0, len(text), 16):
        part = text[start : start + 16].ljust(16, b"\0")
        state = aes(bytes(one ^ other for one, other in zip(state, part, strict=True)))
    found = blocks_of(pa.chunked_array([pa.array([text.decode()])]), SECRET)
    assert found.astype("<u8").tobytes() == state


def aes(block):
    return Cipher(algorithms.AES(SECRET), modes.ECB()).encryptor().update(block)


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


@given(
    st.lists(st.none() | st.integers(-(10**12), 10**12), min_size=1, max_size=20),
    st.sampled_from(["0.01", "0.05", "0.1", "1", "25"]),
    st.integers(2, 4),
)
def test_decimals_are_lowered_to_their_grid_and_stay_on_it(units, step, places):
    """Against Python's decimals: floor to a multiple of the step, and back, with a slice in between."""
    role = RowNoise(lower=0, upper=100, step=step, epsilon=1)
    values = [None if unit is None else Decimal(unit).scaleb(-places) for unit in units]
    column = pa.chunked_array([pa.array([None, *values], pa.decimal128(20, places)).slice(1)])
    steps = on_grid(column, role)
    assert steps.tolist() == [
        0 if value is None else int((value / Decimal(step)).to_integral_value(ROUND_FLOOR)) for value in values
    ]
    back = off_grid(steps, np.array([value is None for value in values]), role).to_pylist()
    assert back == [
        None if value is None else number * Decimal(step) for value, number in zip(values, steps.tolist(), strict=True)
    ]


def test_decimals_that_64_bits_do_not_hold_are_clamped_like_others():
    role = RowNoise(lower=0, upper=100, step="0.01", epsilon=1000)
    column = pa.chunked_array([pa.array([Decimal(10) ** 30, -(Decimal(10) ** 30)], pa.decimal128(38, 4))])
    made = Draws((), (), SECRET).noisy(pa.table({"it": column, "person": [1, 2]}), {"it": role})["it"]
    assert made.type == pa.decimal128(38, 2)
    assert [abs(found - clamped) < 10 for found, clamped in zip(made.to_pylist(), (100, 0), strict=True)] == [True, True]


def test_noise_on_a_grid_has_the_scale_of_its_steps():
    role = RowNoise(lower=0, upper=10, step="0.5", epsilon=1)
    table = pa.table({"person": np.arange(20_000), "it": pa.array([Decimal("5.25")] * 20_000, pa.decimal128(9, 2))})
    found = np.array(Draws((), (), SECRET).noisy(table, {"it": role})["it"].to_pylist(), dtype=float)
    assert not (found * 2 % 1).any()
    assert abs(found.mean() - 5) < 6 * found.std() / np.sqrt(len(found))
    assert found.std() == pytest.approx(0.5 * np.sqrt(2) * 20, rel=0.05)

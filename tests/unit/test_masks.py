"""Masked columns of Arrow tables: what each technique shows, nulls, types, and that other rows of a table play no part."""

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.anonymize.masking.arrow import HIDDEN, Masks
from kveil.anonymize.masking.columns import check_types, type_of
from kveil.errors import ContractError
from kveil.privacy.masking.fakes import fakes
from kveil.privacy.masking.keyed import tokens, words
from kveil.settings.mask import Bin, DateShift, Encrypt, Fake, Partial, Pseudonym, Redact, Round, Scrub, Swap, TopBottom

KEY = bytes(range(32))
SAID = {"reason": "a test", "linkable": True}
ROLES = {
    "redacted": Redact(technique="redact", reason="a test"),
    "tail": Partial(technique="partial", keep_last=4, reason="a test"),
    "mail": Partial(technique="partial", keep="domain", reason="a test"),
    "token": Pseudonym(technique="pseudonym", **SAID),
    "phone": Encrypt(technique="encrypt", format="digits", unfit="null", **SAID),
    "name": Fake(technique="fake", kind="name", **SAID),
    "day": DateShift(technique="date_shift", days=30, **SAID),
    "moment": DateShift(technique="date_shift", days=30, **SAID),
    "rounded": Round(technique="round", to=10, reason="a test"),
    "price": Round(technique="round", to="0.5", reason="a test"),
    "month": Round(technique="round", to="month", reason="a test"),
    "range": Bin(technique="bin", edges=[0, 10, "12.5"], reason="a test"),
    "capped": TopBottom(technique="top_bottom", lower=0, upper=100, reason="a test"),
    "late": TopBottom(technique="top_bottom", upper="2024-06-30", reason="a test"),
    "note": Scrub(technique="scrub", **SAID),
    "swapped": Swap(technique="swap", reason="a test"),
}
MASKS = Masks(ROLES, {name: KEY for name in ("token", "phone", "name", "day", "moment")})
SCHEMA = pa.schema(
    {
        "person": pa.int64(), "redacted": pa.string(), "tail": pa.string(), "mail": pa.string(), "token": pa.int64(),
        "phone": pa.string(), "name": pa.string(), "day": pa.date32(), "moment": pa.timestamp("us", "UTC"), "rounded": pa.int32(),
        "price": pa.decimal128(12, 2), "month": pa.date32(), "range": pa.float64(), "capped": pa.int64(), "late": pa.date32(),
        "note": pa.string(), "swapped": pa.int64(),
    }
)  # fmt: skip
SQL = {
    "bigint": pa.int64(), "int": pa.int32(), "string": pa.string(), "date": pa.date32(), "timestamp": pa.timestamp("us", "UTC"),
    "decimal(12,2)": pa.decimal128(12, 2), "double": pa.float64(),
}  # fmt: skip
days = st.dates(date(1900, 1, 1), date(2100, 1, 1))
rows_of = st.lists(
    st.fixed_dictionaries(
        {
            "person": st.integers(0, 4),
            **{name: st.none() | st.text("ab@.é1", max_size=8) for name in ("redacted", "tail", "mail", "name", "note")},
            "token": st.none() | st.integers(0, 3),
            "phone": st.none() | st.text("0123456789 +", max_size=12),
            **{name: st.none() | days for name in ("day", "month", "late")},
            "moment": st.none() | days.map(lambda day: datetime(day.year, day.month, day.day, 13, 5, tzinfo=timezone.utc)),
            "rounded": st.none() | st.integers(-1000, 1000),
            "price": st.none() | st.integers(-(10**6), 10**6).map(lambda cents: Decimal(cents) / 100),
            "range": st.none() | st.floats(-20, 20),
            "capped": st.none() | st.integers(-(2**62), 2**62),
            "swapped": st.none() | st.integers(0, 9),
        }
    ),
    max_size=6,
)


def masked(rows):
    made = MASKS.masked(pa.Table.from_pylist(rows, SCHEMA), "person")
    return {name: column.to_pylist() for name, column in made.items()}, {name: column.type for name, column in made.items()}


def one(name, value, person=1):
    return masked([{"person": person, name: value}])[0][name][0]


@given(rows_of)
def test_each_row_is_masked_as_if_it_were_alone_nulls_stay_null_and_types_are_as_declared(rows):
    together, types = masked(rows)
    alone = [masked([row])[0] for row in rows]
    sql = {kind: name for name, kind in SQL.items()}
    for name, role in ROLES.items():
        assert together[name] == [each[name][0] for each in alone]
        assert types[name] == SQL[type_of(role, sql[SCHEMA.field(name).type])]
        missing = [row[name] is None for row in rows]
        if name != "phone":  # which may be unfit
            assert [value is None for value in together[name]] == missing


@given(st.lists(st.tuples(st.integers(0, 2), days), min_size=2, max_size=10))
def test_all_dates_of_a_person_move_by_the_same_days(cells):
    rows = [
        {"person": person, "day": day, "moment": datetime(day.year, day.month, day.day, 13, 5, tzinfo=timezone.utc)}
        for person, day in cells
    ]
    made, _ = masked(rows)
    moved: dict[int, set[timedelta]] = {}
    for row, day, moment in zip(rows, made["day"], made["moment"], strict=True):
        moved.setdefault(row["person"], set()).update({day - row["day"], moment - row["moment"]})
    for shifts in moved.values():
        assert len(shifts) == 1
        assert timedelta(1) <= abs(shifts.pop()) <= timedelta(30)


def test_dates_at_the_ends_of_the_calendar_stay_dates():
    assert {one("day", end, person).year for end in (date.min, date.max) for person in range(9)} == {1, 9999}


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("redacted", "anything", HIDDEN),
        ("tail", "4111111111111234", "***1234"),
        ("tail", "12345678", "***5678"),
        ("tail", "1234567", "***"),
        ("tail", "", "***"),
        ("mail", "ann.doe@example.com", "***@example.com"),
        ("mail", "ann", "***"),
        ("mail", "a@b@c", "***"),
        ("mail", "@x", "***"),
        ("rounded", 15, 20),
        ("rounded", 25, 20),
        ("rounded", -14, -10),
        ("price", Decimal("1.24"), Decimal("1.00")),
        ("price", Decimal("1.26"), Decimal("1.50")),
        ("month", date(2024, 2, 29), date(2024, 2, 1)),
        ("range", -0.1, "< 0"),
        ("range", 0.0, "[0, 10)"),
        ("range", 12.4, "[10, 12.5)"),
        ("range", 12.5, ">= 12.5"),
        ("range", float("nan"), None),
        ("capped", 101, 100),
        ("capped", -5, 0),
        ("capped", 50, 50),
        ("late", date(2025, 1, 1), date(2024, 6, 30)),
        ("late", date(1950, 1, 1), date(1950, 1, 1)),
        ("note", "pay DE89370400440532013000 now", "pay <IBAN> now"),
        ("note", "no number", "no number"),
        ("note", "12:30", "12:30"),
        ("note", "ip 1.2.3.4", "ip <IP>"),
        ("note", "::1", "<IP>"),
        ("phone", "12", None),
    ],
)
def test_what_is_shown(name, value, shown):
    assert one(name, value) == shown


def test_tokens_follow_values_and_fakes_follow_people():
    assert one("token", 7) == tokens(["7"], KEY)[0]
    assert one("name", "Ann", 3) == one("name", "Anne", 3) == fakes("name", words(["3"], KEY))[0]


def test_nothing_tells_the_keys():
    assert KEY.hex() not in repr(MASKS) and str(KEY) not in repr(MASKS)


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("tail", "bigint", "partial masks string"),
        ("phone", "double", "encrypt masks string, tinyint"),
        ("day", "string", "masks date"),
        ("month", "bigint", "round masks date"),
        ("rounded", "date", "round masks tinyint"),
        ("late", "bigint", "top_bottom masks date"),
        ("price", "decimal(12,0)", "found 0.5, which a column of type decimal"),
        ("capped", "tinyint", None),
        ("price", "int", "found 0.5, which a column of type int"),
        ("capped", "decimal(2,0)", "upper: found 100"),
        ("range", "string", "bin masks"),
    ],
)
def test_a_column_that_a_technique_cannot_mask_is_refused(name, kind, told):
    if told is None:
        check_types({name: kind}, {name: ROLES[name]})
        return
    with pytest.raises(ContractError, match=rf"anonymize\.mask\.{name}.*{told}"):
        check_types({name: kind}, {name: ROLES[name]})

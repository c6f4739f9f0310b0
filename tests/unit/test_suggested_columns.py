"""Types, standards and columns to leave out: what a look at a source suggests, and what it never does."""

from collections import Counter
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import ClassVar

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.clean.casts import reads
from kveil.clean.suggest.look import Look
from kveil.clean.suggest.memory import Decision, kind_of, weighed
from kveil.clean.suggest.run import of_source
from kveil.settings.recipe import Cast, Drop, Standard

TODAY = date(2026, 1, 2)


def seen(columns, rows=None):
    """A look at text columns; `rows` says how many the table has where more were not looked at."""
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    counted = {name: dict(Counter(value for value in values if value is not None)) for name, values in columns.items()}
    few = counted if rows is None else {}
    return Look("sales", rows or table.num_rows, dict.fromkeys(columns, "string"), few, table)


def suggested(columns, kind, texts=(), free=(), used=(), rows=None):
    sections = {name: ["anonymize"] if name in used else [] for name in free}
    steps = weighed(of_source(seen(columns, rows), "customer", TODAY, texts, sections), [])
    return [step for step in steps if isinstance(step, kind)]


class TestReads:
    @pytest.mark.parametrize(
        ("to", "read", "not_read"),
        [
            ("bigint", ["12", " -3 ", "+7", str(2**63 - 1)], ["1.0", "1e3", "", str(2**63), "١٢", "1 2"]),
            ("decimal(4,2)", ["1", "-12.3", "1.250", ".5", "7.", "0012.5"], ["1.255", "123", ".", "1,5", "x"]),
            ("double", ["1e3", "-.5", "1e308"], ["1e400", "nan", "Infinity", ""]),
            ("boolean", ["TRUE", "no", "1", "t"], ["ja", "2", ""]),
            ("date", ["2020-02-29", "2020-1-5"], ["2019-02-29", "29.02.2020", "2020", "2020-02-29 10:00", "0000-01-01"]),
            ("timestamp", ["2020-02-29 23:59:59", "2020-02-29T10:00:00Z", "2020-02-29 10:00:00.5+02:00"], ["2020-02-29"]),
        ],
    )  # fmt: skip
    def test_known_answers(self, to, read, not_read):
        assert [text for text in [*read, *not_read] if reads(text, to)] == read

    @given(st.from_regex(r"[+-]?[0-9]{0,6}(\.[0-9]{0,5})?", fullmatch=True))
    def test_a_decimal_reads_what_it_holds_exactly(self, text):
        try:
            value = Decimal(text)
        except InvalidOperation:
            assert not reads(text, "decimal(5,2)")
            return
        assert reads(text, "decimal(5,2)") == (value == value.quantize(Decimal("0.01")) and abs(value) < 1000)


class TestTypes:
    def test_what_all_values_read_as_is_accepted_and_a_few_others_are_asked(self):
        columns = {
            "whole": [str(n) for n in range(100)],
            "broken": [f"{n}.{n:02}" for n in range(100)],
            "small": [f"{n}e-3" for n in range(100)],
            "flag": ["yes", "no"] * 50,
            "day": ["2020-01-31", "2020-02-01"] * 50,
            "moment": ["2020-01-31 10:00:00", "n/a"] * 50,
            "mostly": [*map(str, range(98)), "x", "yy"],
            "text": ["food", "7"] * 50,
        }
        found = {step.column: (step.to, step.accept, step.evidence.cells) for step in suggested(columns, Cast)}
        assert found == {
            "whole": ("bigint", True, 0), "broken": ("decimal(18,2)", True, 0), "small": ("double", True, 0),
            "flag": ("boolean", True, 0), "day": ("date", True, 0), "moment": ("timestamp", True, 0),
            "mostly": ("bigint", "ask", 2),
        }  # fmt: skip

    def test_a_few_broken_numbers_make_no_whole_ones(self):
        (step,) = suggested({"n": [*map(str, range(97)), "1.5", "2.5", "3.5"]}, Cast)
        assert (step.to, step.accept) == ("decimal(18,1)", True)

    def test_codes_are_no_numbers(self):
        columns = {
            "shop": [*map(str, range(99)), "007"],
            "postcode": ["10115", "20095"] * 50,
            "phone": ["4930123456", "4930123457"] * 50,
            "customer": [*map(str, range(100))],
            "kept": [*map(str, range(100))],
            "series": ["1011", "2009"] * 50,
        }
        (asked,) = suggested(columns, Cast, texts={"kept"})
        assert (asked.column, asked.accept) == ("series", "ask") and "same number of digits" in asked.reason

    def test_what_was_not_all_seen_is_asked_and_dates_in_other_forms_wait_for_their_step(self):
        (step,) = suggested({"n": [*map(str, range(100))]}, Cast, rows=1000)
        assert step.accept == "ask"
        (step,) = suggested({"day": ["31/12/2020", "01/02/2021"] * 20}, Cast)
        assert (step.to, step.accept) == ("date", "ask") and "once the step date" in step.reason


class TestStandards:
    def test_several_ways_to_write_a_thing_are_one_thing(self):
        (step,) = suggested({"country": ["DE", "Germany", "FRA", "fr"] * 10}, Standard)
        assert (step.to, step.accept, step.evidence.cells) == ("country", True, 30)
        assert step.evidence.examples == ["AAA -> AA", "Aaaaaaa -> AA", "aa -> AA"]

    def test_signs_of_several_currencies_are_asked_and_told(self):
        (step,) = suggested({"currency": ["EUR", "€", "$"] * 10}, Standard)
        assert step.accept == "ask" and "'$' may be AUD, CAD, MXN, USD" in step.reason

    def test_national_phone_numbers_are_asked_for_their_region(self):
        (step,) = suggested({"phone": ["+49 30 123456", "030 123456", "0049 30 123456"] * 10}, Standard)
        assert (step.to, step.accept, step.evidence.cells) == ("phone", "ask", 20) and "region" in step.reason
        (alike,) = suggested({"phone": ["+49 30 123456", "+49 30 123457"] * 10}, Standard)
        assert alike.accept == "ask" and "written alike" in alike.reason

    def test_what_is_in_the_form_or_something_else_suggests_nothing(self):
        columns = {
            "country": ["DE", "FR"] * 20,
            "state": ["CA", "DE", "TX", "NY", "FL"] * 8,
            "item": ["Georgia", "Germany"] * 20,
            "customer": ["Germany", "FR"] * 20,
        }
        assert suggested(columns, Standard) == []

    def test_the_old_form_is_not_called_unusual(self):
        columns = {"phone": ["+49 30 123456"] * 96 + ["0049 30 123456"] * 2 + ["+49-30-123456", "+49 30123456"]}
        steps = of_source(seen(columns), "customer", TODAY, (), {})
        assert "unusual" not in {step.step for step in steps}


class TestDrops:
    COLUMNS: ClassVar = {
        "customer": [str(n) for n in range(40)],
        "id": [str(n) for n in range(40, 80)],
        "same": ["x"] * 40,
        "none": [None] * 40,
        "nearly": [None] * 40,
        "code": ["a", "b", "b", "c"] * 10,
        "name": ["apple", "pear", "pear", "plum"] * 10,
        "again": ["apple", "pear", "pear", "plum"] * 10,
        "other": ["apple", "pear", "plum", "plum"] * 10,
    }

    def test_what_tells_nothing_is_asked(self):
        steps = suggested(self.COLUMNS, Drop, free=set(self.COLUMNS))
        assert {step.column: step.accept for step in steps} == dict.fromkeys(["same", "none", "nearly", "name", "again"], "ask")
        reasons = {step.column: step.reason for step in steps}
        assert "same value" in reasons["same"] and "holds anything" in reasons["none"]
        assert "code tells it" in reasons["name"]

    def test_what_is_used_stays_and_of_copies_the_one_that_is_used(self):
        free = set(self.COLUMNS) - {"same", "again"}
        assert {step.column for step in suggested(self.COLUMNS, Drop, free=free)} == {"none", "nearly", "code", "name"}

        steps = suggested(self.COLUMNS, Drop, free=set(self.COLUMNS), used={"same", "again"})
        assert {step.column for step in steps} == {"same", "none", "nearly", "code", "name"}
        (same,) = [step for step in steps if step.column == "same"]
        assert "anonymize uses it" in same.reason and same.confidence < 0.5

    def test_a_copy_of_the_privacy_unit_goes_and_never_the_unit(self):
        columns = {"again": [str(n // 2) for n in range(40)], "customer": [str(n // 2) for n in range(40)]}
        (step,) = suggested(columns, Drop, free=set(columns))
        assert (step.column, "customer holds the same" in step.reason) == ("again", True)


CELL = st.sampled_from(
    ["7", "007", "1.5", "2020-01-31", "yes", "Germany", "$", "+49 30 123456", "", None, "x" * 400, "G\u0435r\u0301 \u202eab"]
)


@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=50))
def test_no_step_concerns_the_privacy_unit_and_every_one_can_be_read_again(rows):
    columns = {name: [row[i] for row in rows] for i, name in enumerate(("customer", "one", "other"))}
    for step in of_source(seen(columns), "customer", TODAY, (), dict.fromkeys(columns, ())):
        assert step.column != "customer"
        assert type(step).model_validate(step.model_dump(mode="json")) == step


def test_many_distinct_texts_in_mixed_scripts_suggest_nothing_wrong():
    scripts = ["shop {}", "\u043c\u0430\u0433\u0430\u0437\u0438\u043d {}", "\u0645\u062a\u062c\u0631 {}", "cafe\u0301 {}"]
    columns = {"name": [scripts[n % 4].format(n) for n in range(10_000)], "text": [f"{n} " + "x" * 290 for n in range(10_000)]}
    assert of_source(seen(columns, rows=1_000_000), "customer", TODAY, (), dict.fromkeys(columns, ())) == []


def test_answers_shift_steps_of_the_same_result_alone():
    casts = [Cast(step="cast", source="s", column="a", to=to, confidence=0.5) for to in ("decimal(18,2)", "date")]
    assert [kind_of(step) for step in casts] == [("cast", "decimal"), ("cast", "date")]
    decided = [Decision("s", name, ("cast", "decimal"), True) for name in "bcde"]
    assert [step.accept for step in weighed(casts, decided)] == [True, "ask"]

"""What a look at a source suggests, how it is written down, and what earlier answers make of it."""

from collections import Counter
from datetime import date

import numpy as np
import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from kveil.clean.suggest.columns import of_columns
from kveil.clean.suggest.dates import dated
from kveil.clean.suggest.look import Look
from kveil.clean.suggest.memory import Decision, weighed
from kveil.clean.suggest.numbers import numbered
from kveil.clean.suggest.recipe_file import written
from kveil.clean.suggest.repairs import of_table
from kveil.cli import main
from kveil.errors import SettingsError
from kveil.settings import Policy, load
from kveil.settings.recipe import Fill, Merge, NullTokens, Recipe

from tests.builders import shop

TODAY = date(2026, 1, 2)


def seen(columns, types=None):
    """A look at few rows, given as lists of texts."""
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    kinds = types or dict.fromkeys(columns, "string")
    few = {name: dict(Counter(v for v in values if v is not None)) for name, values in columns.items() if kinds[name] == "string"}
    return Look("sales", table.num_rows, kinds, few, table)


def suggested(look, person="customer"):
    return [*of_columns(look, person, TODAY), *of_table(look, person)]


def kinds(steps):
    return {(step.column, step.step) for step in steps}


class TestDates:
    def read(self, *values):
        return dated(dict(Counter(values)), TODAY, date(1900, 1, 1))

    def test_one_form_whose_days_are_beyond_twelve_is_certain(self):
        found = self.read("13/02/2020", "01/03/2020", "28/12/1999")
        assert (found.patterns, found.two_ways, found.others) == (["d/M/yyyy"], 0, 0)
        assert self.read("02/13/2020", "03/01/2020").patterns == ["M/d/yyyy"]

    def test_a_form_that_parses_two_ways_says_so(self):
        assert self.read("01/02/2020", "03/04/2020", "05/05/2020").two_ways == 2
        mixed = self.read("13/02/2020", "14/02/2020", "02/13/2020")
        assert (mixed.patterns, mixed.two_ways, mixed.others) == (["d/M/yyyy"], 1, 1)

    def test_short_years_and_days_that_do_not_exist(self):
        found = self.read("1980-01-31", "1980-02-30", "0001-01-01", "9999-12-31", "31.01.55", "31.01.19")
        assert found.patterns == ["yyyy-M-d", "d.M.yy"]
        assert (found.cells, found.others, found.early, found.late) == (5, 1, 1, 1)

    def test_what_is_mostly_no_date_is_none(self):
        assert self.read("2020-01-01", "shop", "17", "1/2/3/4") is None
        assert self.read("192.168.1.1", "10-20", "3-4-5") is None


class TestNumbers:
    def test_several_habits_are_an_inconsistency(self):
        values = {"12.0 oz": 50, "12.0 oz.": 40, "16.0 OZ.": 30, "12 ounce": 20}
        found = numbered(values)
        assert (found.units, found.one_habit, found.other_scale, found.cells) == (["ounce", "oz", "oz."], False, False, 140)

    def test_one_habit_is_none_and_codes_are_no_numbers(self):
        assert numbered({f"{i} %": 1 for i in range(50)}).one_habit
        assert numbered({"01234 m": 10, "12345 m": 90}) is None
        assert numbered({"12": 10, "12.5": 90}) is None
        assert numbered({"12 kg": 50, "abc": 50}) is None

    def test_per_cent_beside_shares_is_another_scale(self):
        assert numbered({"0.05": 50, "5%": 50}).other_scale
        assert not numbered({"0.05": 50, "0.06%": 50}).other_scale


class TestSteps:
    def test_words_for_nothing_spellings_and_looks_are_found(self):
        rows = 200
        columns = {
            "customer": ["n/a"] * rows,
            "phone": ["+43 1 5880"] * (rows - 8) + ["unknown"] * 4 + [" N/A"] * 4,
            "kind": ["food store"] * (rows - 9) + ["Food_Store"] * 8 + ["foodstore"],
            "code": ["AT12"] * (rows - 2) + ["A?12", "at-12"],
            "note": [f"text {i} of somebody" for i in range(rows)],
        }
        steps = suggested(seen(columns))
        assert kinds(steps) == {("phone", "null_tokens"), ("kind", "merge"), ("code", "merge"), ("code", "unusual")}
        tokens = next(step for step in steps if isinstance(step, NullTokens))
        assert tokens.tokens == ["n/a", "unknown"] and tokens.evidence.cells == 8
        assert [(step.by, step.evidence.cells) for step in steps if isinstance(step, Merge) and step.column == "kind"] == [
            ("spelling", 8),
            ("ngram", 1),
        ]

    def test_dates_that_parse_two_ways_are_asked(self):
        plain = suggested(seen({"born": ["13/02/1980", "11/12/1990", "1980-01-31"] * 20}))
        two = suggested(seen({"born": ["03/02/1980", "11/12/1990"] * 20}))
        assert [step.accept for step in weighed(plain, [])] == [True]
        (alike,) = weighed(suggested(seen({"born": ["13/02/1980", "31/12/1990"] * 20})), [])
        assert alike.accept == "ask" and "written alike" in alike.reason
        (asked,) = weighed(two, [])
        assert asked.accept == "ask" and "parse two ways" in asked.reason and asked.confidence < 0.75

    def test_clean_columns_suggest_nothing(self):
        random = np.random.default_rng(1)
        columns = {
            "kind": random.choice(["food", "fuel", "rent"], 300).tolist(),
            "born": ["1980-01-31", "1999-12-01"] * 150,
            "cents": random.integers(1, 5000, 300).astype(str).tolist(),
            "empty": [None] * 300,
            "same": ["x"] * 300,
        }
        assert suggested(seen(columns, {**dict.fromkeys(columns, "string"), "cents": "bigint"})) == []

    def test_a_table_without_rows_suggests_nothing(self):
        empty = pa.table({name: pa.chunked_array([], pa.string()) for name in ("a", "b")})
        assert suggested(Look("sales", 0, {"a": "string", "b": "int"}, {}, empty)) == []

    def test_a_table_tells_wrong_cells_and_missing_ones(self):
        random = np.random.default_rng(1)
        shops = random.integers(0, 20, 400)
        towns = np.array(["Vienna", "Graz", "Linz", "Salzburg"], dtype=object)[shops % 4]
        towns[:2], towns[10:16] = "Grraz", None
        (step,) = suggested(seen({"shop": shops.astype(str).tolist(), "town": towns.tolist()}))
        assert (step.column, step.step, step.by, step.alone, step.fill) == ("town", "repair", ["shop"], True, False)
        assert step.evidence.examples == ["Aaaaa -> Aaaa"] and "with fill: true also up to 6 missing ones" in step.effect

    def test_what_is_mostly_so_is_no_rule_and_a_persons_habit_is_none(self):
        random = np.random.default_rng(1)
        incomes = random.integers(0, 20, 400)
        segments = np.array(["retail", "premium"], dtype=object)[incomes // 10]
        segments[random.choice(400, 8, replace=False)] = "private"
        columns = {"income": incomes.astype(str).tolist(), "segment": segments.tolist()}
        assert suggested(seen(columns)) == []
        countries = np.array(["Austria", "France"], dtype=object)[incomes // 10]
        countries[:1] = "Iceland"
        columns = {"customer": incomes.astype(str).tolist(), "country": countries.tolist()}
        assert suggested(seen(columns)) == []
        assert [step.by for step in suggested(seen({**columns, "town": columns["customer"]})) if step.alone] == [["town"]]

    def test_few_numbers_far_out_are_asked(self):
        random = np.random.default_rng(1)
        amounts = [*np.exp(random.normal(3, 1, 500)).round(2).astype(str), "99999999"]
        (step,) = weighed(suggested(seen({"amount": amounts}, {"amount": "double"})), [])
        assert (step.step, step.accept, step.evidence.cells) == ("outlier", "ask", 1)
        assert step.min < 0 < step.max < 99999999

    CELL = st.sampled_from(
        ["n/a", "-", "food", "Food", "f00d", "01/02/2020", "12 kg", "12 KG", "1980-02-30", "Grraz", "Graz", None]
    )

    @given(st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=60))
    def test_no_step_concerns_the_privacy_unit_and_no_example_tells_a_value(self, rows):
        names = ("customer", "one", "other")
        columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
        steps = suggested(seen(columns))
        assert "customer" not in {step.column for step in steps}
        for step in steps:
            if not isinstance(step, NullTokens):
                told = " ".join(step.evidence.examples).replace("->", "").replace("null", "")
                assert not {sign for sign in told if sign.isalnum()} - set("Aa9")


class TestMemory:
    STEP = NullTokens(step="null_tokens", source="s", column="a", tokens=["-"], confidence=0.8, reason="why")

    def decision(self, accepted, column="b"):
        return Decision("s", column, ("null_tokens", ""), accepted)

    def test_confidence_is_the_mean_of_a_beta_distribution(self):
        assert weighed([self.STEP], [])[0].confidence == 0.8
        (low,) = weighed([self.STEP], [self.decision(False)] * 4)
        assert (low.confidence, low.accept) == (0.4, "ask")
        (high,) = weighed([self.STEP.model_copy(update={"confidence": 0.6})], [self.decision(True)] * 4)
        assert (high.confidence, high.accept) == (0.8, True)

    def test_the_like_alone_counts_and_a_refused_step_stays_refused(self):
        fill = Fill(step="fill", source="s", column="a", value="x", confidence=0.3)
        assert weighed([fill], [self.decision(True)] * 9)[0].confidence == 0.3
        (again,) = weighed([self.STEP], [self.decision(False, "a")])
        assert again.accept is False and again.reason == "why; it was refused before"


class TestFile:
    def test_what_is_written_is_read_as_the_same_steps(self, tmp_path):
        columns = {"born": ["13/02/1980", "0001-01-01", "x"] * 20, "kind": ["food"] * 50 + ["FOOD"] * 10}
        steps = weighed(suggested(seen(columns)), [])
        text = written("shop", steps)
        assert Recipe.model_validate(yaml.safe_load(text)).steps == steps
        (tmp_path / "steps.yml").write_text(text)
        assert Recipe.model_validate("steps.yml", context={"folder": tmp_path}).steps == steps

    def test_columns_of_one_value_are_named_beside_the_steps(self):
        look = seen({"kind": ["food"] * 9, "none": [None] * 9, "town": ["Graz", "Linz", None] * 3})
        assert look.constant == ["kind", "none"]
        text = written("shop", [], [f"sales.{name}" for name in look.constant], {"sales": 3, "other": 0})
        assert "# 3 rows of sales are alike" in text and "of other" not in text
        assert "# sales.kind holds one value or none" in text and Recipe.model_validate(yaml.safe_load(text)).steps == []

    def test_a_recipe_that_may_hold_answers_is_not_written_over(self, tmp_path, capsys):
        there = tmp_path / "steps.yml"
        there.write_text("steps: []")
        with pytest.raises(SystemExit) as ended:
            main(["suggest", str(tmp_path / "policy.yml"), "--out", str(there)])
        assert ended.value.code == 2 and "is there already; give a new file" in capsys.readouterr().err
        assert there.read_text() == "steps: []"

    def test_an_empty_recipe_is_a_recipe(self):
        assert Recipe.model_validate(yaml.safe_load(written("shop", []))).steps == []


class TestSettings:
    @pytest.mark.parametrize(
        ("step", "says"),
        [
            ({"step": "fill", "source": "sales", "column": "gone", "value": "x"}, "declares no column 'gone'"),
            ({"step": "outlier", "source": "sales", "column": "customer", "max": 3}, "'customer' is the privacy unit"),
            ({"step": "merge", "source": "sales", "column": "cents"}, "'cents' is bigint; allowed for merge: a string column"),
            ({"step": "merge", "source": "other", "column": "town"}, "allowed: a source that clean reads: sales"),
            ({"step": "repair", "source": "sales", "column": "town", "by": ["town"]}, "cannot tell itself"),
            ({"step": "outlier", "source": "sales", "column": "reduced", "max": 3}, "allowed for outlier"),
        ],
    )
    def test_a_step_that_the_columns_contradict_is_told(self, step, says):
        policy = Policy.model_validate(shop(clean__recipe={"steps": [step]}))
        assert any(says in sentence for _, sentence in policy.problems())

    def test_faults_of_a_recipe_are_told_together_by_their_keys(self, tmp_path):
        steps = [{"step": "date", "source": "sales", "column": "town", "patterns": ["soon"], "latest": "2020-01-01"}]
        steps += [{"step": "outlier", "source": "sales", "column": "age", "min": 9, "max": 3}, {"step": "guess"}]
        (tmp_path / "steps.yml").write_text(yaml.safe_dump({"steps": steps}))
        (tmp_path / "policy.yml").write_text(yaml.safe_dump(shop(clean__recipe="steps.yml")))
        with pytest.raises(SettingsError) as raised:
            load(tmp_path / "policy.yml")
        assert len(raised.value.problems) == 3
        assert all("clean.recipe" in problem for problem in raised.value.problems)

    def test_a_recipe_that_is_not_there_is_one_sentence(self, tmp_path):
        (tmp_path / "policy.yml").write_text(yaml.safe_dump(shop(clean__recipe="steps.yml")))
        with pytest.raises(SettingsError, match=r"clean.recipe: .*there is no such recipe"):
            load(tmp_path / "policy.yml")

    def test_what_a_recipe_reads_is_collected_and_refused_steps_read_nothing(self):
        steps = [
            {"step": "repair", "source": "sales", "column": "town", "by": ["item"], "accept": accept} for accept in (True, False)
        ]
        recipe = Recipe(steps=steps)
        assert [step.accept for step in recipe.accepted("sales")] == [True]
        policy = Policy.model_validate(shop(clean__recipe={"steps": steps}))
        assert {"town", "item"} <= set(policy.used_columns("sales"))

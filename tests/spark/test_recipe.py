"""A recipe applied: cell by cell, and by what the table itself tells; judged by known answers and a small oracle in Python."""

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
import yaml
from kveil.clean.casts import reads, typed
from kveil.clean.expect import judged
from kveil.clean.near import is_near_duplicate
from kveil.clean.recipe import applied
from kveil.clean.repair.cells import determinants, repaired
from kveil.clean.repair.counts import about_distinct, few_valued
from kveil.clean.repair.facts import MEANT_DDL, facts
from kveil.clean.repair.likeness import alike
from kveil.clean.repair.shapes import mask, masked, shape, shape_of
from kveil.clean.stage import run
from kveil.clean.steps import after
from kveil.clean.suggest.duplicates import came_twice
from kveil.clean.suggest.look import look
from kveil.clean.suggest.run import suggest
from kveil.errors import ContractError, SettingsError
from kveil.rights.retain import retain
from kveil.settings.clean import Clean, NearDuplicates
from kveil.settings.recipe import Date, Fill, Merge, NullTokens, Number, Outlier, Recipe, Repair, Standard, Unusual
from kveil.tables.people import places
from kveil.tables.schema import (
    CLEAN,
    CLEANED_CELLS,
    CLEANING_LOG,
    FACTS,
    ONCE,
    QUALITY_METRICS,
    RAW,
    REPAIRED,
    REPAIRED_IN_TURN,
    SUGGESTIONS,
)
from pyspark.sql import functions as F

OF = {"source": "base", "column": "text", "accept": True}
DATES = Date(step="date", patterns=["d/M/yyyy", "d.M.yy"], earliest="1900-01-01", latest="2026-01-01", others="null", **OF)


class TestCellSteps:
    @pytest.mark.parametrize(
        ("step", "pairs"),
        [
            (NullTokens(step="null_tokens", tokens=["n/a", ""], **OF), {" N/A ": None, "": None, "n/a x": "n/a x"}),
            (
                Number(step="number", units=["oz", "oz."], **OF),
                {
                    "12.0 oz": "12", "0.50OZ.": "0.5", "-3": "-3", "+7": "7", "007": "007", "12 kg": "12 kg", "1.2.3": "1.2.3",
                    "0.30000000000000004 oz": "0.3", "1.9999999999999998": "1.9999999999999998",
                },
            ),
            (Number(step="number", decimal=",", **OF), {"1,50": "1.5", "2,0": "2", "1.5": "1.5", "12": "12"}),
            (
                DATES,
                {
                    "31/01/1980": "1980-01-31", "1/2/1980": "1980-02-01", "31.01.55": "1955-01-31", "01.02.19": "2019-02-01",
                    "1980-02-28": "1980-02-28", "1980-02-30": None, "0001-01-01": None, "9999-12-31": None, "soon": None,
                },
            ),
            (Unusual(step="unusual", shapes=["9%", "a"], **OF), {"98%": "98%", "x8%": None, "empty": "empty"}),
            (Outlier(step="outlier", min=0, max=10, **OF), {"5": "5", "11": None, "-1": None, "many": "many"}),
            (Fill(step="fill", value="x", **OF), {"a": "a", None: "x"}),
            (
                Standard(step="standard", to="phone", region="DE", **OF),
                {"030/123456": "+4930123456", "+43 1 5880": "+4315880", "x": "x", None: None},
            ),
            (
                Standard(step="standard", to="currency", meanings={"$": "USD"}, **OF),
                {"$": "USD", "kr": "kr", "Euro": "EUR", "eur": "EUR"},
            ),
        ],
        ids=lambda value: value.step if not isinstance(value, dict) else "",
    )  # fmt: skip
    def test_known_answers_that_stay_when_the_step_is_done_again(self, spark, step, pairs):
        rows = spark.createDataFrame([(value, other) for value, other in pairs.items()], "text string, expected string")
        once = rows.withColumn("text", after(step, F.col("text"), rows))
        twice = once.withColumn("again", after(step, F.col("text"), once))
        for row in twice.collect():
            assert (row["text"], row["again"]) == (row["expected"], row["expected"])

    def test_spark_and_python_see_the_same_shapes_and_masks(self, spark):
        values = ["KE12 4XY", "Żeleński  12b", "+43-1/5880", "Дж ٣", "", "x" * 100]
        rows = spark.createDataFrame([(value,) for value in values], "text string")
        found = rows.select("text", shape_of(F.col("text")).alias("shape"), masked(F.col("text")).alias("mask")).collect()
        assert [(row["shape"], row["mask"]) for row in found] == [(shape(value), mask(value)) for value in values]


class TestCasts:
    TEXTS = (
        "12", " -3 ", "+7", "007", "9223372036854775807", "9223372036854775808", "1.0", "1.25", "1.255", "1.250", "12345.6",
        ".5", "7.", "1e3", "1e400", "nan", "", "x", "\u0661\u0662", "TRUE", "no", "t", "2020-02-29", "2019-02-29", "2020-1-5",
        "29.02.2020", "2020", "0001-01-01", "9999-12-31", "2020-02-29 23:59:59", "2020-02-29T10:00:01Z", "2020-02-29 10:00",
        "2020-02-29 10:00:00.123456+02:00", "2020-02-29 24:00", "2020-02-29 10:00:00+19:00", "x" * 1_000_000, "\u202e12", None,
    )  # fmt: skip

    def test_spark_reads_what_python_says_and_nothing_else(self, spark):
        types = ("boolean", "bigint", "decimal(6,2)", "double", "date", "timestamp")
        rows = spark.createDataFrame([(i, text) for i, text in enumerate(self.TEXTS)], "id int, text string")
        found = rows.select("id", *[typed(F.col("text"), to).alias(to) for to in types]).orderBy("id").toArrow()
        for to in types:
            expected = [text is not None and reads(text, to) for text in self.TEXTS]
            assert dict(zip(self.TEXTS, found.column(to).is_valid().to_pylist(), strict=True)) == dict(
                zip(self.TEXTS, expected, strict=True)
            ), to
        values = dict(zip(self.TEXTS, found.column("decimal(6,2)").to_pylist(), strict=True))
        assert (values["1.250"], values[" -3 "], values["12345.6"]) == (Decimal("1.25"), Decimal(-3), None)

    def test_what_was_read_is_read_again_as_the_same(self, spark):
        """Of texts drawn from the letters that numbers, days and moments are made of; most say nothing, and some of each do."""
        random = np.random.default_rng(17)
        drawn = {"".join(random.choice(list("0019.-+: eTZ"), random.integers(1, 12))) for _ in range(2_000)}
        days = {f"{random.integers(1, 3000):04}-{random.integers(1, 14)}-{random.integers(1, 33)}" for _ in range(200)}
        texts = sorted(drawn | days | {f"{day} {random.integers(0, 26)}:30" for day in days})
        rows = spark.createDataFrame([(text,) for text in texts], "text string")
        types = ("boolean", "bigint", "decimal(6,2)", "double", "date", "timestamp")
        once = rows.select(*[typed(F.col("text"), to).alias(to) for to in types])
        again = {to: typed(F.col(f"`{to}`").cast("string"), to) for to in types}
        differ = [F.count_if(~again[to].eqNullSafe(F.col(f"`{to}`"))).alias(f"differ {to}") for to in types]
        read = [F.count(f"`{to}`").alias(f"read {to}") for to in types]
        found = once.agg(*differ, *read).first()
        assert [found[f"differ {to}"] for to in types] == [0] * len(types)
        assert all(found[f"read {to}"] > 0 for to in types)


def dirty(size=240, seed=3):
    """Shops that tell town and country, with slips, wrong and missing cells, spellings and words for nothing."""
    random = np.random.default_rng(seed)
    shop = random.integers(0, 12, size)
    town = np.array(["Vienna", "Graz", "Salzburg", "Innsbruck"], dtype=object)[shop % 4]
    kind = random.choice(np.array(["food store", "fuel"], dtype=object), size)
    names = np.array([f"shop {i} of {chr(65 + i) * 6}" for i in range(12)], dtype=object)[shop]
    town[0], town[1], town[2], town[3] = "Salzbrug", "Graz" if town[1] != "Graz" else "Vienna", None, "n/a"
    kind[:5], kind[5] = "Food_Store", "food stroe"
    return list(zip(range(size), names.tolist(), shop.astype(str).tolist(), town.tolist(), kind.tolist(), strict=True))


ALL_STEPS = [
    NullTokens(step="null_tokens", source="base", column="town", tokens=["n/a"], accept=True),
    Merge(step="merge", source="base", column="kind", accept=True),
    Repair(step="repair", source="base", column="town", by=["shop", "code"], fill=True, accept=True),
    Repair(step="repair", source="base", column="kind", accept=True),
]


@pytest.fixture(scope="module")
def keep(spark, tmp_path_factory):
    folder, number = tmp_path_factory.mktemp("kept"), iter(range(1000))

    def write(rows, name):
        path = str(folder / f"{name}-{next(number)}")
        rows.write.parquet(path)
        return spark.read.parquet(path)

    return write


@pytest.fixture(scope="module")
def cleaned(spark, keep):
    """The dirty rows, and what all steps make of them."""
    rows = keep(spark.createDataFrame(dirty(), "id int, shop string, code string, town string, kind string"), "base")
    done = applied(rows, ALL_STEPS, keep)
    done.rows = keep(done.rows, "done")
    return rows, done


def as_texts(rows):
    return sorted(map(str, rows.collect()))


class TestApplied:
    def test_wrong_cells_become_right_and_the_others_stay(self, cleaned):
        rows, done = cleaned
        before, found = ({row["id"]: row for row in each.collect()} for each in (rows, done.rows))
        town = {f"shop {i} of {chr(65 + i) * 6}": ["Vienna", "Graz", "Salzburg", "Innsbruck"][i % 4] for i in range(12)}
        assert found.keys() == before.keys()
        assert all(row["town"] == town[row["shop"]] for row in found.values())
        assert {row["kind"] for row in found.values()} == {"food store", "fuel"}
        assert done.unsettled == [] and done.cells[1] == 5
        assert sum(done.cells.values()) == 1 + 5 + 4 + 1

    def test_doing_it_again_changes_nothing(self, cleaned, keep):
        _, done = cleaned
        again = applied(done.rows, ALL_STEPS, keep)
        assert (again.passes, +Counter(again.cells)) == (1, Counter())
        assert as_texts(again.rows) == as_texts(done.rows)

    @pytest.mark.long
    def test_another_partitioning_gives_the_same(self, cleaned, keep):
        rows, done = cleaned
        assert as_texts(applied(rows.repartition(3, "kind"), ALL_STEPS, keep).rows) == as_texts(done.rows)

    def test_repairs_that_never_rest_are_left_out_and_said(self, spark, monkeypatch):
        """Two columns that each follow the other one: every pass exchanges them."""
        monkeypatch.setattr("kveil.clean.recipe.MOST_PASSES", 3)
        monkeypatch.setattr(
            "kveil.clean.recipe.repaired", lambda rows, repairs, facts: rows.withColumn("town", F.reverse("town"))
        )
        rows = spark.createDataFrame([("ab", "x")], "town string, kind string")
        steps = [Repair(step="repair", source="base", column="town"), Fill(step="fill", source="base", column="kind", value="y")]
        done = applied(rows, steps, lambda made, name: made)
        assert done.unsettled == ["town"]
        assert [tuple(row) for row in done.rows.collect()] == [("ab", "x")]

    @pytest.mark.parametrize("few", [0, 100])
    def test_values_are_merged_alike_by_the_plan_and_by_a_join(self, spark, keep, monkeypatch, few):
        monkeypatch.setattr("kveil.clean.recipe._FEW", few)
        texts = [None, "", "caf\u00e9", "Caf\u00e9 ", "caf\u00e9", "tea", "TEA", "tea", "x y", "y, x", "x y", "alone"]
        rows = keep(spark.createDataFrame(list(enumerate(texts)), "n int, text string"), "once")
        merge = {"source": "base", "accept": True, "step": "merge", "column": "text", "by": "fingerprint"}
        done = applied(rows, Recipe.model_validate({"steps": [merge]}).accepted("base"), keep)
        meant = {"Caf\u00e9 ": "caf\u00e9", "TEA": "tea", "y, x": "x y"}
        assert done.rows.columns == rows.columns and done.cells == {0: 3}
        assert [row["text"] for row in done.rows.orderBy("n").collect()] == [meant.get(text, text) for text in texts]

    def test_a_column_whose_only_step_does_all_at_once_is_not_asked_again(self, spark, keep):
        rows = keep(spark.createDataFrame([("a b", "1"), ("A-B", "x"), ("a b", "1")], "text string, other string"), "once")
        merge = {"source": "base", "accept": True, "step": "merge", "column": "text", "by": "fingerprint"}
        tokens = {"source": "base", "accept": True, "step": "null_tokens", "column": "text", "tokens": ["a b"]}
        alone = applied(rows, Recipe.model_validate({"steps": [merge]}).accepted("base"), keep)
        assert (alone.passes, as_texts(alone.rows)) == (1, as_texts(rows.withColumn("text", F.lit("a b"))))
        # What another step of the column makes of a cell may be this one's work again.
        both = applied(rows, Recipe.model_validate({"steps": [tokens, merge]}).accepted("base"), keep)
        again = applied(keep(both.rows, "twice"), Recipe.model_validate({"steps": [tokens, merge]}).accepted("base"), keep)
        assert both.passes > 1 and not +Counter(again.cells)


HARD = [
    None, "", " ", "n/a", "x", "7", "007", "1,50", "12 kg", "9e9", "01/02/2020", "2020-02-30", "31.12.99", "Germany", "de",
    "Korea", "$", "+49 30 123456", "Food", "food ", "FO-OD", "f\u00f6od", "fo\u0308od", "f\u043eod", "\u0645\u0627\u0644",
    "\u202eabc", "a" * 1500,
]  # fmt: skip


@pytest.mark.long
class TestHardCells:
    """One step of each kind that looks at cells, each on a column of its own of the same hard cells in another order."""

    STEPS = (
        {"step": "null_tokens", "tokens": ["n/a", "", "x"]},
        {"step": "number", "units": ["kg"], "decimal": ","},
        {"step": "date", "patterns": ["d/M/yyyy", "d.M.yy"], "latest": "2026-01-01", "others": "null"},
        {"step": "standard", "to": "country"},
        {"step": "standard", "to": "currency", "meanings": {"$": "USD"}},
        {"step": "standard", "to": "phone", "region": "DE"},
        {"step": "unusual", "shapes": ["a", "9"]},
        {"step": "outlier", "max": 100},
        {"step": "merge", "by": "fingerprint"},
        {"step": "fill", "value": "7"},
    )

    def test_again_changes_nothing_no_row_is_lost_and_partitions_do_not_matter(self, spark, keep):
        random = np.random.default_rng(11)
        columns = [random.permutation(np.array(HARD * 4, dtype=object)).tolist() for _ in self.STEPS]
        ddl = ", ".join(["id int", *(f"c{i} string" for i in range(len(self.STEPS)))])
        rows = keep(spark.createDataFrame([(n, *cells) for n, cells in enumerate(zip(*columns, strict=True))], ddl), "hard")
        listed = [{"source": "base", "column": f"c{i}", "accept": True, **step} for i, step in enumerate(self.STEPS)]
        steps = Recipe.model_validate({"steps": listed}).accepted("base")
        once = applied(rows.repartition(3, "c8"), steps, keep)
        done = keep(once.rows, "hard-done")
        again = applied(done, steps, keep)
        assert all(once.cells[i] for i in range(len(steps))) and once.unsettled == []
        assert (again.passes, +Counter(again.cells)) == (1, Counter())
        assert sorted(row["id"] for row in done.select("id").collect()) == list(range(4 * len(HARD)))
        assert as_texts(applied(rows.coalesce(1), steps, keep).rows) == as_texts(done) == as_texts(again.rows)


class TestScore:
    REPAIR = Repair(step="repair", source="base", column="town", by=["shop", "kind"], shapes=["a"])

    def test_cells_are_corrected_as_a_small_oracle_says(self, spark, keep):
        random = np.random.default_rng(5)
        towns = ["Graz", "Vienna", "Grazz", "Wien 1", None]
        rows = [
            (str(i % 5), random.choice(towns, p=[0.5, 0.3, 0.08, 0.07, 0.05]), random.choice(["a", "b", None])) for i in range(80)
        ]
        rows += [(str(i % 5), "Graz", "a") for i in range(60)]
        table = keep(spark.createDataFrame(rows, "shop string, town string, kind string"), "score")
        meant = [("town", "Grazz", "Graz", 0.8)]
        known = keep(facts(table, determinants([self.REPAIR]), spark.createDataFrame(meant, MEANT_DDL)), "facts")
        found = [tuple(row) for row in repaired(table, [self.REPAIR], known).collect()]
        expected = [(shop, self.oracle(rows, row), kind) for row in rows for shop, _, kind in [row]]
        assert sorted(found, key=str) == sorted(expected, key=str)
        assert sum(one != other for one, other in zip(sorted(map(str, rows)), sorted(map(str, expected)), strict=True)) > 5

    def oracle(self, rows, row):
        """The docstring of `repaired`, word by word."""
        value, votes, cells = row[1], [], Counter(town for _, town, _ in rows if town)
        for place in (0, 2):
            group = Counter(each[1] for each in rows if each[place] == row[place] and each[1]) if row[place] else Counter()
            if sum(group.values()) > 1:
                told = max(group, key=lambda town: (group[town], town))
                weight = 2 * group[told] / sum(group.values()) - 1
                votes += [(told, weight)] if weight > 0 else []
        if value is None:
            return None
        against = sum(weight for told, weight in votes if told == value) / 2
        best = (0.5, "")
        for told in {told for told, _ in votes} | ({"Graz"} if value == "Grazz" else set()):
            of_it = [weight for town, weight in votes if town == told]
            meant = 0.5 * 0.8 if value == "Grazz" and told == "Graz" else 0
            score = 0.25 + meant
            if of_it:
                score = sum(of_it) / 2 + meant + (0.25 if alike(value, told) else 0) + (0.25 if shape(value) != "a" else 0)
                score += 0.25 if cells[value] < 0.1 * cells[told] else -0.25
            if told != value:
                best = max(best, (score - against, told))
        return best[1] or value

    def test_values_of_columns_with_few_are_counted_and_others_left(self, spark):
        rows = spark.createDataFrame(
            [(str(i), "a" if i % 2 else None, None) for i in range(50)], "many string, few string, no string"
        )
        assert few_valued(rows, about_distinct(rows, ["many", "few", "no"]), 10) == {"few": {"a": 25}}


class TestNearDuplicates:
    def test_of_a_series_in_short_steps_the_first_stays_and_the_rest_holds_none(self, spark):
        start = datetime(2024, 1, 1, 12)
        seconds = {"a": (0, 5, 12, 40), "b": (3,)}
        rows = [(who, start + timedelta(seconds=s), 1) for who, each in seconds.items() for s in each]
        rows += [(None, start, 1), (None, start, 2), ("c", None, 1), ("c", None, 2)]
        table = spark.createDataFrame(rows, "who string, at timestamp, n int")
        near = NearDuplicates(by=["who"], seconds=10)
        once = table.withColumn("near", is_near_duplicate(table, near, "at"))
        left = once.where("not near").drop("near")
        assert sorted(row["at"].second for row in once.where("near").collect()) == [5, 12]
        assert left.withColumn("near", is_near_duplicate(left, near, "at")).where("near").count() == 0

    def test_of_random_payments_an_oracle_sets_the_same_aside_whatever_the_partitions(self, spark):
        random = np.random.default_rng(23)
        start = datetime(2024, 1, 1, 12)
        who, cents = random.choice(["a", "b", "c", None], 300), random.choice([1, 2, None], 300)
        rows = [
            (n, who[n], cents[n], start + timedelta(seconds=int(s)) if s else None)
            for n, s in enumerate(random.integers(0, 600, 300))
        ]
        near = NearDuplicates(by=["who", "cents"], seconds=3)
        table = spark.createDataFrame(rows, "n int, who string, cents int, at timestamp")
        split, whole = (
            {row["n"] for row in each.withColumn("near", is_near_duplicate(each, near, "at")).where("near").collect()}
            for each in (table.repartition(3, "n"), table.coalesce(1))
        )
        left = table.where(~F.col("n").isin(sorted(split)))
        assert split == whole
        assert left.withColumn("near", is_near_duplicate(left, near, "at")).where("near").count() == 0
        known = [row for row in rows if None not in row]
        moments = sorted((row[3], row[1], row[2]) for row in rows if row[0] in split)
        assert moments == sorted(self.came_again(known, near.seconds)) and len(moments) > 20

    def came_again(self, rows, seconds):
        """Moment, payer and amount of each payment that follows a like one: of every series all but the first."""
        series = defaultdict(list)
        for _, who, cents, at in rows:
            series[who, cents].append(at)
        for (who, cents), at in series.items():
            at.sort()
            for before, after_ in pairwise(at):
                if after_ - before <= timedelta(seconds=seconds):
                    yield after_, who, cents

    def test_rows_that_came_twice_are_suggested_to_a_person(self, spark):
        """Of 40 payments three came again within seconds, one of them in every column; a key and a moment tell them apart."""
        start = datetime(2024, 1, 1, 12)
        rows = [(n, n % 7, start + timedelta(hours=n), n % 5, f"shop {n % 3}", None) for n in range(40)]
        rows += [(40 + n, *rows[n][1:2], rows[n][2] + timedelta(seconds=4), *rows[n][3:]) for n in (3, 8)] + [rows[9]]
        types = {"id": "int", "person": "int", "at": "timestamp", "cents": "int", "shop": "string", "note": "string"}
        table = spark.createDataFrame(rows, ", ".join(f"{name} {type_}" for name, type_ in types.items()))
        found = came_twice(look("base", table, types), table, "person", "at", ["id"])
        step = found.step
        assert (step.column, step.by, step.evidence.cells, step.accept) == ("at", ["person", "cents", "shop"], 2, "ask")
        assert "2 of 43 rows are alike" in step.reason and found.exact == 1
        assert step.effect == "2 rows of 43 are set aside"


class TestExpectations:
    NOW = datetime(2024, 1, 10, tzinfo=timezone.utc)

    def judge(self, spark, *expected):
        rows = [
            (1, "a", 1.0, date(2024, 1, 1)),
            (2, "b", 99.0, date(2024, 1, 5)),
            (2, None, float("nan"), None),
            (4, "aa", None, None),
        ]
        table = spark.createDataFrame(rows, "id int, kind string, amount double, day date")
        one = Clean(table="t", base="b", time="day", expect=list(expected)).expect
        kinds = spark.createDataFrame([("a",), ("b",), ("b",)], "name string")
        return [metric["failed"] for metric in judged(table, one, {"kinds": kinds}, self.NOW)]

    def test_every_rule_counts_what_fails_in_one_job(self, spark):
        expected = [
            ({"rule": "not_null", "column": "kind"}, 1),
            ({"rule": "unique", "by": ["id"]}, 1),
            ({"rule": "unique", "by": ["id", "kind"]}, 0),
            ({"rule": "in_set", "column": "kind", "allowed": ["a", "b"]}, 1),
            ({"rule": "between", "column": "amount", "min": 0, "max": 10}, 2),
            ({"rule": "between", "column": "day", "min": "2024-01-02"}, 1),
            ({"rule": "matches", "column": "kind", "pattern": "a|b"}, 1),
            ({"rule": "referential", "column": "kind", "source": "kinds", "by": "name"}, 1),
            ({"rule": "row_count_between", "min": 1, "max": 4}, 0),
            ({"rule": "row_count_between", "min": 5}, 1),
            ({"rule": "freshness", "column": "day", "days": 5}, 0),
            ({"rule": "freshness", "column": "day", "days": 4}, 1),
        ]
        assert self.judge(spark, *[one for one, _ in expected]) == [failed for _, failed in expected]

    def test_what_no_column_of_its_type_can_meet_is_told_together(self, spark):
        with pytest.raises(SettingsError) as raised:
            self.judge(
                spark,
                {"rule": "between", "column": "day", "min": "soon"},
                {"rule": "freshness", "column": "kind", "days": 1},
            )
        assert raised.value.problems == [
            "clean.expect.0: a bound is no date, which 'day' is; give bounds of that type",
            "clean.expect.1.column: 'kind' is string; allowed for freshness: a date or timestamp column",
        ]


SOURCES = {
    "base": {
        "uri": "x",
        "key": ["id"],
        "columns": {
            "id": "int",
            "person": "bigint",
            "at": "timestamp",
            "shop": "string",
            "code": "string",
            "town": "string",
            "kind": "string",
        },
    }
}


@pytest.fixture
def stage_of(context, policy_of, spark):
    """The context of stage clean over the dirty rows."""

    def make(**clean):
        policy = policy_of(SOURCES, clean=clean, retention={"raw": 3650})
        ctx = context(policy, stage="clean")
        if not ctx.store.exists(RAW.of(policy, "base")):
            rows = [(n, n % 9, datetime(2020, 1, 1) + timedelta(hours=n), *rest) for n, *rest in dirty()]
            ddl = ", ".join(f"{name} {kind}" for name, kind in SOURCES["base"]["columns"].items())
            ctx.store.replace(RAW.of(policy, "base"), spark.createDataFrame(rows, ddl))
        return ctx

    return make


class TestStage:
    @pytest.mark.long
    def test_a_suggested_recipe_is_applied_logged_remembered_and_can_be_undone(self, stage_of):
        recipe = yaml.safe_load(suggest(stage_of()))
        recipe["steps"][0]["accept"] = False
        for step in recipe["steps"]:
            # One repair takes seconds, and more of them prove nothing else.
            step["accept"] = step["accept"] if step["step"] != "repair" or step["column"] == "town" else "ask"
        ctx = stage_of(recipe=recipe, keep_old_values=True)
        run(ctx)
        steps = Recipe.model_validate(recipe)
        log = [row for row in ctx.store.read(ctx.ref(CLEANING_LOG)).orderBy("step").collect() if row["rule"].startswith("recipe")]
        assert [row["rule"] for row in log] == [f"recipe: {step.step}: {step.column}" for step in steps.accepted("base")]
        assert any(row["cells_changed"] for row in log) and any(row["samples"] for row in log)
        assert all(
            not {sign for sign in text.replace("null", "") if sign.isalnum()} - set("Aa9")
            for row in log
            for text in row["samples"]
        )
        self.check_undo(ctx)
        decided = {(row["step"], row["column"], row["accepted"]) for row in ctx.store.read(ctx.ref(SUGGESTIONS)).collect()}
        assert decided == {(step.step, step.column, step.accept) for step in steps.steps if step.accept != "ask"}
        assert not any(ctx.store.exists(working.of(ctx.policy, "base")) for working in (REPAIRED, REPAIRED_IN_TURN, ONCE, FACTS))
        retain(ctx)
        assert not ctx.store.exists(ctx.ref(CLEANED_CELLS))
        again = yaml.safe_load(suggest(ctx))
        assert again["steps"][0]["accept"] is False and "refused before" in again["steps"][0]["reason"]

    def test_types_columns_and_rows_follow_the_recipe(self, stage_of):
        """Rules and derived columns see the types, what cannot be read is counted and kept, an oracle tells what came twice."""
        steps = [
            {"step": "cast", "column": "code", "to": "bigint"},
            {"step": "cast", "column": "kind", "to": "boolean"},
            {"step": "drop", "column": "town"},
            {"step": "duplicates", "column": "at", "by": ["person", "code"], "seconds": 86_400},
        ]
        recipe = {"steps": [{"source": "base", "accept": True, **step} for step in steps]}
        ctx = stage_of(
            recipe=recipe,
            keep_old_values=True,
            derive={"twice": "code * 2"},
            rules=[{"source": "base", "column": "code", "max": 10}],
        )
        policy = ctx.policy.model_copy(update={"anonymize": ctx.policy.anonymize.model_copy(update={"insensitive": {}})})
        ctx = replace(ctx, policy=policy)
        run(ctx)
        clean = ctx.store.read(ctx.ref(CLEAN))
        raw = [(n, n % 9, int(shop)) for n, _, shop, *_ in dirty()]
        assert "town" not in clean.columns and dict(clean.dtypes)["code"] == dict(clean.dtypes)["twice"] == "bigint"
        assert {(row["id"], row["twice"]) for row in clean.select("id", "twice").collect()} == {
            (n, 2 * code) for n, person, code in raw if code <= 10 and not self.came_twice(raw, n, person, code)
        }
        log = {row["rule"]: row for row in ctx.store.read(ctx.ref(CLEANING_LOG)).collect()}
        assert log["recipe: cast: kind"]["cells_changed"] == 240 and log["recipe: cast: code"]["cells_changed"] == 0
        assert "recipe: drop: town" in log
        assert any(rule.startswith("near duplicates: alike in person, code") for rule in log)
        old = ctx.store.read(ctx.ref(CLEANED_CELLS)).groupBy("column").count().collect()
        assert [tuple(row) for row in old] == [("kind", 240)]

    def came_twice(self, raw, n, person, code):
        """Rows are an hour apart."""
        return any(n - 24 <= other < n for other, *rest in raw if rest == [person, code])

    def check_undo(self, ctx):
        raw, clean = (
            {row["id"]: row for row in ctx.store.read(ref).collect()} for ref in (RAW.of(ctx.policy, "base"), ctx.ref(CLEAN))
        )
        undone = defaultdict(dict)
        for cell in ctx.store.read(ctx.ref(CLEANED_CELLS)).collect():
            number = int(cell["key"].removeprefix('{"id":').removesuffix("}"))
            assert cell["person"] == str(raw[number]["person"])
            assert clean[number][cell["column"]] == cell["new"]
            undone[number][cell["column"]] = cell["old"]
        assert undone
        for number, row in clean.items():
            for name in ("shop", "town", "kind"):
                assert undone[number].get(name, row[name]) == raw[number][name]
        # Erasure and access find the old values of a person.
        assert CLEANED_CELLS in [place.table for place in places(ctx.policy)]

    def test_what_must_be_met_and_is_not_leaves_no_clean_table(self, stage_of):
        expect = [
            {"rule": "not_null", "column": "town", "severity": "warn"},
            {"rule": "in_set", "column": "kind", "allowed": ["fuel"], "tolerance": 0.1},
        ]
        ctx = stage_of(expect=expect)
        with pytest.raises(ContractError, match=r"kind is one of fuel, but \d+ of 240 rows fail"):
            run(ctx)
        assert not ctx.store.exists(ctx.ref(CLEAN))
        metrics = ctx.store.read(ctx.ref(QUALITY_METRICS)).orderBy("place").collect()
        assert next((row["rule"], row["failed"], row["met"]) for row in metrics) == ("not_null", 1, False)
        assert [row["severity"] for row in metrics] == ["warn", "fail"]

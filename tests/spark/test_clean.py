import hashlib
import hmac
import itertools
import json
import re
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from kveil.clean.corrected import Copies, corrected, corrected_and_compared
from kveil.clean.derive import derived, with_buckets
from kveil.clean.history import person_days, with_days
from kveil.clean.joins import check_unique, joined
from kveil.clean.money import RATE, daily_rates, not_convertible, with_cents, with_rate
from kveil.clean.rules import broken_range
from kveil.clean.split import person_splits
from kveil.clean.stage import run
from kveil.errors import ContractError, SettingsError
from kveil.settings.clean import Bucket, History, Join, Money, RangeRule, Split
from kveil.tables.declaration import TableRef
from kveil.tables.keys import hmac_pads, with_keyed_hash
from kveil.tables.schema import CLEAN, CLEANING_LOG, KEYS, QUARANTINE, RAW
from kveil.tables.store import TableStore
from pyspark.sql import functions as F

NAN, INF = float("nan"), float("inf")


class TestRules:
    def test_tokens_become_null_and_categories_get_one_spelling(self, spark):
        rows = spark.createDataFrame(
            [(" N/A ", "  Two\t Adults\u00a0", 1), ("n/a", "two adults", 2), ("none of it", "NONE", 3), (None, None, 4)],
            "note string, household string, n int",
        )
        fixed = corrected(rows, ["", "none", "N/A"], ["household"])
        found = [(row["note"], row["household"]) for row in fixed.rows.orderBy("n").collect()]
        assert found == [(None, "two adults"), (None, "two adults"), ("none of it", None), (None, None)]
        assert (fixed.count, fixed.made_null, fixed.made_alike, fixed.categories) == (4, 3, 1, ["household"])

    def test_exact_duplicates_are_found_after_correction_and_whatever_their_zero(self, spark):
        rows = spark.createDataFrame(
            [(1, "A", 0.0), (1, "a ", -0.0), (1, "a", NAN), (1, "a", NAN), (1, "a", None), (2, "a", 0.0), (None, "a", None)],
            "person int, kind string, amount double",
        )
        fixed, copies = corrected_and_compared(rows, [], ["kind"], "person")
        assert (fixed.count, fixed.made_alike, copies.people, len(copies.parts)) == (7, 2, 3, 1)
        kept = {}

        def keep(rows, name):
            kept[name] = rows
            return rows

        apart = copies.without(fixed.rows, "person", keep)
        assert kept["once"].count() == 3, "the rows of other people are not kept"
        everywhere = Copies(copies.people).without(fixed.rows, "person", keep)
        assert sorted(map(str, apart.collect())) == sorted(map(str, everywhere.collect())) and apart.count() == 5
        alone, none = corrected_and_compared(rows.where("amount is null"), [], ["kind"], "person")
        assert none.parts == () and none.without(alone.rows, "person", keep) is alone.rows

    def test_changes_of_a_hundred_text_columns_are_counted_each_beside_the_people(self, spark):
        """More bits than fit in one word, of which the first holds half a hash of the person as well."""
        names = [f"c{i:03d}" for i in range(100)]
        cells = [[" A" if (i * 7 + j) % 13 == 0 else "none" if (i + j) % 17 == 0 else "b" for i in range(100)] for j in range(40)]
        rows = spark.createDataFrame([(j % 9 - 4, *cell) for j, cell in enumerate([*cells, cells[3]])], ["person", *names])
        fixed, copies = corrected_and_compared(rows, ["none"], names[20:], "person")
        flat = [(i, cell) for row in [*cells, cells[3]] for i, cell in enumerate(row)]
        assert fixed.made_null == sum(cell == "none" for _, cell in flat)
        assert fixed.made_alike == sum(cell == " A" and i >= 20 for i, cell in flat)
        assert (fixed.count, copies.people, copies.parts) == (41, 9, ())
        again = rows.where("person = -1").unionByName(rows)
        assert len(corrected_and_compared(again, ["none"], names[20:], "person")[1].parts) == 1

    def test_blanks_of_every_kind_are_seen(self, spark):
        """What has none of them is not looked at closer, so each must be known."""
        odd = [chr(sign) for sign in range(0x3001) if chr(sign).isspace() and re.match(r"[ \t\n\x0b\f\r\u00a0]", chr(sign))]
        texts = (
            [f"two{blank}adults" for blank in odd]
            + [f"{blank}two adults" for blank in odd]
            + [f"two adults{blank}" for blank in odd]
        )
        texts += ["two  adults", "two\u00a0 \tadults"]
        rows = spark.createDataFrame([(text,) for text in texts], "kind string")
        assert {row["kind"] for row in corrected(rows, [], ["kind"]).rows.collect()} == {"two adults"}
        assert corrected(rows, ["two adults"], []).made_null == len(texts)

    @pytest.mark.parametrize("tokens", [["a", "ba"], ["A b", "ba"], [""]])
    def test_tokens_and_spellings_are_what_their_definition_says_of_every_short_text(self, spark, tokens):
        """All texts of up to five signs; the rules look closer only at those that a cheaper look does not rule out."""
        texts = ["".join(signs) for n in range(6) for signs in itertools.product(" \t\u00a0aBb", repeat=n)]
        rows = spark.createDataFrame(list(enumerate(texts)), "n int, text string")
        plain = {text: re.sub("[ \t\u00a0]+", " ", text).strip(" ").lower() for text in texts}
        spelled = {row["n"]: row["text"] for row in corrected(rows, [], ["text"]).rows.collect()}
        assert [spelled[i] for i in range(len(texts))] == [plain[text] for text in texts]
        left = {row["n"]: row["text"] for row in corrected(rows, tokens, []).rows.collect()}
        missing = {token.lower() for token in tokens}
        assert [left[i] for i in range(len(texts))] == [None if plain[text] in missing else text for text in texts]

    @pytest.mark.parametrize(
        ("bounds", "kept"),
        [({"min": 0}, {0.0, 5.0, INF, None}), ({"max": 5}, {-1.0, 0.0, 5.0, None}), ({"min": 0, "max": 4}, {0.0, None})],
    )
    def test_a_range_keeps_its_ends_and_null_but_no_nan(self, spark, bounds, kept):
        rows = spark.createDataFrame([(-1.0,), (0.0,), (5.0,), (INF,), (NAN,), (None,)], "amount double")
        rule = RangeRule(source="base", column="amount", **bounds)
        assert {row["amount"] for row in rows.where(~broken_range(rows, rule)).collect()} == kept


class TestJoins:
    LEFT = ((1, "a"), (2, "b"), (3, "c"), (None, "d"))

    def test_every_row_stays_once_across_widths_of_the_key(self, spark):
        left = spark.createDataFrame(list(self.LEFT), "id bigint, name string")
        right = spark.createDataFrame([(1, "x"), (3, "y"), (None, "z")], "id int, city string")
        join = Join(source="people", by="id")
        check_unique(right, join)
        found = joined(left, right, join)
        assert {(row["id"], row["city"], row["_kveil_found"]) for row in found.collect()} == {
            (1, "x", True), (2, None, False), (3, "y", True), (None, None, False),
        }  # fmt: skip
        assert found.columns == ["id", "name", "city", "_kveil_found"]

    def test_repeated_keys_are_counted_not_joined(self, spark):
        right = spark.createDataFrame([(1,), (1,), (1,), (2,), (2,), (3,), (None,), (None,)], "id int")
        with pytest.raises(ContractError, match=r"2 values of id stand in more than one row of source people"):
            check_unique(right, Join(source="people", by="id"))

    def test_a_column_on_both_sides_is_refused(self, spark):
        left = spark.createDataFrame(list(self.LEFT), "id bigint, name string")
        with pytest.raises(ContractError, match="there already: name"):
            joined(left, left.withColumnRenamed("name", "Name"), Join(source="people", by="id"))


class TestMoney:
    MONEY = Money(currency="USD", rates="rates", columns={"amount": "cents"})

    def rates(self, spark, *quotes):
        rows = [("USD", date.fromisoformat(day), rate) for day, rate in quotes] + [("JPY", date(2020, 1, 1), 120.0)]
        return spark.createDataFrame(rows, "currency string, date date, rate double")

    def test_a_day_without_a_quote_has_the_latest_one_before_it(self, spark):
        # Friday, then Tuesday: the weekend and Monday have Friday's rate; nothing reaches back before Friday.
        known = daily_rates(self.rates(spark, ("2020-01-03", 2.0), ("2020-01-07", 4.0)), self.MONEY)
        days = [date(2020, 1, day) for day in (2, 3, 4, 5, 6, 7, 8)] + [date(2031, 12, 31)]
        rows = with_rate(spark.createDataFrame([(day,) for day in days], "date date"), known)
        found = {row["date"]: row[RATE] and float(row[RATE]) for row in rows.collect()}
        assert [found[day] for day in days] == [None, 2.0, 2.0, 2.0, 2.0, 4.0, 4.0, 4.0]

    def test_two_rates_for_a_day_or_none_at_all_are_refused(self, spark):
        with pytest.raises(ContractError, match="has 1 second rates of USD"):
            daily_rates(self.rates(spark, ("2020-01-03", 2.0), ("2020-01-03", 2.5)), self.MONEY)
        with pytest.raises(ContractError, match="has no rate of USD"):
            daily_rates(self.rates(spark, ("2020-01-03", 0.0)), self.MONEY)
        assert daily_rates(self.rates(spark, ("2020-01-03", 2.0), ("2020-01-03", 2.0)), self.MONEY).days.count() == 1

    def test_cents_are_exact_to_the_half_cent(self, spark):
        random = np.random.default_rng(1)
        drawn = zip(random.normal(0, 500, 3000), random.integers(0, 9, 3000), strict=True)
        amounts = [round(float(value), int(places)) for value, places in drawn]
        rates = [round(float(value), 5) for value in random.uniform(0.3, 200, 3000)]
        # Exact halves, where floating point goes astray: 1.005 is stored as 1.00499999999999989...
        amounts += [1.005, -1.005, 0.005, -0.005, 2.675, 1.115, 0.0, 9.99e12, 0.035]
        rates += [1.0] * 8 + [7.0]
        rows = spark.createDataFrame(list(zip(amounts, rates, strict=True)), "amount double, rate double")
        rows = with_cents(rows.withColumn(RATE, F.col("rate").cast("decimal(16,8)")), {"amount": "cents"})
        assert RATE not in rows.columns and dict(rows.dtypes)["cents"] == "bigint"
        for row in rows.collect():
            cents = Fraction(repr(row["amount"])) / Fraction(repr(row["rate"])) * 100
            half_up = int(abs(cents) + Fraction(1, 2)) * (1 if cents >= 0 else -1)
            assert row["cents"] == half_up, (row["amount"], row["rate"])

    def test_what_is_no_amount_is_told_from_null(self, spark):
        amounts = [1.0, NAN, INF, -INF, 1e300, None, -0.0]
        rows = spark.createDataFrame([(i, amount) for i, amount in enumerate(amounts)], "i int, amount double")
        rows = with_rate(rows, None).withColumn("wrong", not_convertible(["amount"]))
        found = {row["i"]: (row["wrong"], row["cents"]) for row in with_cents(rows, {"amount": "cents"}).collect()}
        assert [found[i] for i in range(7)] == [(False, 100), *[(True, None)] * 4, (False, None), (False, 0)]


def history_by_hand(rows, window):
    """The slow, obvious way: for each row look at every other row of the person."""
    for person, at, _ in rows:
        day = at.date()
        earlier = [(then.date(), amount) for other, then, amount in rows if other == person and then.date() < day]
        inside = [(then, amount) for then, amount in earlier if (day - then).days <= window]
        last = max((then for then, _ in earlier), default=None)
        yield sum(amount or 0 for _, amount in inside), len(inside), (day - last).days if last else None


class TestHistory:
    @pytest.mark.parametrize(("window", "seed"), [(1, 1), (28, 2), (366, 3)])
    def test_it_is_what_the_person_did_on_strictly_earlier_days(self, spark, window, seed):
        random = np.random.default_rng(seed)
        start = datetime(2019, 12, 1)
        # One person has half of all rows; days repeat, so that rows of the same day must not count for each other.
        people = np.where(random.random(400) < 0.5, 0, random.integers(1, 15, 400))
        minutes = random.integers(0, 120 * 1440, 400)
        amounts = [None if value < 0 else int(value) for value in random.integers(-20, 900, 400)]
        rows = [(int(p), start + timedelta(minutes=int(m)), a) for p, m, a in zip(people, minutes, amounts, strict=True)]
        frame = pd.DataFrame(
            {"i": range(400), "person": people, "at": [at for _, at, _ in rows], "cents": pd.array(amounts, "Int64")}
        )
        table = with_days(spark.createDataFrame(frame).repartition(3), "at")
        known = person_days(table, "person", History(amount="cents", window_days=window))
        found = table.join(known, ["person", "date"]).orderBy("i").collect()
        names = (f"spend_{window}d", f"count_{window}d", "days_since_last")
        assert [tuple(row[name] for name in names) for row in found] == list(history_by_hand(rows, window))

    def test_days_are_utc_days(self, spark):
        rows = spark.sql("SELECT timestamp'2020-02-29 23:59:59.999999' at UNION ALL SELECT timestamp'2020-03-01 00:30:00+01:00'")
        assert {(str(row["date"]), row["month"]) for row in with_days(rows, "at").collect()} == {("2020-02-29", "2020-02")}


class TestDerive:
    def test_buckets_are_stable_named_groups_and_null_stays_null(self, spark):
        rows = spark.range(500).selectExpr("id", "id % 100 code", "cast(null as bigint) nothing")
        buckets = {"region": Bucket(column="code", count=5, prefix="region "), "none": Bucket(column="nothing", count=5)}
        found = with_buckets(rows, buckets).toPandas()
        assert set(found["region"]) == {f"region {i}" for i in range(1, 6)}
        assert (found.groupby("code")["region"].nunique() == 1).all()
        assert found["none"].isna().all()

    def test_expressions_keep_their_type_and_may_build_on_each_other(self, spark):
        rows = derived(spark.range(3), {"big": "id > 1", "label": "if(big, 'yes', 'no')"})
        assert rows.dtypes[1:] == [("big", "boolean"), ("label", "string")]
        assert [row["label"] for row in rows.orderBy("id").collect()] == ["no", "no", "yes"]

    def test_every_wrong_expression_is_named_with_its_fault(self, spark):
        wrong = {"a": "ident > 1", "b": "id >", "c": "array(id)", "d": "no_function(id)", "e": "sum(id)", "f": "id > 0"}
        with pytest.raises(SettingsError) as error:
            derived(spark.range(3), wrong)
        problems = error.value.problems
        assert [problem.split(":")[0] for problem in problems] == [f"clean.derive.{name}" for name in "abcde"]
        assert "there is no column `ident`" in problems[0]
        assert "no valid SQL" in problems[1] and "gives array<bigint>" in problems[2] and "looks at other rows" in problems[4]
        assert not any("\n" in problem for problem in problems)

    def test_what_was_checked_is_what_runs(self, spark):
        """No variable is put in, literals mean what they say, and a pattern reads 1,000 characters."""
        rows = spark.createDataFrame([("a'b\\c", "x" * 1200 + "y"), ("12 $ {}", "y")], "shop string, long string")
        texts = {
            "variable": "concat(shop, '${env:PATH}', \"${system:java.version}\")",
            "quotes": "shop = 'a\\'b\\\\c' or shop = \"12 $ {}\"",
            "digits": "regexp_replace(shop, '\\\\d', '9')",
            "ends": "long rlike 'y$'",
            "next": "concat(digits, date '2024-02-29')",
            "part": "split(shop, ' ')[0] not like '12%'",
        }
        found = [row.asDict() for row in derived(rows, texts).orderBy(F.length("long")).collect()]
        assert [row["variable"][len(row["shop"]) :] for row in found] == ["${env:PATH}${system:java.version}"] * 2
        assert [row["quotes"] for row in found] == [True, True]
        assert [row["digits"] for row in found] == ["99 $ {}", "a'b\\c"]
        assert [row["ends"] for row in found] == [True, False]
        assert found[0]["next"] == "99 $ {}2024-02-29"
        assert [row["part"] for row in found] == [False, True]


class TestKeys:
    def test_the_keyed_hash_is_pythons_hmac(self, spark, lake):
        store = TableStore(spark, lake)
        values = ["", "1", "household 42", "Zoë", "x" * 500]
        hashed = with_keyed_hash(store, spark.createDataFrame([(v,) for v in values], "v string"), "test", F.col("v"), "hash")
        (pads,) = store.read(TableRef(KEYS.zone, KEYS.pattern)).collect()
        key = bytes(byte ^ 0x36 for byte in pads["inner"])[:32]
        assert {row["v"]: row["hash"] for row in hashed.collect()} == {
            v: hmac.new(key, v.encode(), hashlib.sha256).hexdigest() for v in values
        }
        assert hmac_pads(key) == (bytes(pads["inner"]), bytes(pads["outer"]))
        plan = hashed._jdf.queryExecution().toString()
        assert key.hex() not in plan.lower() and bytes(pads["inner"]).hex() not in plan.lower()

    def test_people_are_split_once_for_all_near_the_share(self, spark, lake):
        store = TableStore(spark, lake)
        rows = spark.range(4000).selectExpr("id % 2000 person")
        first = person_splits(store, rows, "person", Split(holdout=0.2)).toPandas()
        again = person_splits(store, rows.repartition(5), "person", Split(holdout=0.2)).toPandas()
        assert len(first) == 2000
        assert abs((first["split"] == "holdout").mean() - 0.2) < 5 * (0.2 * 0.8 / 2000) ** 0.5
        pd.testing.assert_frame_equal(*[f.sort_values("person", ignore_index=True) for f in (first, again)])
        wider = person_splits(store, rows, "person", Split(holdout=0.4)).toPandas()
        held, more = (set(f.loc[f["split"] == "holdout", "person"]) for f in (first, wider))
        assert held < more


SOURCES = {
    "base": {
        "uri": "-",
        "columns": {"person": "bigint", "at": "timestamp", "amount": "double", "shop": "bigint", "kind": "string"},
    },
    "people": {"uri": "-", "columns": {"person": "int", "city": "string", "age": "int"}},
    "shops": {"uri": "-", "columns": {"shop": "int", "area": "string"}},
    "rates": {"uri": "-", "format": "ecb_rates", "columns": {"currency": "string", "date": "date", "rate": "double"}},
}
RECIPE = {
    "missing": ["", "unknown"],
    "categories": ["city", "kind"],
    "rules": [
        {"source": "base", "column": "amount", "min": 0},
        {"source": "base", "column": "amount", "max": 1000},
        {"source": "people", "column": "age", "max": 120},
    ],
    "joins": [{"source": "people", "by": "person"}, {"source": "shops", "by": "shop", "how": "inner"}],
    "money": {"currency": "USD", "rates": "rates", "columns": {"amount": "cents"}},
    "history": {"amount": "cents", "window_days": 7},
    "buckets": {"region": {"column": "shop", "count": 2}},
    "derive": {"label": "cents > 500"},
}
DAY = datetime(2020, 1, 6, 9)
BASE = [
    (1, DAY, 10.0, 7, "Card "),
    (1, DAY, 10.0, 7, "card"),  # the same, once categories have one spelling
    (1, DAY + timedelta(days=1), 20.0, 7, "UNKNOWN"),
    (2, DAY, -5.0, 7, "card"),  # below the range
    (2, DAY, NAN, 7, "card"),  # no number
    (2, DAY, 2000.0, 7, "card"),  # above the range
    (3, DAY, 1.0, 8, "card"),  # a shop that nobody knows: left out by the inner join
    (None, DAY, 1.0, 7, "card"),
    (4, None, 1.0, 7, "card"),
    (5, DAY - timedelta(days=9), 1.0, 7, "card"),  # before the first rate
    (6, DAY, None, 7, "card"),  # an amount that is not known
]


@pytest.fixture
def raw_of(context, policy_of, spark):
    """The context of a policy whose raw tables hold the given rows."""

    def make(clean=None, base=BASE, people=((1, " Bern", 40), (2, "Basel", 30), (6, "Chur", 150))):
        rates = [("USD", date(2020, 1, 3), 2.0)]
        policy = policy_of(SOURCES, clean={**RECIPE, **(clean or {})})
        assert [problem for problem in policy.problems() if problem[0].startswith("clean")] == []
        ctx = context(policy, stage="clean")
        for name, rows in (("base", base), ("people", list(people)), ("shops", [(7, "north")]), ("rates", rates)):
            ddl = ", ".join(f"{column} {contract.type}" for column, contract in policy.sources[name].columns.items())
            ctx.store.replace(RAW.of(policy, name), spark.createDataFrame(list(rows), ddl))
        return ctx

    return make


def table(ctx, declared):
    return [row.asDict() for row in ctx.store.read(declared.of(ctx.policy)).collect()]


class TestStage:
    def test_rows_are_corrected_joined_converted_and_what_left_is_accounted_for(self, raw_of):
        ctx = raw_of()
        result = run(ctx)
        found = sorted(table(ctx, CLEAN), key=lambda row: (row["person"], row["date"]))
        assert (result.rows_in, result.rows_out) == (11, 3)
        assert [(row["person"], row["cents"], row["kind"], row["city"], row["area"]) for row in found] == [
            (1, 500, "card", "bern", "north"),
            (1, 1000, None, "bern", "north"),
            (6, None, "card", None, "north"),  # its person's row was set aside by a rule of its own
        ]
        assert [(row["spend_7d"], row["count_7d"], row["days_since_last"]) for row in found] == [
            (0, 0, None),
            (500, 1, 1),
            (0, 0, None),
        ]
        assert [row["label"] for row in found] == [False, True, None]
        assert {row["month"] for row in found} == {"2020-01"} and {row["split"] for row in found} <= {"train", "holdout"}
        self.check_log(ctx)

    def check_log(self, ctx):
        log = sorted(table(ctx, CLEANING_LOG), key=lambda row: row["step"])
        assert [row["step"] for row in log] == list(range(1, len(log) + 1))
        for source in ("base", "people"):
            mine = [row for row in log if row["source"] == source]
            assert all(one["rows_after"] == two["rows_before"] for one, two in pairwise(mine))
        changed = {(row["source"], row["rule"].split(":")[0]): row["cells_changed"] for row in log if row["cells_changed"]}
        assert changed == {("base", "missing"): 1, ("base", "categories"): 1, ("people", "categories"): 3}
        removed = {row["rule"].split(":")[0]: 0 for row in log}
        for row in log:
            removed[row["rule"].split(":")[0]] += row["rows_before"] - row["rows_after"]
        aside = pd.Series([row["reason"].split(":")[0] for row in table(ctx, QUARANTINE)]).value_counts().to_dict()
        left_out = {"exact duplicates": 1, "join": 1}
        assert {rule: count for rule, count in removed.items() if count} == {**aside, **left_out}
        assert aside == {"amount": 3, "person": 1, "at": 1, "money": 1, "age": 1}
        ages = [json.loads(row["row"]) for row in table(ctx, QUARANTINE) if row["reason"].startswith("age")]
        assert ages == [{"person": 6, "city": "chur", "age": 150}]

    @pytest.mark.long
    def test_another_run_and_another_partitioning_give_the_same_rows_once(self, raw_of, spark):
        ctx = raw_of()
        run(ctx)
        first = [sorted(map(str, table(ctx, declared))) for declared in (CLEAN, QUARANTINE, CLEANING_LOG)]
        base = RAW.of(ctx.policy, "base")
        ctx.store.replace(base, ctx.store.read(base).repartition(4, "amount"))
        run(ctx)
        assert [sorted(map(str, table(ctx, declared))) for declared in (CLEAN, QUARANTINE, CLEANING_LOG)] == first

    @pytest.mark.parametrize(
        ("changes", "error", "says"),
        [
            ({"base": [(1, DAY, -1.0, 7, "card")]}, ContractError, "rows would be empty"),
            ({"people": [(1, "a", 1), (1, "b", 2)]}, ContractError, "1 values of person stand in more than one row"),
            ({"clean": {"derive": {"label": "split(kind, ',')"}}}, SettingsError, "clean.derive.label: gives array<string>"),
            ({"clean": {"derive": {"label": "1 / (cents - cents) > 0"}}}, ContractError, r"computed \(DIVIDE_BY_ZERO\)"),
            pytest.param(
                {"clean": {"derive": {"label": "int(kind) > 0"}}},
                ContractError,
                r"computed \(CAST_INVALID_INPUT\)",
                marks=pytest.mark.long,
            ),
        ],
    )
    def test_a_refusal_is_one_sentence_without_values_and_writes_no_table(self, raw_of, capfd, changes, error, says):
        ctx = raw_of(**changes)
        with pytest.raises(error, match=says) as raised:
            run(ctx)
        assert "\n" not in str(raised.value)
        assert capfd.readouterr() == ("", "")
        assert not any(ctx.store.exists(declared.of(ctx.policy)) for declared in (CLEAN, QUARANTINE, CLEANING_LOG))

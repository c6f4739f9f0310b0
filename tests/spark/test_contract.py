"""The contract of rows: every rule on one table, keys, modes, and that no row is lost or doubled, whatever dirt there is."""

import json
import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kveil.collect.consent import CONSENTS
from kveil.collect.contract import REASON, RULE, judged
from kveil.collect.found import Found
from kveil.collect.keys import DUPLICATE, with_duplicates
from kveil.collect.locations import locate
from kveil.collect.provenance import NAMES_ERASED, counted, kept, quarantined
from kveil.collect.readers import read
from kveil.collect.replay import replay
from kveil.collect.stage import run
from kveil.errors import ContractError
from kveil.settings.sources import Source
from kveil.tables.schema import COLLECTED, PROVENANCE, QUARANTINE, RAW
from pyspark.sql import functions as F

RULES = {
    "id": {"type": "bigint", "required": True},
    "amount": {"type": "decimal(9,2)", "min": "0.10", "max": 100},
    "day": {"type": "date", "min": "2000-01-01", "max": "2020-12-31"},
    "code": {"type": "string", "pattern": "[A-Z]{2}[0-9]+", "length": {"min": 3, "max": 5}},
    "at": {"type": "timestamp", "max": "2020-01-01 00:00:00"},
    "score": {"type": "double", "min": 0, "max": 1},
}
LINES = {
    "1,0.10,2000-01-01,AB1,2020-01-01 00:00:00,1": None,
    "2,,,,,": None,
    "3,0.09,,,,": "amount.min",
    "4,100.01,,,,": "amount.max",
    "5,,1999-12-31,,,": "day.min",
    "6,,2021-01-01,,,": "day.max",
    "7,,,ab1,,": "code.pattern",
    "8,,,A1,,": "code.pattern, code.length",
    "9,,,AB1234,,": "code.length",
    "10,,,,2020-01-01 00:00:00.000001,": "at.max",
    "11,,,,,NaN": "score.max",
    "12,,,,,-0.5": "score.min",
    ",1,,,,": "id.required",
    "14,much,1999-01-01,,,2": "amount.type, day.min, score.max",
}


def source(uri, columns=RULES, **more):
    return Source.model_validate({"uri": str(uri), "format": "csv", "columns": columns, **more})


def test_every_rule_names_the_rows_that_break_it_and_never_a_value(spark, tmp_path):
    (tmp_path / "a.csv").write_text("\n".join([",".join(RULES), *LINES]) + "\n")
    contract = source(tmp_path / "a.csv")
    rows = judged(read(spark, "base", contract, locate(spark, "base", contract)), contract).collect()
    assert [row[RULE] for row in rows] == list(LINES.values())
    told = " ".join(row[REASON] or "" for row in rows)
    assert "much" not in told and "1999" not in told and "below min (0.10)" in told


KEYED = {"id": "bigint", "shop": "string", "amount": {"type": "int", "min": 0}, "person": "bigint"}


def fates(rows):
    """What the contract says of rows (id, shop, amount, person), by plain Python: broken, contradicting, good, doubled."""
    broken = [row for row in rows if row[0] is None or row[1] is None or (row[2] or 0) < 0]
    good = [row for row in rows if row not in broken]
    different = {key: len({row for row in good if row[:2] == key}) for key in {row[:2] for row in good}}
    contradicting = [row for row in good if different[row[:2]] > 1]
    single = {row for row in good if different[row[:2]] == 1}
    doubles = len(good) - len(contradicting) - len(single)
    return Counter(broken), Counter(contradicting), single, doubles


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_rows_are_conserved_under_random_dirt(spark, seed):
    """Hundreds of random rows per example: nulls, negative amounts, exact copies, contradictions, people who refuse."""
    chosen = random.Random(seed)
    pick = chosen.choice
    rows = [
        (pick([None, *range(60)]), pick([None, "a", "b", "c"]), pick([None, -1, 1, 2]), pick([None, 1, 2, 3]))
        for _ in range(chosen.randint(1, 600))
    ]
    contract = source("x", KEYED, key=["id", "shop"])
    required = contract.model_copy(
        update={"columns": {n: c.model_copy(update={"required": n in contract.key}) for n, c in contract.columns.items()}}
    )
    frame = spark.createDataFrame(rows, "id bigint, shop string, amount int, person bigint").repartition(5)
    found = judged(_found(frame), required)
    marked = with_duplicates(found, required).withColumn(CONSENTS, F.coalesce(F.col("person") == 1, F.lit(False)))
    marked = marked.withColumn(NAMES_ERASED, F.lit(False))
    broken, contradicting, single, doubles = fates(rows)

    fate = counted(marked, "person", list(KEYED))
    assert fate.read == len(rows) == fate.kept + fate.quarantined + fate.duplicates + fate.not_consented
    assert (fate.broken, fate.duplicates) == (broken.total() + contradicting.total(), doubles)
    assert Counter(map(tuple, marked.where(kept()).select(*KEYED).collect())) == Counter(row for row in single if row[3] == 1)
    aside = marked.where(quarantined(marked, "person")).select(*KEYED).collect()
    assert Counter(map(tuple, aside)) == Counter(
        {row: count for row, count in (broken + contradicting).items() if row[3] in (1, None)}
    )


def _found(frame):
    return Found(frame, frame.schema, texts=False)


def test_rows_that_are_in_raw_already_are_doubles_or_contradictions(spark):
    contract = source("x", KEYED, key=["id", "shop"])
    kind = "id bigint, shop string, amount int, person bigint"
    there = spark.createDataFrame([(1, "a", 1, 1), (2, "a", 2, 1), (9, "z", 9, 9)], kind)
    new = spark.createDataFrame([(1, "a", 1, 1), (2, "a", 3, 1), (3, "a", 3, 1), (1, "a", 1, 1), (1, "b", 1, 1)], kind)
    marked = with_duplicates(judged(_found(new), contract), contract, there).orderBy("id", "shop", "amount").collect()
    assert [(row["id"], row["shop"], row[DUPLICATE], row[RULE]) for row in marked] == [
        (1, "a", True, None), (1, "a", True, None), (1, "b", False, None), (2, "a", False, "key.unique"), (3, "a", False, None),
    ]  # fmt: skip


COLUMNS = {"person": {"type": "bigint", "required": True}, "at": "timestamp", "amount": {"type": "int", "min": 0}}


@pytest.fixture
def of_lines(policy_of, context, tmp_path):
    """The context of a policy with one CSV source of the given lines."""

    def make(*lines, columns=COLUMNS, header="person,at,amount", **more):
        (tmp_path / "a.csv").write_text("\n".join([header, *lines]) + "\n")
        base = {"uri": str(tmp_path / "a.csv"), "format": "csv", "columns": columns, "quarantine_limit": 1, **more}
        return context(policy_of({"base": base}, {"derive": {"seen": "amount"}}))

    return make


def test_mode_fail_tells_how_many_rows_broke_which_rule(of_lines):
    with pytest.raises(ContractError) as error:
        run(of_lines("1,,-1", "2,,-2", ",,3", "4,,4", mode="fail"))
    assert "3 of 4 rows (75.00%) break the contract, where mode is fail (amount.min 2, person.required 1)" in str(error.value)


def test_three_hundred_columns_are_judged_like_three(of_lines):
    """Planning such a query never ended: every column doubled what Spark knew of all others."""
    wide = {f"c{i}": {"type": ("string", "int", "decimal(12,2)")[i % 3], "required": i == 5} for i in range(297)}
    rows = [",".join([str(n), "", "1", *["1"] * 297]) for n in range(3)] + [",".join(["9", "", "1", *["x"] * 297])]
    ctx = of_lines(*rows, columns={**COLUMNS, **wide}, header=",".join([*COLUMNS, *wide]))
    run(ctx)
    (told,) = ctx.store.read(PROVENANCE.of(ctx.policy)).collect()
    assert (told["rows_in"], told["rows_out"], told["rows_quarantined"]) == (4, 3, 1)


def test_new_columns_are_ignored_or_refused_as_the_source_says(of_lines):
    fewer = {"person": COLUMNS["person"], "at": "timestamp"}
    with pytest.raises(ContractError, match=r"columns are new \(new_columns: fail\): 1 \(a\)"):
        run(of_lines("1,,1", columns=fewer, new_columns="fail"))
    ctx = of_lines("1,,1", columns=fewer)
    run(ctx)
    assert [row["ignored_columns"] for row in ctx.store.read(PROVENANCE.of(ctx.policy)).collect()] == ["1 (a)"]


def relaxed(ctx, least):
    base = ctx.policy.sources["base"]
    amount = base.columns["amount"].model_copy(update={"min": str(least)})
    changed = base.model_copy(update={"columns": {**base.columns, "amount": amount}})
    return replace(ctx, policy=ctx.policy.model_copy(update={"sources": {"base": changed}}), run_id=f"after {least}")


def held(ctx):
    raw = sorted(row["amount"] for row in ctx.store.read(RAW.of(ctx.policy, "base")).collect())
    aside = sorted(json.loads(row["row"]).get("amount", "") for row in ctx.store.read(QUARANTINE.of(ctx.policy)).collect())
    return raw, aside


def sums(ctx):
    counts = ("rows_in", "rows_out", "rows_quarantined", "rows_duplicate", "rows_not_consented")
    return list(ctx.store.read(PROVENANCE.of(ctx.policy)).agg(*[F.sum(name) for name in counts]).first())


@pytest.mark.long
def test_quarantined_rows_that_fit_now_enter_once(of_lines, monkeypatch):
    ctx = of_lines("1,2019-05-04 12:00:00.000001,-1", "2,,-5", "3,,3", "4", "5,,much")
    run(ctx)
    assert held(ctx) == ([3], ["", "-1", "-5", "much"])
    ended = replay(ctx)
    assert (ended.rows_in, ended.rows_out) == (4, 0) and held(ctx) == ([3], ["", "-1", "-5", "much"])

    # Cut off between the raw commit and everything after it: the next replay finishes it and adds nothing.
    store = type(ctx.store)
    commit = store.append_once

    def cut_off(*arguments):
        commit(*arguments)
        raise SystemExit

    monkeypatch.setattr(store, "append_once", cut_off)
    with pytest.raises(SystemExit):
        replay(relaxed(ctx, -1))
    monkeypatch.setattr(store, "append_once", commit)
    ended = replay(relaxed(ctx, -1))
    assert (ended.rows_in, ended.rows_out) == (3, 0)
    assert held(ctx) == ([-1, 3], ["", "-5", "much"])
    assert [row["at"].microsecond for row in ctx.store.read(RAW.of(ctx.policy, "base")).where("person = 1").collect()] == [1]

    # Somebody corrects a row in the quarantine; a line that was cut short stays broken until its mark is removed too.
    fixed = '{"person":"5","amount":"55"}'
    aside = ctx.store.lake.identifier(QUARANTINE.of(ctx.policy))
    ctx.store.spark.sql(f"UPDATE {aside} SET row = '{fixed}' WHERE rule = 'amount.type'")
    replay(relaxed(ctx, -2))
    assert held(ctx) == ([-1, 3, 55], ["", "-5"])
    assert sums(ctx) == [5, 3, 2, 0, 0]
    assert {row["way"] for row in ctx.store.read(COLLECTED.of(ctx.policy)).collect()} == {"replay"}
    # A source that is read whole is made of its files again.
    run(replace(relaxed(ctx, -1), build="b2"))
    assert held(ctx) == ([-1, 3], ["", "-5", "much"])

"""Facts come from the right rows of the control tables, and the stage writes the same report twice as once."""

import hashlib
import io
import json
import math
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from kveil.context import Context
from kveil.log import Progress
from kveil.report import render
from kveil.report.facts import facts
from kveil.report.stage import last_summary, run
from kveil.settings import Policy
from kveil.tables import schema
from kveil.tables.lake import Lake
from kveil.tables.store import TableStore

NOW = datetime(2025, 3, 14, 9, 25, 31, tzinfo=timezone.utc)
NAMED = dict.fromkeys(("first", "last", "street"), "string")
GOLDEN = Path(__file__).parents[1] / "golden" / "report_facts.json"


def policy(**changes):
    return Policy.model_validate(
        {
            "name": "bank",
            "purpose": "scoring",
            "person": "person_id",
            "sources": {
                "payments": {
                    "uri": "s3://bucket/payments.parquet",
                    "columns": {
                        "person_id": "bigint",
                        "at": "timestamp",
                        "city": "string",
                        "amount": "bigint",
                        "late": "boolean",
                    },
                },
                "registered": {"uri": "s3://bucket/registered", "columns": {"person_id": "bigint", **NAMED}},
            },
            "consent": {"simulated": {"grant": 0.9, "refuse": 0.1, "withdraw": 0, "first": "2024-01-01", "last": "2024-12-31"}},
            "clean": {
                "table": "payments",
                "base": "payments",
                "time": "at",
                "joins": [{"source": "registered", "by": "person_id"}],
                "people": {"source": "registered", "columns": dict.fromkeys(NAMED, "name")},
                "expect": [{"rule": "not_null", "column": "amount"}],
            },
            "anonymize": {
                "release": "payments",
                "k": 5,
                "partition_by": ["split"],
                "quasi_identifiers": {"city": {"kind": "category"}},
                "noise": {"amount": {"lower": 0, "upper": 100, "epsilon": "0.5"}},
                "insensitive": {"late": "the label"},
                "accepted": {"city": "names of towns look like names of people"},
                "budget": {"epsilon": "1.5"},
                "aggregates": {
                    "cities": {
                        "group_by": {"city": {"values": ["A", "B"]}},
                        "measures": {"rows": {"kind": "count"}, "lates": {"kind": "people"}},
                        "epsilon": "0.25",
                        "contribution": {"rows": 3},
                    }
                },
            },
            "train": {"label": "late", "features": ["city"], "logistic_regression": {}},
            "deploy": {"model": "late_payment"},
            **changes,
        }
    )


def context(spark, folder):
    store = TableStore(spark, Lake.at(str(folder / "mylake")))
    return Context(policy(), store, "run-3", NOW, Progress(io.StringIO()), build="b-report", stage="report")


@pytest.fixture
def ctx(spark, tmp_path):
    return context(spark, tmp_path)


def put(ctx, table, *rows, minutes=0, **common):
    """Appends rows to a control table, as written `minutes` before the report."""
    at = NOW - timedelta(minutes=minutes)
    made = [
        {"written_at": at, "policy": "bank", "build": "b", "run_id": "run-3", "release_id": "new", **common, **row}
        for row in rows
    ]
    ctx.store.append(ctx.ref(table), ctx.store.rows(table, [{k: v for k, v in row.items() if k in table.names} for row in made]))


def book(ctx, data_set, releases):
    """Writes an account with releases of half an epsilon each."""
    cap = {"cap_epsilon": "1.5", "cap_delta": "0"}
    steps = [
        {"sequence": n, "state": "reserved", "at": f"2025-03-1{n}T08:00:00.000Z", "actor": "ann", "run_id": "run-3", **cap}
        for n in range(1, len(releases) + 1)
    ]
    entries = [
        {"release_id": name, "request": "r", "state": "reserved", "epsilon": "0.5", "delta": "0", "rho": "0", "steps": [step]}
        for name, step in zip(releases, steps, strict=True)
    ]
    account = {
        "account": f"{data_set}/row/anyone",
        "data_set": data_set,
        "unit": "row",
        "recipient": "anyone",
        "person": "person_id",
    }
    account |= {**cap, "spent_epsilon": str(0.5 * len(releases)), "sequence": len(releases), "entries": entries}
    ctx.store.append(ctx.ref(schema.BUDGET_LEDGER), ctx.store.rows_of_json(schema.BUDGET_LEDGER, [account]))


def register(ctx):
    """Twelve people registered twice, with weights of 6.5 and 20.5; the first a third time, by a weaker link; the prior is -3."""
    pairs = [
        (f"{i}", f"{i + 100}", 0.99, weight, {"first": 8.0, "last": weight - 4.5, "street": -0.5})
        for i in range(12)
        for weight in [6.5 if i < 5 else 20.5]
    ]
    pairs += [("100", "200", 0.98, 5.5, {"first": 8.0, "last": 1.0, "street": -0.5})]
    pairs += [("0", "200", 1.0, math.inf, {"first": 8.0, "last": math.inf, "street": -0.5})]
    people = [(f"{i + more}", f"{i}") for i in range(12) for more in (0, 100)] + [("200", "0")]
    for table, rows in ((schema.PEOPLE, people), (schema.PEOPLE_PAIRS, pairs)):
        ctx.store.replace(ctx.ref(table), ctx.spark.createDataFrame(rows, table.ddl))


@pytest.fixture(scope="module")
def filled(spark, tmp_path_factory):
    """Two runs of a policy, with another policy's rows in between; tests only read its control tables."""
    ctx = context(spark, tmp_path_factory.mktemp("report"))
    source = {
        "source": "payments",
        "uri": "s3://user:secret@bucket/payments.parquet?sig=token",
        "path": "/home/ann/payments.parquet",
        "bytes": 7,
    }
    counts = {"rows_in": 100, "rows_quarantined": 3, "rows_not_consented": 7, "rows_out": 90, "simulated_consent": True}
    put(ctx, schema.PROVENANCE, {**source, **counts, "sha256": "old"}, minutes=90, build="before")
    put(
        ctx,
        schema.PROVENANCE,
        {**source, **counts, "sha256": "aa"},
        {**source, **counts, "path": "b.parquet", "sha256": "bb"},
        minutes=60,
    )
    put(ctx, schema.PROVENANCE, {**source, **counts, "sha256": "alien"}, policy="other", build="alien")
    rules = [
        {"step": step, "source": "payments", "rule": f"rule {step}", "rows_before": 90, "rows_after": 90} for step in (10, 9)
    ]
    put(ctx, schema.CLEANING_LOG, *rules, minutes=50)
    expected = {"place": 0, "column": "amount", "rule": "not_null", "expected": "amount is never null", "rows": 90, "failed": 0}
    expected |= {"share": 0.0, "allowed": 0.0, "severity": "fail", "met": True}
    put(ctx, schema.QUALITY_METRICS, {**expected, "failed": 9}, minutes=80, build="before")
    put(ctx, schema.QUALITY_METRICS, expected, minutes=50)
    register(ctx)
    column = {
        "table": "raw.bank_payments",
        "position": 1,
        "column": "city",
        "type": "string",
        "semantic": "city",
        "role": "quasi",
    }
    put(ctx, schema.PROFILE_COLUMNS, {**column, "rows": 90, "missing": 9, "distinct": 2, "proven": False})
    put(ctx, schema.PROFILE_COLUMNS, {**column, "rows": 1, "missing": 0, "distinct": 1}, policy="other")
    value = {"table": "raw.bank_payments", "column": "city", "kind": "value"}
    put(
        ctx, schema.PROFILE_VALUES, {**value, "rank": 2, "shown": None, "rows": 1}, {**value, "rank": 1, "shown": "A", "rows": 80}
    )
    told = {"table": "raw.bank_payments", "kind": "dependency", "columns": ["city"], "told": "late", "confidence": 0.97}
    put(ctx, schema.PROFILE_DEPENDENCIES, {**told, "support": 80})
    release = {"purpose": "scoring", "table": "release.bank_payments", "version": 4, "k": 5, "rows_in": 90, "rows_released": 88}
    release |= {"rows_suppressed": 2, "smallest_class": 5, "epsilon": Decimal("0.5"), "link_files_left": 0}
    put(ctx, schema.RELEASES, {**release, "release_id": "old", "version": 3}, minutes=80)
    put(ctx, schema.RELEASES, release, minutes=40)
    metric = {"measured_on": "staging", "metric": "class_people_min", "scope": "", "threshold": 5.0}
    put(ctx, schema.PRIVACY_METRICS, {**metric, "value": 4.0, "met": False}, minutes=80, release_id="old")
    put(
        ctx,
        schema.PRIVACY_METRICS,
        {**metric, "value": 5.0, "met": True},
        {**metric, "metric": "c_avg", "value": float("inf")},
        minutes=40,
    )
    put(ctx, schema.PRIVACY_METRICS, {**metric, "value": 2.0, "met": False}, policy="other", release_id="alien")
    of_cities = {"aggregate": "cities", "table": "release.bank_aggregate_cities", "version": 1, "groups": 2}
    of_cities |= {"mechanism": "discrete laplace", "epsilon": Decimal("0.25"), "delta": Decimal(0), "bound": "3 rows"}
    for release_id, error in (("cities-old", 9.0), ("cities-new", 5.0)):
        told = [
            {"measure": name, "kind": kind, "standard_error": error} for name, kind in (("lates", "people"), ("rows", "count"))
        ]
        put(ctx, schema.AGGREGATES, *[{**of_cities, **each} for each in told], release_id=release_id)
    table = schema.AGGREGATE.of(ctx.policy, aggregate="cities")
    ctx.store.replace(table, ctx.store.rows(schema.AGGREGATE, []), properties={"kveil.release_id": "cities-new"})
    book(ctx, "bank", ["old", "new"])
    book(ctx, "other", ["alien"])
    model = {
        "algorithm": "logistic_regression",
        "trained_on": "release",
        "mlflow_run": "m",
        "rows": 70,
        "document": "never shown",
    }
    put(ctx, schema.MODELS, {**model, "mlflow_run": "older"}, minutes=39, build="before")
    put(ctx, schema.MODELS, model, minutes=30)
    score = {"algorithm": "logistic_regression", "view": "generalized", "trained_on": "release", "metric": "auc_roc", "rows": 18}
    put(ctx, schema.UTILITY_METRICS, {**score, "value": 0.7}, {**score, "trained_on": "baseline", "view": "clean", "value": 0.8})
    put(ctx, schema.UTILITY_METRICS, {**score, "value": 0.9}, release_id="old")
    check = {
        "model": "late_payment",
        "algorithm": "logistic_regression",
        "check": "min_auc",
        "measured": 0.7,
        "threshold": 0.5,
        "met": True,
    }
    put(ctx, schema.DEPLOYMENTS, {**check, "registered_version": "2"})
    stage = {
        "stage": "collect",
        "rows_in": 100,
        "rows_out": 90,
        "seconds": 2.5,
        "writes": {"raw.bank_payments": 1},
        "outcome": "done",
    }
    put(ctx, schema.RUN_LOG, stage, minutes=60, run_id="run-2")
    put(
        ctx,
        schema.RUN_LOG,
        {"stage": "collect", "outcome": "up to date", "seconds": 0.1},
        {"stage": "report", "outcome": "done"},
        minutes=5,
    )
    put(
        ctx,
        schema.RUN_LOG,
        {"stage": "clean", "outcome": "failed", "message": "no"},
        {**stage, "stage": "train", "policy": "other"},
    )
    return ctx


@pytest.fixture(scope="module")
def found(filled):
    return facts(filled)


def test_aggregates_are_those_published_now_with_measures_as_in_the_policy(found):
    (cities,) = found["aggregates"]
    assert (cities["release_id"], cities["epsilon"], cities["groups"], cities["group_by"]) == ("cities-new", "0.25", 2, ["city"])
    assert [(each["measure"], each["standard_error"]) for each in cities["measures"]] == [("rows", 5.0), ("lates", 5.0)]


def test_facts_are_those_of_the_latest_build_and_release(found):
    assert found["release_id"] == "new"
    assert (found["release"]["version"], found["release"]["epsilon"], found["release"]["rows_released"]) == (4, "0.5", 88)
    assert found["release"]["address"] == "delta.`mylake/release/bank_payments`"
    assert found["release"]["written_at"] == "2025-03-14T08:45:31Z"
    assert [(row["metric"], row["value"]) for row in found["privacy"]] == [("c_avg", None), ("class_people_min", 5.0)]
    assert [file["sha256"] for file in found["sources"][0]["files"]] == ["aa", "bb"]
    assert found["sources"][0]["balanced"] is True
    assert [rule["step"] for rule in found["cleaning"]] == [9, 10]
    assert [model["mlflow_run"] for model in found["models"]] == ["m"]
    assert sorted(row["value"] for row in found["utility"]) == [0.7, 0.8]
    assert [check["registered_version"] for check in found["gate"]] == ["2"]
    assert [(entry["entry"], entry["release_id"], entry["written_at"]) for entry in found["ledger"]] == [
        (1, "old", "2025-03-11T08:00:00Z"),
        (2, "new", "2025-03-12T08:00:00Z"),
    ]


def test_expectations_are_those_of_the_last_time_they_were_judged(found):
    assert [(row["expected"], row["failed"]) for row in found["expectations"]] == [("amount is never null", 0)]


def test_a_person_counts_once_by_the_weakest_of_their_links(found):
    people = found["people"]
    assert (people["people"], people["registrations"], people["threshold_weight"]) == (12, 25, 4.25)
    assert people["weights"] == [{"lower": 5, "upper": 7, "people": 5}, {"lower": 7, "upper": 21, "people": 7}]
    everybody, weakest = people["waterfalls"]
    assert (everybody["people"], weakest["people"]) == (12, 5)
    assert weakest["weight"] == pytest.approx((5.5 + 4 * 6.5) / 5, abs=0.006)
    # The weight without an end is no part of any mean.
    assert (everybody["prior"], weakest["prior"]) == (-3.0, -3.0)
    assert [each["column"] for each in weakest["columns"]] == ["first", "last", "street"]
    assert [each["weight"] for each in weakest["columns"]] == [8.0, 1.8, -0.5]


def test_a_profile_shows_each_column_as_its_tables_have_it(found):
    (table,) = found["profile"]
    assert (table["table"], table["rows"]) == ("raw.bank_payments", 90)
    (column,) = table["columns"]
    assert (column["holds"], column["missing"], column["counts"], column["looks"]) == ("city (quasi-identifier)", 0.1, [80], "A")
    assert table["sentences"] == ["Dependencies in the sample: city tells late (97.0%)."]


def test_stages_show_the_last_outcome_with_the_figures_of_the_last_work(found):
    stages = {stage["stage"]: stage for stage in found["stages"]}
    assert list(stages) == ["collect", "clean", "anonymize", "train", "evaluate", "deploy", "report"]
    assert (stages["collect"]["outcome"], stages["collect"]["seconds"], stages["collect"]["rows_out"]) == ("up to date", 2.5, 90)
    assert (stages["collect"]["run_id"], stages["collect"]["writes"]) == ("run-2", {"raw.bank_payments": 1})
    assert (stages["clean"]["outcome"], stages["clean"]["message"]) == ("failed", "no")
    assert (stages["train"]["outcome"], stages["report"]["outcome"]) == ("not run", "this report")


def test_nothing_that_is_secret_or_large_gets_into_the_facts(filled, found):
    text = json.dumps(found, allow_nan=False)
    for hidden in ("secret", "token", "never shown", "/home/ann", "alien", str(filled.files.parent)):
        assert hidden not in text


def test_a_release_that_was_measured_and_refused_is_the_latest(ctx):
    release = {"purpose": "scoring", "table": "release.bank_payments", "version": 3, "k": 5}
    put(ctx, schema.RELEASES, release, minutes=40, release_id="published")
    metric = {"measured_on": "staging", "metric": "class_people_min", "scope": "", "threshold": 5.0, "value": 4.0, "met": False}
    put(ctx, schema.PRIVACY_METRICS, metric, release_id="refused", minutes=10)
    put(ctx, schema.RUN_LOG, {"stage": "anonymize", "outcome": "done", "rows_out": 88}, minutes=30)
    put(ctx, schema.RUN_LOG, {"stage": "anonymize", "outcome": "failed", "message": "no"}, minutes=10)
    table = ctx.spark.range(1)
    ctx.store.replace(ctx.ref(schema.RELEASE), table, properties={"kveil.release_id": "published"})
    found = facts(ctx)
    assert (found["release_id"], found["release"], found["gate"]) == ("refused", None, [])
    assert "The guarantee did not hold, so this release was not published." in render.markdown(found)
    # The policy is put back to what it was: its release is there already and is what the report is about again.
    put(ctx, schema.RUN_LOG, {"stage": "anonymize", "outcome": "up to date"}, minutes=1)
    found = facts(ctx)
    assert (found["release_id"], found["release"]["version"]) == ("published", 3)
    stage = found["stages"][2]
    assert (stage["outcome"], stage["rows_out"], stage["message"]) == ("up to date", 88, None)


def test_facts_of_an_empty_lake_make_a_report(ctx):
    found = facts(ctx)
    assert (found["release"], found["privacy"], found["sources"]) == (None, [], [])
    assert (found["expectations"], found["people"]) == ([], None)
    assert "The guarantee was not measured, and nothing was published." in render.markdown(found)
    assert "<h1>" in render.html(found)


def test_facts_have_the_shape_that_the_documents_are_tested_with(found):
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert shape(found) == shape(golden)


def shape(value, depth=0):
    """Keys of a fact and, for lists of facts, keys of their rows; parameters and maps differ by policy."""
    if isinstance(value, dict) and depth < 3:
        open_maps = ("parameters", "reads", "writes", "gate", "partition_view")
        return {key: shape(inner, depth + 1) if key not in open_maps else "map" for key, inner in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return shape(value[0], depth + 1)
    return None


@pytest.mark.long
def test_running_twice_writes_one_report(filled, found):
    for _ in range(2):
        result = run(filled)
    lake = filled.files
    (row,) = filled.store.read(filled.ref(schema.REPORTS)).collect()
    assert (row["policy"], row["build"], row["release_id"], row["path"]) == (
        "bank",
        "b-report",
        "new",
        "reports/run-3/index.html",
    )
    page = (lake / row["path"]).read_bytes()
    assert hashlib.sha256(page).hexdigest() == row["sha256"]
    assert (lake / "reports/latest/index.html").read_bytes() == page
    assert sorted(path.name for path in (lake / "reports").iterdir()) == ["latest", "run-3"]
    assert sorted(path.name for path in (lake / "reports/run-3").iterdir()) == ["facts.json", "index.html", "report.md"]
    assert json.loads((lake / "reports/run-3/facts.json").read_text(encoding="utf-8")) == found
    assert result.rows_out == 1
    lines = last_summary(filled)
    assert lines[:-1] == render.summary(found)[:-1]
    assert lines[-1].endswith(str(lake / row["path"]))


def test_no_report_has_no_summary(ctx):
    assert last_summary(ctx) == []

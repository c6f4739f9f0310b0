"""Profiles and drafts of real tables: hard columns, one pass whatever the width, nothing rare told, identifiers refused."""

import json

import pandas as pd
import pytest
from kveil.anonymize.identifiers import check_identifiers
from kveil.classify.door import draft_of, next_steps
from kveil.classify.run import Asked, classified
from kveil.collect.opened import opened
from kveil.errors import ContractError, GuaranteeError, SettingsError
from kveil.generate.bank import Generator
from kveil.generate.size import Bank
from kveil.log import Progress
from kveil.new_file import write_new
from kveil.profile.lines import lines
from kveil.profile.profiled import profile, profile_of
from kveil.profile.sampled import PERSON, sampled
from kveil.report.profile_facts import profile_facts
from kveil.tables.schema import BUDGET_LEDGER, CLEAN, PRIVACY_METRICS, PROFILE_COLUMNS, RAW, RAW_ROW, RELEASE
from pyspark.sql import functions as F

from tests.builders import clean_rows, context, purchases, shop
from tests.spark._released import anonymized

ROWS, PEOPLE = 1200, 400
SCRIPTS = ("Мария", "محمد", "山田", "Zoë")


def hard(spark):
    """A table of everything that makes a profile stumble."""
    row = F.col("id")
    return spark.range(0, ROWS, 1, 3).select(
        (row % PEOPLE).alias("customer"),
        F.lit("same").alias("constant"),
        F.lit(None).cast("string").alias("empty"),
        F.concat(F.lit("AB"), F.lpad(row.cast("string"), 6, "0")).alias("all_differ"),
        F.when(row == 7, F.repeat(F.lit("x"), 1_000_000)).otherwise(F.lit("short")).alias("huge"),
        F.element_at(F.array(*map(F.lit, SCRIPTS)), (row % 4 + 1).cast("int")).alias("scripts"),
        F.when(row % 2 == 0, "01/02/2020").otherwise("03/04/2021").alias("two_ways"),
        F.when(row == 3, float("nan")).when(row == 4, 1e9).otherwise(row % 100).cast("double").alias("amount"),
        F.date_add(F.lit("2024-01-01").cast("date"), (row % 90).cast("int")).alias("day"),
        F.concat(F.lit("p"), (row % PEOPLE).cast("string"), F.lit("@example.org")).alias("mail"),
        F.array(row, row).alias("list"),
        F.when(row == 5, "the only one").otherwise("of many").alias("rare"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(spark):
    return profile_of(hard(spark), "customer", 10)


def test_hard_columns_are_described(made):
    told = {each["column"]: each for each in made.columns}
    assert (made.totals.rows, list(told)[:2]) == (ROWS, ["customer", "constant"])
    assert abs(made.totals.people - PEOPLE) < 0.05 * PEOPLE
    assert told["constant"]["semantic"] == "constant"
    assert (told["empty"]["semantic"], told["empty"]["missing"], told["empty"]["distinct"]) == ("empty", ROWS, 0)
    assert told["all_differ"]["semantic"] == "key"
    assert told["all_differ"]["distinct"] > 0.95 * ROWS
    assert told["huge"]["longest"] == 1_000_000
    assert told["two_ways"]["date_pattern"] == "dd/MM/yyyy|MM/dd/yyyy"
    assert told["mail"]["semantic"] == "email" and told["mail"]["proven"]
    assert told["amount"]["outliers"] > 0
    assert told["amount"]["quantiles"][2] in ("49", "50")
    assert told["day"]["quantiles"] == ["2024-01", "2024-01", "2024-02", "2024-03", "2024-03"]
    keys = [each["columns"] for each in made.told if each["kind"] == "key"]
    assert ["all_differ"] in keys
    follows = {(each["columns"][0], each["told"]) for each in made.told if each["kind"] == "dependency"}
    assert {("customer", "mail"), ("mail", "customer")} <= follows


def test_nothing_rare_is_told(made):
    text = json.dumps([made.columns, made.told], allow_nan=False)
    assert "the only one" not in text and "example.org" not in text and "xxx" not in text and "1e+09" not in text
    shown = {each["shown"] for each in made.told if each["kind"] == "value"}
    assert {"of many", "same", "Мария"} <= shown


def test_partitions_change_nothing_but_estimates(spark, made):
    other = profile_of(hard(spark).repartition(5), "customer", 10)
    assert other.told == made.told
    estimates = ("distinct", "quantiles", "mean")
    for one, same in zip(other.columns, made.columns, strict=True):
        assert {name: value for name, value in one.items() if name not in estimates} == {
            name: value for name, value in same.items() if name not in estimates
        }
        assert abs(one["distinct"] - same["distinct"]) <= 0.05 * ROWS


def test_a_wide_table_takes_no_more_jobs_than_a_narrow_one(spark):
    """Two passes a table, however many columns."""

    def jobs(columns):
        group = f"profile-{columns}"
        spark.sparkContext.setJobGroup(group, "")
        rows = spark.range(50).select(*[(F.col("id") * i).cast("string").alias(f"c{i}") for i in range(columns)])
        profile_of(rows, "nobody", 5)
        spark.sparkContext.setLocalProperty("spark.jobGroup.id", None)
        return len(spark.sparkContext.statusTracker().getJobIdsForGroup(group))

    assert jobs(100) == jobs(3) <= 8


def test_a_sample_is_bounded_and_holds_all_rows_of_whom_it_holds(spark, monkeypatch):
    monkeypatch.setattr("kveil.profile.sampled.ROWS", 300)
    rows = hard(spark).select("customer", "mail")
    found = sampled(rows, "customer", ROWS).toPandas()
    assert 150 <= len(found) <= 600
    assert (found.groupby("customer")[PERSON].agg(["count", "nunique"]) == [ROWS // PEOPLE, 1]).all().all()
    again = sampled(rows.repartition(7), "customer", ROWS).toPandas()
    assert sorted(again.customer) == sorted(found.customer)


def test_a_policys_tables_are_profiled_and_profiled_again(spark, module_store):
    ctx = context(module_store, shop(), "profile")
    with pytest.raises(ContractError, match="run stage collect first"):
        profile(ctx)
    frame = purchases(300, 2000)
    ctx.store.replace(RAW.of(ctx.policy, "sales"), clean_rows(spark, frame).withColumn(RAW_ROW, F.lit(1)))
    assert [name for name, _ in profile(ctx)] == ["raw.shop_sales"]
    ctx.store.replace(ctx.ref(CLEAN), clean_rows(spark, frame.assign(town=frame["reduced"].map({True: "a", False: "b"}))))
    told = profile(ctx)
    assert [name for name, _ in told] == ["raw.shop_sales", "clean.shop_purchases"]
    assert any(line.startswith("  town") and "city" in line for line in lines(told))
    columns = ctx.store.read(ctx.ref(PROFILE_COLUMNS)).toPandas()
    assert len(columns) == 2 * len(frame.columns)
    assert RAW_ROW not in set(columns["column"])
    of_clean = columns[columns["table"] == "clean.shop_purchases"].set_index("column")
    assert of_clean.loc["town", "association"] > 0.99 and of_clean.loc["cents", "association"] < 0.2
    assert of_clean.loc["customer", "role"] == "person"
    facts = profile_facts(ctx)
    assert [one["table"] for one in facts] == ["clean.shop_purchases", "raw.shop_sales"]
    assert sum(bool(column["counts"]) for column in facts[0]["columns"]) >= 4
    assert any("tells" in sentence for one in facts for sentence in one["sentences"])


def test_a_folder_of_files_becomes_a_policy(spark, tmp_path):
    frame = purchases(300, 1500)
    sales = frame.assign(bought_at=pd.to_datetime(frame["date"]).dt.strftime("%Y-%m-%d 10:00:00"), mail="x@example.org")
    sales[["customer", "bought_at", "item", "cents", "reduced"]].to_csv(tmp_path / "sales.csv", sep=";", index=False)
    people = frame.drop_duplicates("customer")[["customer", "age", "town"]]
    people = people.assign(email=[f"p{i}@example.org" for i in people["customer"]])
    people.to_parquet(tmp_path / "people.parquet")
    files = {"sales": "sales.csv", "people": "people.parquet"}
    found = {name: opened(spark, name, str(tmp_path / file)) for name, file in files.items()}
    assert found["sales"].declared["csv"] == {"delimiter": ";"}
    sources = {name: Asked(each.declared, each.rows, each.texts) for name, each in found.items()}
    path = tmp_path / "shop.yml"
    write_new(path, draft_of(sources, "shop", "customer", None, Progress()))
    assert list(next_steps(path))[-1].endswith("kveil check finds no problem")
    text = path.read_text()
    assert "email is not collected: direct identifier" in text
    assert "- {source: people, by: customer}" in text
    assert "label: reduced" in text
    with pytest.raises(SettingsError, match="no source has a column 'nobody'"):
        draft_of(sources, "shop", "nobody", None, Progress())


def test_what_cannot_be_opened_is_said(spark, tmp_path):
    (tmp_path / "notes.docx").write_text("x")
    with pytest.raises(ContractError, match="has no format that its name tells"):
        opened(spark, "notes", str(tmp_path / "notes.docx"))
    with pytest.raises(ContractError, match="is not there"):
        opened(spark, "gone", str(tmp_path / "gone.csv"))


def test_direct_identifiers_are_not_released_but_by_a_written_reason(store):
    frame = purchases(200, 600)
    frame["item"] = [f"p{i % 40}@example.org" for i in range(len(frame))]
    with pytest.raises(GuaranteeError, match=r"direct identifiers: item holds email .*anonymize.accepted.COLUMN"):
        anonymized(store, frame)
    ctx = context(store, shop(anonymize__accepted={"item": "mailboxes of shops, which are public"}), "anonymize")
    for table in (RELEASE, PRIVACY_METRICS, BUDGET_LEDGER):
        assert not store.exists(ctx.ref(table))
    check_identifiers(store.read(ctx.ref(CLEAN)), ctx.policy.anonymize)


def test_every_direct_identifier_of_a_bank_s_customers_is_found(spark):
    rows = dict(Generator(spark, Bank(300, 300, dirt=0.02), 1).tables())["customers"]
    (found,) = classified({"customers": Asked({"format": "parquet"}, rows, False)}, "customer_id", Progress())
    roles = {each.name: each.role for each in found.columns}
    direct = {"first_name", "last_name", "national_id", "email", "phone", "street", "iban"}
    assert {name for name, role in roles.items() if role == "direct identifier"} == direct
    quasi = {"gender", "birth_date", "postcode", "city", "country", "occupation", "income", "branch", "opened_on"}
    assert quasi <= {name for name, role in roles.items() if role == "quasi-identifier"}
    assert roles["customer_id"] == "privacy unit"

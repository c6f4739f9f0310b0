"""A generated bank: the same on any number of partitions, its numbers valid, every error in it known and undone by its truth."""

import random
from functools import reduce

import numpy as np
import pandas as pd
import pytest
from kveil.generate.bank import Generator
from kveil.generate.dirt import DOUBLED, FAULTY
from kveil.generate.draws import Draws, permuted
from kveil.generate.identifiers import iban_check, with_iban
from kveil.generate.national_ids import mod_11_10, with_check
from kveil.generate.places import categories
from kveil.generate.size import Bank
from kveil.generate.transactions import AFFLUENCE
from kveil.tables.bank_schema import BANK
from kveil.tables.files import FORMATS, write_files
from pyspark.sql import functions as F
from stdnum import bic, iban
from stdnum.at import vnr
from stdnum.be import nn
from stdnum.de import idnr
from stdnum.es import dni
from stdnum.fr import nir
from stdnum.nl import bsn
from stdnum.us import ssn

CUSTOMERS, TRANSACTIONS, DIRT = 700, 4000, 0.2
KEYS = {table.name: table.key for table in BANK}


def tables(spark, partitions: int | None = None, **bank) -> dict[str, pd.DataFrame]:
    """A small bank's tables, all columns as texts, since that is how errors tell truths."""
    asked = Bank(**{"customers": CUSTOMERS, "transactions": TRANSACTIONS, "seed": 5, "dirt": DIRT, **bank})
    found = {}
    for name, rows in Generator(spark, asked, partitions).tables():
        texts = rows.select([F.col(column).cast("string") for column in rows.columns]).toPandas()
        found[name] = texts.sort_values(list(texts.columns), ignore_index=True)
    return found


@pytest.fixture(scope="module")
def dirty(spark):
    return tables(spark, partitions=7)


@pytest.fixture(scope="module")
def clean(spark):
    return tables(spark, partitions=2, dirt=0.0)


def test_one_partition_makes_the_same_rows_as_seven(spark, dirty):
    alone = tables(spark, partitions=1)
    assert alone.keys() == dirty.keys()
    for name, rows in alone.items():
        pd.testing.assert_frame_equal(rows, dirty[name])


def test_another_seed_makes_other_people(spark, clean):
    (name, other) = next(Generator(spark, Bank(CUSTOMERS, 0, 6, 0.0), 1).tables())
    assert len(set(other.toPandas().iban) & set(clean[name].iban)) < CUSTOMERS / 100


def test_tables_are_as_declared(spark, clean):
    for table, (name, rows) in zip(BANK, Generator(spark, Bank(1, 0, dirt=0.0)).tables(), strict=True):
        assert table.name == name
        assert rows.dtypes == [(column.name, column.type) for column in table.columns]
        assert not clean[name][KEYS[name]].duplicated().any() if name != "errors" else clean[name].empty


def test_every_listed_error_differs_and_all_truths_together_make_the_clean_bank(clean, dirty):
    errors = dirty["errors"]
    wrong = errors[~errors.kind.isin(["duplicate_row"])]
    assert (wrong.truth.fillna("\0") != wrong.dirty.fillna("\0")).all()
    assert not errors.duplicated().any()
    for name, key in KEYS.items():
        if name != "errors":
            restored = restore(dirty[name], errors[errors.table == name], key)
            pd.testing.assert_frame_equal(restored.sort_values(list(restored.columns), ignore_index=True), clean[name])


def restore(rows: pd.DataFrame, errors: pd.DataFrame, key: str) -> pd.DataFrame:
    """What a cleaner who knows every truth does: one of each exact copy, one registration per person, true values."""
    doubled = errors[errors.kind == "duplicate_row"].key
    assert sorted(rows[rows.duplicated()][key]) == sorted(doubled)
    rows = rows.drop_duplicates().set_index(key, drop=False)
    for error in errors[~errors.kind.str.startswith("duplicate")].itertuples():
        found = rows.at[error.key, error.column]
        assert found == error.dirty or (pd.isna(found) and pd.isna(error.dirty))
        rows.at[error.key, error.column] = error.truth
    twice = errors[errors.kind == "duplicate_person"].key
    return rows.drop(index=twice).reset_index(drop=True)


def test_second_registrations_are_of_one_person_and_told(clean, dirty):
    customers, errors = dirty["customers"].set_index("customer_id"), dirty["errors"]
    again = errors[(errors.kind == "duplicate_person") & (errors.table == "customers")]
    assert len(again) == int(CUSTOMERS * DIRT * DOUBLED)
    assert not set(again.key) & set(clean["customers"].customer_id)
    assert again.truth.is_unique
    people = clean["customers"].set_index("customer_id")
    alike = customers.loc[again.key].reset_index(drop=True) == people.loc[again.truth].reset_index(drop=True)
    differing = errors[(errors.table == "customers") & errors.key.isin(again.key) & (errors.kind != "duplicate_person")]
    assert 0 < (~alike | customers.loc[again.key].isna().reset_index(drop=True)).sum().sum() <= len(differing) + 3 * len(again)


@pytest.mark.parametrize("name", ["customers", "accounts", "transactions", "loans"])
def test_the_share_of_dirt_is_what_was_asked(dirty, clean, name):
    errors = dirty["errors"][dirty["errors"].table == name]
    faulty = errors[
        errors.column.notna() & (errors.kind != "duplicate_person") & errors.key.isin(clean[name][KEYS[name]])
    ].key.nunique()
    rows, share = len(clean[name]), DIRT * FAULTY
    # A fault may leave a value as it was; five standard deviations above, and no less than three quarters.
    assert 0.75 * share - 3 * (share / rows) ** 0.5 < faulty / rows < share + 5 * (share / rows) ** 0.5


def test_every_kind_of_error_occurs(dirty):
    found = {(error.table, error.kind) for error in dirty["errors"].itertuples()}
    assert {kind for _, kind in found} == {
        "typo", "swapped_fields", "changed", "bad_date", "null_token", "category_variant", "duplicate_row", "duplicate_person",
    }  # fmt: skip
    assert {name for name, _ in found} == {"customers", "accounts", "transactions", "loans", "consents"}


def test_a_bank_without_dirt_has_no_errors(clean):
    assert clean["errors"].empty


def valid(number: str) -> bool:
    """python-stdnum's judgement, national digits included; but of Belgian numbers it wants a bank that exists."""
    if not number.startswith("BE"):
        return iban.is_valid(number)
    return iban.is_valid(number, check_country=False) and (int(number[4:14]) % 97 or 97) == int(number[14:])


def test_all_numbers_have_valid_check_digits(clean):
    """Judged by python-stdnum, which knows each country's own rules as well."""
    customers, accounts = clean["customers"], clean["accounts"]
    assert [number for number in [*accounts.iban, *customers.iban] if not valid(number)] == []
    assert accounts.iban.is_unique
    assert set(customers.iban) <= set(accounts.iban)
    assert all(bic.is_valid(code) for code in customers.bic)
    checks = {"DE": idnr, "FR": nir, "ES": dni, "NL": bsn, "BE": nn, "AT": vnr}
    known = customers[customers.country.notna()]
    assert set(known.country) == {*checks, "US"}
    for person in known.itertuples():
        if person.country == "US":
            assert not ssn.is_valid(person.national_id)
        else:
            assert checks[person.country].is_valid(person.national_id), (person.country, person.national_id)


def test_known_account_numbers_get_their_known_check_digits(spark):
    """Examples of the registry of IBANs, letters included."""
    known = [
        "DE89370400440532013000", "FR1420041010050500013M02606", "ES9121000418450200051332", "NL91ABNA0417164300",
        "BE68539007547034", "AT611904300234573201", "GB29NWBK60161331926819", "NO9386011117947",
    ]  # fmt: skip
    rows = spark.createDataFrame(
        [(number[:2], number[4:], number[2:4]) for number in known], "country string, bban string, check string"
    )
    assert rows.where(iban_check(F.col("country"), F.col("bban")) != F.col("check")).count() == 0


def test_every_account_of_every_country_is_valid(spark):
    """Any eight digits, also those whose check digit would be 10 or 97."""
    picked = random.Random(7)
    asked = [(code, f"{picked.randrange(10**8):08}") for code in ("DE", "AT", "FR", "ES", "NL", "BE") for _ in range(60)]
    rows = with_iban(spark.createDataFrame(asked, "c string, a string"), F.col("c"), F.col("a")).toPandas()
    assert [number for number in rows.iban if not valid(number)] == []
    assert rows.iban.is_unique


def test_known_national_numbers_get_their_known_check_digits(spark):
    """Published examples: a number without its check digit must get the one it has."""
    known = [("DE", "3657426180", "36574261809"), ("NL", "11122233", "111222333"), ("ES", "54362315", "54362315K")]
    known += [("FR", "2951099126111", "295109912611193"), ("BE", "850730033", "85073003328"), ("AT", "123010180", "1237010180")]
    rows = spark.createDataFrame(known, "_state string, _body string, whole string").withColumn(
        "birth", F.lit("1985-07-30").cast("date")
    )
    wrong = with_check(rows, F.col("birth")).where(F.col("national_id") != F.col("whole"))
    assert wrong.select("_state", "national_id", "whole").collect() == []
    assert rows.where(F.col("_state") == "DE").select(mod_11_10(F.col("_body")).alias("check")).first().check == 9


def test_a_permutation_hits_every_index_once(spark):
    for count in (1, 2, 97, 1000):
        rows = spark.range(count).select(permuted(F.col("id"), count, "test", 3).alias("to"))
        assert sorted(row.to for row in rows.collect()) == list(range(count))


def test_draws_follow_their_laws(spark):
    """Uniform, normal and weighted draws of 20,000 rows, within five standard errors; draws of two names are independent."""
    draws, rows = Draws(3, "test", F.col("id")), 20_000
    drawn = spark.range(rows).select(
        draws.uniform("u").alias("u"),
        draws.normal("z").alias("z"),
        draws.pick([1, 0, 2, 5], "p").alias("p"),
        draws.uniform("v").alias("v"),
    )
    found = drawn.toPandas()
    assert found.u.between(0, 1, inclusive="left").all()
    assert abs(np.histogram(found.u, 20, (0, 1))[0] - rows / 20).max() < 5 * (rows / 20) ** 0.5
    assert abs(found.z.mean()) < 5 / rows**0.5
    assert abs(found.z.std() - 1) < 5 / (2 * rows) ** 0.5
    assert abs(found.z.abs().gt(1.959964).mean() - 0.05) < 5 * (0.05 * 0.95 / rows) ** 0.5
    assert abs(np.corrcoef(found.u, found.v)[0, 1]) < 5 / rows**0.5
    shares = found.p.value_counts(normalize=True)
    assert set(shares.index) == {0, 2, 3}
    assert abs(shares[3] - 5 / 8) < 5 * (0.25 / rows) ** 0.5


@pytest.fixture(scope="module")
def year(spark):
    """A year's clean payments, many enough to see their laws."""
    made = dict(Generator(spark, Bank(2000, 120_000, 1, 0.0), 2).tables())
    rows = made["transactions"].join(
        made["customers"].select("customer_id", "birth_date", F.col("country").alias("home")), "customer_id"
    )
    born = F.substring("birth_date", 1, 4).cast("int").alias("born")
    columns = ["customer_id", "booked_at", "direction", "currency", "merchant_category", "channel", "is_fraud"]
    times = [F.hour("booked_at").alias("hour"), F.to_date("booked_at").alias("day")]
    abroad = (F.col("merchant_country") != F.col("home")).alias("abroad")
    return rows.select(*columns, *times, abroad, born, F.col("amount_eur").cast("double").alias("euros")).toPandas()


def test_amounts_are_log_normal_by_category(year):
    """The logarithm's mean, spread and symmetry are the category's; a law without logarithm would be far off."""
    honest = year[~year.is_fraud]
    for category in categories():
        if category.name in ("cash", "salary", "rent"):
            continue
        logs = np.log(honest[honest.merchant_category == category.name].euros)
        spread = (category.sigma**2 + AFFLUENCE**2) ** 0.5
        error = spread / len(logs) ** 0.5
        # Busy customers give many rows with one affluence, so the mean strays more than independent rows would.
        assert abs(logs.median() - np.log(category.median)) < 5 * error + 0.04, category.name
        assert abs(logs.std() / spread - 1) < 0.08, category.name
        assert abs(((logs - logs.mean()) ** 3).mean() / logs.std() ** 3) < 0.35, category.name


def test_the_year_has_its_rhythms(year):
    card = year[year.channel.isin(["chip", "contactless"])]
    days = pd.to_datetime(card.day).dt.dayofweek.value_counts()
    assert days.idxmax() == 5
    assert days.idxmin() == 6
    assert card.hour.between(8, 21).mean() > 0.9
    salaries = year[year.direction == "credit"]
    assert salaries.groupby("customer_id").euros.nunique().max() == 1
    assert pd.to_datetime(salaries.day).dt.day.between(24, 29).all()
    assert (salaries.groupby("customer_id").day.nunique() == 12).mean() > 0.99


def test_activity_has_a_heavy_tail(year):
    counts = year[year.direction == "debit"].groupby("customer_id").size().reindex(range(1, 2001), fill_value=0).sort_values()
    assert counts.iloc[-20:].sum() > 0.08 * counts.sum()
    assert counts.median() < 0.75 * counts.mean()
    assert year.customer_id.between(1, 2000).all()


@pytest.mark.long
def test_fraud_is_rare_and_learnable_but_no_column_gives_it_away(spark):
    """On all frauds and a few honest rows of 600,000: trees tell them apart well, a single column does not."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import cross_val_predict

    made = dict(Generator(spark, Bank(5000, 600_000, 1, 0.0), 2).tables())
    honest = F.pmod(F.xxhash64("transaction_id"), F.lit(60)) == 0
    home = made["customers"].select("customer_id", F.col("country").alias("home"))
    columns = ["is_fraud", "merchant_category", "channel", "currency", "direction", "merchant_id"]
    times = [F.hour("booked_at").alias("hour"), F.dayofyear("booked_at").alias("day")]
    abroad = (F.col("merchant_country") != F.col("home")).cast("int").alias("abroad")
    picked = made["transactions"].where(F.col("is_fraud") | honest).join(home, "customer_id")
    rows = picked.select(*columns, *times, abroad, F.col("amount_eur").cast("double").alias("euros")).toPandas()
    frauds = rows.is_fraud.sum()
    assert abs(frauds - 1200) < 5 * 1200**0.5
    known = rows.drop(columns="is_fraud").apply(
        lambda column: column if column.dtype.kind in "fi" else column.astype("category").cat.codes
    )
    model = HistGradientBoostingClassifier(max_iter=60, max_depth=4, random_state=0)
    chances = cross_val_predict(model, known, rows.is_fraud, cv=3, method="predict_proba")[:, 1]
    assert roc_auc_score(rows.is_fraud, chances) > 0.8
    for name in known:
        alone = cross_val_predict(model, known[[name]], rows.is_fraud, cv=3, method="predict_proba")[:, 1]
        assert roc_auc_score(rows.is_fraud, alone) < 0.8, name


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_holds_the_same_rows(spark, tmp_path, form):
    rows = dict(Generator(spark, Bank(200, 0, 1, 0.0), 2).tables())["loans"]
    assert write_files(rows, str(tmp_path / "loans"), form) == rows.count()
    options = {"header": "true"} if form == "csv" else {}
    back = spark.read.format(form).options(**options).load(str(tmp_path / "loans"))
    assert back.columns == rows.columns
    typed = back.select([F.col(name).cast(kind) for name, kind in rows.dtypes])
    assert sorted(typed.collect()) == sorted(rows.collect())


def test_loans_default_now_and_then(spark):
    rows = dict(Generator(spark, Bank(20_000, 0, 1, 0.0), 2).tables())["loans"]
    found = rows.agg(F.count("*").alias("rows"), F.avg(F.col("defaulted").cast("int")).alias("share")).first()
    assert 0.28 < found.rows / 20_000 < 0.36
    assert 0.02 < found.share < 0.1


def test_consents_tell_a_story(clean):
    events = clean["consents"].sort_values("effective_from")
    assert (events.recorded_at >= events.effective_from).all()
    assert (events.decided_at == events.effective_from).all()
    stories = events.groupby(["customer_id", "purpose"]).decision.agg(tuple).value_counts()
    assert set(stories.index) <= {("grant",), ("refuse",), ("grant", "withdraw"), ("grant", "withdraw", "grant")}
    assert stories[("grant",)] > stories[("refuse",)] > stories[("grant", "withdraw")] > 0
    assert set(reduce(set.union, events.groupby("customer_id").purpose.agg(set))) == {"fraud_model", "credit_model", "marketing"}

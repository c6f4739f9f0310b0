"""A full-domain release as an outsider sees it: one level per column, safe classes, nothing left behind."""

import json

import numpy as np
import pandas as pd
import pytest
from kveil.anonymize import full_domain, stage
from kveil.anonymize.domains import codings
from kveil.anonymize.frequencies import SparkCheck, frequencies, on_driver
from kveil.anonymize.kernel import Kernel
from kveil.errors import ContractError, GuaranteeError
from kveil.evaluate.recheck import recheck_metrics
from kveil.model.generalizer import Generalizer
from kveil.privacy.published_levels import PublishedLevels
from kveil.tables.schema import CLEAN, FREQUENCIES, GENERALIZER, RELEASE, RELEASES

from tests.builders import clean_rows, context, purchases, shop

ROWS = purchases()
# Some rare ages: the best levels suppress them rather than generalize everybody for them.
ROWS.loc[ROWS.index[-100:], "age"] = 91 + np.arange(100) % 4
HIERARCHIES = {
    "age": {"kind": "taxonomy", "hierarchy": {"intervals": {"width": 1, "levels": [10, 20]}}},
    "town": {"kind": "taxonomy", "hierarchy": {"tree": {"Up": ["north"], "Down": ["south"], "Sides": ["east", "west"]}}},
    "date": {"kind": "date"},
}


def policy(**changes) -> dict:
    defaults = {"anonymize__quasi_identifiers": HIERARCHIES, "anonymize__algorithm": "full_domain", "anonymize__k": 10}
    defaults["anonymize__suppression_limit"] = 0.035
    return shop(**(defaults | changes))


@pytest.fixture(scope="module")
def released(spark, module_store):
    ctx = context(module_store, policy(), "anonymize")
    module_store.replace(ctx.ref(CLEAN), clean_rows(spark, ROWS))
    stage.run(ctx)
    return ctx


def table(ctx, which) -> pd.DataFrame:
    return ctx.store.read(ctx.ref(which)).toPandas()


def generalized(level: dict[str, int]) -> pd.DataFrame:
    """The oracle's own generalization of ROWS, in pandas."""
    age = ROWS.age.astype("Int64")
    low = {0: age, 1: age // 10 * 10, 2: age // 20 * 20}.get(level["age"])
    groups = {"north": "Up", "south": "Down", "east": "Sides", "west": "Sides"}
    wide = {0: 1, 1: 10, 2: 20}.get(level["age"], 0)
    shown = (
        None
        if low is None
        else low.map(lambda a: None if pd.isna(a) else f"{int(a)} .. {int(a) + wide - 1}" if wide > 1 else str(int(a)))
    )
    return ROWS.assign(
        age="* or null" if shown is None else shown,
        town=[ROWS.town, ROWS.town.map(groups), "* or null"][level["town"]],
        date=[ROWS.date.astype(str), "*"][level["date"]],
    )


def levels_of(ctx) -> dict[str, int]:
    row = table(ctx, GENERALIZER).iloc[0]
    columns = PublishedLevels.from_bytes(bytes(row.tree)).columns
    return {column.coding.name: column.level for column in columns}


def test_the_release_is_the_clean_table_at_one_level_without_its_small_classes(released):
    expected = generalized(levels_of(released)).fillna("(null)")
    key = ["month", "split", *HIERARCHIES]
    classes = expected.groupby(key)
    safe = classes.filter(lambda rows: rows.customer.nunique() >= 10 and rows.item.nunique() >= 2)
    published = table(released, RELEASE).fillna("(null)")
    pd.testing.assert_series_equal(published.value_counts(key).sort_index(), safe.value_counts(key).sort_index())
    (release,) = table(released, RELEASES).itertuples()
    assert release.rows_suppressed == len(ROWS) - len(safe)
    assert release.smallest_class >= 10
    assert release.rows_suppressed > 0
    assert levels_of(released)["age"] > 0
    assert release.link_files_left == 0
    assert released.store.version(released.ref(FREQUENCIES)) is None


def test_bounds_and_representatives_are_those_of_the_node(released):
    published = table(released, RELEASE)
    known = published[published.age_lo.notna()]
    assert ((known.age_lo <= known.age_rep) & (known.age_rep <= known.age_hi)).all()
    assert (published.groupby("age", dropna=False)[["age_lo", "age_hi", "age_rep"]].nunique() <= 1).all().all()
    assert (pd.to_datetime(published.date_lo) <= pd.to_datetime(published.date_hi)).all()


def test_serving_covers_and_labels_exactly_what_was_released(released):
    rows = [(json.loads(row.partition), bytes(row.tree)) for row in table(released, GENERALIZER).itertuples()]
    generalizers = {split: Generalizer.from_rows(released.policy.anonymize, rows, split) for split in ("train", "holdout")}
    generalizers = {split: Generalizer.from_bytes(each.to_bytes()) for split, each in generalizers.items()}
    clean, release = released.store.read(released.ref(CLEAN)), released.store.read(released.ref(RELEASE))
    found = recheck_metrics(clean, release, released.policy, generalizers)
    by_name = {row["metric"]: row for row in found}
    assert by_name["recheck_rows_mismatch"]["value"] == 0
    assert by_name["recheck_people_min"]["met"]
    one = {"age": np.array([np.nan]), "town": np.array(["atlantis"], dtype=object), "month": np.array(["2024-01"], dtype=object)}
    one["date"] = np.array(["2024-01-05"], dtype="datetime64[D]")
    assert generalizers["train"].representatives(one)["date"].dtype == "datetime64[D]"


def test_spark_and_the_driver_check_alike(released):
    clean, settings = released.store.read(released.ref(CLEAN)), released.policy.anonymize
    kernel = Kernel(settings, codings(clean, settings, "customer"), "customer", None)
    tuples = frequencies(clean, kernel)
    assert tuples.agg({"rows": "sum"}).first()[0] == len(ROWS)
    driver, spark = on_driver(tuples, kernel), SparkCheck(tuples, kernel, len(ROWS))
    for mine, theirs in zip(driver.penalties(), spark.penalties(), strict=True):
        assert mine == pytest.approx(theirs)
    for levels in ((0, 0, 0), (2, 1, 1), (3, 2, 1), (1, 2, 0)):
        assert driver(levels).suppressed == spark(levels).suppressed
        assert driver(levels).loss == pytest.approx(spark(levels).loss)


@pytest.mark.long
def test_many_combinations_are_searched_by_spark_with_the_same_result(store, released, monkeypatch):
    monkeypatch.setattr(full_domain, "MOST_ON_DRIVER", 0)
    ctx = context(store, policy(), "anonymize")
    store.replace(ctx.ref(CLEAN), clean_rows(store.spark, ROWS))
    stage.run(ctx)
    assert levels_of(ctx) == levels_of(released)
    columns = [name for name in table(ctx, RELEASE) if name not in ("cents", "age_rep")]
    mine, first = (table(each, RELEASE)[columns].sort_values(columns, ignore_index=True) for each in (ctx, released))
    pd.testing.assert_frame_equal(mine, first)


NOBODY = ROWS.assign(customer=pd.array([None] * len(ROWS), dtype="Int64"))


@pytest.mark.parametrize("rows", [pytest.param(ROWS, marks=pytest.mark.long), NOBODY], ids=["rows", "nobody"])
def test_a_table_that_no_level_makes_safe_publishes_nothing(store, rows):
    ctx = context(store, policy(anonymize__k=300), "anonymize")
    store.replace(ctx.ref(CLEAN), clean_rows(store.spark, rows))
    with pytest.raises(GuaranteeError, match="suppressed_share"):
        stage.run(ctx)
    assert store.version(ctx.ref(FREQUENCIES)) is None
    assert store.version(ctx.ref(RELEASE)) is None


def test_a_lattice_that_is_too_large_is_one_sentence(store):
    many = {f"q{i}": {"kind": "number"} for i in range(30)}
    ctx = context(store, policy(anonymize__partition_by=["split"], anonymize__quasi_identifiers=many), "anonymize")
    rows = clean_rows(store.spark, ROWS.head(50))
    store.replace(ctx.ref(CLEAN), rows.selectExpr("*", *[f"age AS q{i}" for i in range(30)]))
    with pytest.raises(ContractError, match="full_domain has too many levels, the lattice has 1,073,741,824 nodes"):
        stage.run(ctx)

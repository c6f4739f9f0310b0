"""The release as a privacy engineer would check it: recounted in pandas, attacked, interrupted, repeated."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kveil.anonymize import stage, staging
from kveil.anonymize.columns import of_class
from kveil.context import Context
from kveil.errors import BudgetError, ContractError, GuaranteeError
from kveil.model.generalizer import Generalizer
from kveil.privacy.coding import Coding
from kveil.privacy.labels import members
from kveil.tables.declaration import Table
from kveil.tables.schema import BUDGET_LEDGER, CANDIDATE, CLEAN, GENERALIZER, PRIVACY_METRICS, RELEASE, RELEASES, STAGING

from tests.builders import booked, clean_rows, context, purchases, shop

ROWS = purchases()
NOISY_FLAG = {"reduced": {"lower": 0, "upper": 9, "epsilon": 1}}
TWO_TOWNS = {"town": {"kind": "ordered", "order": ["north", "south"]}}


def prepared(store, rows: pd.DataFrame = ROWS, **changes) -> Context:
    ctx = context(store, shop(**changes), "anonymize")
    store.replace(ctx.ref(CLEAN), clean_rows(store.spark, rows))
    return ctx


def table(ctx: Context, which: Table) -> pd.DataFrame:
    return ctx.store.read(ctx.ref(which)).toPandas()


@pytest.fixture(scope="module")
def released(spark, module_store) -> Context:
    ctx = prepared(module_store)
    stage.run(ctx)
    return ctx


def test_every_class_holds_k_customers_in_the_clean_table_inside_its_bounds(released):
    """The independent oracle: pandas, the published table and the clean rows; nothing of the kernel."""
    settings = released.policy.anonymize
    published = table(released, RELEASE)
    clean = ROWS.assign(date=pd.to_datetime(ROWS.date))
    towns = Coding("town", "category", values=("east", "north", "south", "west"))
    covered = 0
    for _, rows in published.groupby(of_class(settings), dropna=False):
        shown = rows.iloc[0]
        inside = (clean.month == shown.month) & (clean.split == shown.split)
        inside &= clean.date.between(pd.Timestamp(shown.date_lo), pd.Timestamp(shown.date_hi))
        known = clean.age.between(shown.age_lo, shown.age_hi) if pd.notna(shown.age_lo) else False
        has_null = shown.age is None or shown.age.endswith("or null")
        inside &= known | (clean.age.isna() & has_null)
        listed, null_town = members(shown.town, towns)
        inside &= clean.town.isin(listed) | (clean.town.isna() & null_town)
        assert clean[inside].customer.nunique() >= settings.k
        assert inside.sum() == len(rows)
        assert rows.item.fillna("(null)").nunique() >= 2
        covered += len(rows)
    assert covered == len(published) == len(ROWS) - table(released, RELEASES).rows_suppressed[0]


def test_the_release_has_no_person_and_no_way_back(released):
    published = table(released, RELEASE)
    assert not {"customer", "kveil_person", "kveil_tree"} & set(published)
    assert [released.store.version(released.ref(ref)) for ref in (STAGING, CANDIDATE)] == [None, None]
    assert table(released, RELEASES).link_files_left.tolist() == [0]
    root = Path(released.store.lake.root)
    for log in (root / "release").rglob("*.json"):
        assert '"customer"' not in log.read_text()
    # The order of rows is that of the released values, so it cannot repeat the source's.
    for _, part in published.groupby(["month", "split"], sort=False):
        ages = part.age.fillna("")
        assert ages.is_monotonic_increasing


def test_the_noise_is_on_every_amount_and_centred(released):
    published = table(released, RELEASE)
    clamped = ROWS.cents.clip(0, 1000)
    scale = 1000.0
    assert abs(published.cents.mean() - clamped.mean()) < 6 * np.sqrt(2) * scale / np.sqrt(len(published))
    assert (published.cents < 0).mean() > 0.1


def test_metrics_name_what_was_measured_and_all_thresholds_are_met(released):
    metrics = table(released, PRIVACY_METRICS)
    smallest = metrics[metrics.metric == "class_people_min"].iloc[0]
    assert smallest.value >= 5
    assert metrics.met.dropna().all()
    per_person = ROWS.groupby("customer").size()
    assert metrics[metrics.metric == "epsilon_per_person_max"].value.iloc[0] == per_person.max()


def test_running_again_draws_and_spends_nothing(released):
    before = [table(released, which) for which in (RELEASE, BUDGET_LEDGER, RELEASES)]
    version = released.store.version(released.ref(RELEASE))
    stage.run(released)
    assert released.store.version(released.ref(RELEASE)) == version
    for old, new in zip(before, [table(released, which) for which in (RELEASE, BUDGET_LEDGER, RELEASES)], strict=True):
        pd.testing.assert_frame_equal(old, new)


def test_the_frozen_generalizer_gives_clean_rows_their_released_labels(released):
    rows = [(json.loads(row.partition), bytes(row.tree)) for row in table(released, GENERALIZER).itertuples()]
    generalizer = Generalizer.from_rows(released.policy.anonymize, rows)
    generalizer = Generalizer.from_bytes(generalizer.to_bytes())
    train = ROWS[ROWS.split == "train"]
    columns = {
        "age": train.age.astype("Float64").to_numpy(dtype=float, na_value=np.nan),
        "town": train.town.to_numpy(dtype=object),
        "date": train.date.to_numpy(dtype="datetime64[D]"),
        "month": train.month.to_numpy(dtype=object),
    }
    labels = generalizer.labels(columns)
    shown = ["month", "age", "town", "date"]
    mine = pd.DataFrame({"month": columns["month"], **labels})[shown].fillna("(null)")
    published = table(released, RELEASE).query("split == 'train'")[shown].fillna("(null)")
    pd.testing.assert_series_equal(mine.value_counts().sort_index(), published.value_counts().sort_index())
    assert generalizer.covers(columns).all()


def interrupted(ctx: Context, monkeypatch, module, name: str, after: bool) -> None:
    """Runs the stage and stops it dead before or after a step."""
    step: Callable = getattr(module, name)

    def dies(*arguments, **options):
        if after:
            step(*arguments, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, name, dies)
        with pytest.raises(KeyboardInterrupt):
            stage.run(ctx)


@pytest.mark.long
def test_an_earlier_release_comes_back_with_its_own_noise(store):
    ctx = prepared(store, anonymize__budget={"epsilon": 9})
    stage.run(ctx)
    first = table(ctx, RELEASE)
    stage.run(prepared(store, purchases(seed=1), anonymize__budget={"epsilon": 9}))
    assert not table(ctx, RELEASE).equals(first)
    stage.run(prepared(store, anonymize__budget={"epsilon": 9}))
    order = list(first)
    pd.testing.assert_frame_equal(
        table(ctx, RELEASE).sort_values(order, ignore_index=True), first.sort_values(order, ignore_index=True)
    )
    assert len(booked(ctx)) == 2


@pytest.mark.parametrize(
    ("name", "after"),
    [
        pytest.param("make_staging", False, marks=pytest.mark.long),
        # tests/e2e/test_pipeline.py is killed here.
        pytest.param("make_staging", True, marks=pytest.mark.long),
        pytest.param("published_version", True, marks=pytest.mark.long),
        pytest.param("_record", True, marks=pytest.mark.long),
    ],
)
def test_stopped_anywhere_and_started_again_there_is_one_release_and_one_entry(store, monkeypatch, name, after):
    ctx = prepared(store)
    interrupted(ctx, monkeypatch, stage, name, after)
    drawn = table(ctx, STAGING).cents.dropna().sum() if after else None
    stage.run(ctx)
    published = table(ctx, RELEASE)
    assert len(published) == len(ROWS) - table(ctx, RELEASES).rows_suppressed[0]
    assert len(table(ctx, RELEASES)) == 1
    assert [entry.state for entry in booked(ctx)] == ["committed"]
    if drawn is not None:
        assert published.cents.sum() == drawn
    assert ctx.store.version(ctx.ref(STAGING)) is None


def test_a_kernel_that_breaks_k_is_caught_and_publishes_nothing(store, monkeypatch):
    ctx = prepared(store)
    real = staging.Kernel

    def careless(settings, *rest, **more):
        return real(settings.model_copy(update={"k": 2}), *rest, **more)

    monkeypatch.setattr(staging, "Kernel", careless)
    with pytest.raises(GuaranteeError, match="class_people_min"):
        stage.run(ctx)
    assert ctx.store.version(ctx.ref(RELEASE)) is None
    assert ctx.store.version(ctx.ref(STAGING)) is None


def test_rows_lost_on_the_way_are_noticed_and_not_published(store, monkeypatch):
    ctx = prepared(store)
    real = ctx.store.replace

    def loses_a_row(ref, df, *rest, **options):
        return real(ref, df.limit(100) if ref == ctx.ref(CANDIDATE) else df, *rest, **options)

    monkeypatch.setattr(ctx.store, "replace", loses_a_row)
    with pytest.raises(GuaranteeError, match="candidate"):
        stage.run(ctx)
    assert ctx.store.version(ctx.ref(RELEASE)) is None


@pytest.mark.long
def test_new_data_is_a_new_release_until_the_budget_is_gone(store):
    ctx = prepared(store)
    stage.run(ctx)
    more = prepared(store, purchases(seed=1))
    with pytest.raises(BudgetError, match=r"1\.5"):
        stage.run(more)
    enough = prepared(store, purchases(seed=1), anonymize__budget={"epsilon": 2})
    stage.run(enough)
    assert [entry.state for entry in booked(enough)] == ["committed", "committed"]
    assert len(table(enough, RELEASES)) == 2
    store.forget_history(ctx.ref(RELEASE))
    with pytest.raises(GuaranteeError, match=r"release \w+ was published before, but version 0 of \S+ is gone"):
        stage.run(prepared(store, anonymize__budget={"epsilon": 2}))
    assert [entry.state for entry in booked(enough)] == ["committed", "committed"]


@pytest.mark.parametrize(
    ("rows", "changes", "error", "says"),
    [
        (ROWS.head(0), {}, ContractError, "no rows"),
        (ROWS[ROWS.customer < 4], {}, GuaranteeError, "suppressed_share"),
        (ROWS, {"anonymize__quasi_identifiers": {"town": {"kind": "date"}}}, ContractError, "quasi_identifiers.town"),
        (ROWS, {"anonymize__noise": NOISY_FLAG, "anonymize__insensitive": {}}, ContractError, "noise.reduced"),
        (ROWS, {"anonymize__quasi_identifiers": TWO_TOWNS}, ContractError, "town.order"),
    ],
)
def test_what_cannot_be_released_is_one_sentence(store, rows, changes, error, says):
    ctx = prepared(store, rows, **changes)
    with pytest.raises(error, match=says) as caught:
        stage.run(ctx)
    assert "\n" not in str(caught.value)
    # What was never drawn is not spent; noise that was drawn for a release that then failed is.
    if store.exists(ctx.ref(BUDGET_LEDGER)):
        assert [entry.state for entry in booked(ctx)] == ["drawn" if error is GuaranteeError else "cancelled"]


@pytest.mark.long
def test_a_column_of_nulls_is_released_as_null(store):
    ctx = prepared(store, ROWS.assign(age=pd.array([None] * len(ROWS), dtype="Int32")))
    stage.run(ctx)
    assert table(ctx, RELEASE).age.isna().all()


def test_rows_without_a_person_are_suppressed_and_counted(store):
    rows = ROWS.astype({"customer": "Int64"})
    rows.loc[rows.index[-10:], "customer"] = None
    ctx = prepared(store, rows)
    stage.run(ctx)
    assert table(ctx, RELEASES).rows_suppressed[0] >= 10
    assert len(table(ctx, RELEASE)) == len(ROWS) - table(ctx, RELEASES).rows_suppressed[0]

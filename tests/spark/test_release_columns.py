"""What a release shows by policy: some columns of each quasi-identifier, or rows without any where nothing else is safe."""

import numpy as np
import pandas as pd
import pytest
from kveil.anonymize import stage
from kveil.context import Context
from kveil.errors import GuaranteeError
from kveil.evaluate.certainty import category_domains, certainty_metrics
from kveil.evaluate.classes import class_metrics
from kveil.evaluate.recheck import recheck_metrics
from kveil.evaluate.suppressed import without_cells
from kveil.model.lineage import current_release, frozen_generalizer
from kveil.model.rows import model_rows
from kveil.privacy.frozen import frozen
from kveil.report.partition_view import partition_view
from kveil.settings.anonymize import Anonymize
from kveil.tables.declaration import Table
from kveil.tables.schema import CLEAN, GENERALIZER, PRIVACY_METRICS, RELEASE, RELEASES

from tests.builders import NOW, clean_rows, context, purchases, shop

ROWS = purchases()
SOME = {
    "age": {"kind": "number", "release": ["bounds"]},
    "town": {"kind": "category", "release": ["label"]},
    "date": {"kind": "date", "release": ["representative"]},
}


def prepared(store, rows: pd.DataFrame, minute: int = 0, **changes) -> Context:
    ctx = context(store, shop(**changes), "anonymize")
    store.replace(ctx.ref(CLEAN), clean_rows(store.spark, rows))
    return Context(ctx.policy, store, "run", NOW + pd.Timedelta(minutes=minute), ctx.progress, "build", "anonymize")


def table(ctx: Context, which: Table) -> pd.DataFrame:
    return ctx.store.read(ctx.ref(which)).toPandas()


def metrics(ctx: Context) -> dict[str, float]:
    release = current_release(ctx.store.read(ctx.ref(RELEASES)), ctx.policy)
    rows = table(ctx, PRIVACY_METRICS)
    return rows[(rows.release_id == release.id) & (rows.scope == "")].set_index("metric").value.to_dict()


def rechecked(ctx: Context) -> dict[str, float]:
    """What stage evaluate finds of the release in the clean table."""
    release = current_release(ctx.store.read(ctx.ref(RELEASES)), ctx.policy)
    trees, released = ctx.store.read(ctx.ref(GENERALIZER)), ctx.store.read(ctx.ref(RELEASE))
    in_classes = released.where(~without_cells(ctx.policy.anonymize))
    splits = [row["split"] for row in in_classes.select("split").distinct().collect()]
    generalizers = {split: frozen_generalizer(trees, ctx.policy, release, split) for split in splits}
    found = recheck_metrics(ctx.store.read(ctx.ref(CLEAN)), released, ctx.policy, generalizers)
    return {row["metric"]: row["value"] for row in found}


@pytest.fixture(scope="module")
def some(module_store) -> Context:
    ctx = prepared(module_store, ROWS, anonymize__quasi_identifiers=SOME)
    stage.run(ctx)
    return ctx


def test_only_the_columns_that_the_policy_names_are_released(some):
    published = table(some, RELEASE)
    assert set(published) == {"month", "split", "age_lo", "age_hi", "town", "date_rep", "item", "reduced", "cents"}
    trees = current_trees(some)
    for tree in trees:
        assert set(tree.labels) == {"town"}
        assert set(tree.bounds) == {"age"}
        assert set(tree.representatives) == {"date"}


def current_trees(ctx: Context):
    from kveil.privacy.frozen import FrozenPartition

    return [FrozenPartition.from_bytes(bytes(tree)) for tree in table(ctx, GENERALIZER).tree]


def test_classes_are_what_is_released_and_hold_k_people(some):
    """Clean rows get their classes' columns from the trees; pandas counts people and compares with the published rows."""
    release = current_release(some.store.read(some.ref(RELEASES)), some.policy)
    parts = []
    for split, part in ROWS.groupby("split"):
        generalizer = frozen_generalizer(some.store.read(some.ref(GENERALIZER)), some.policy, release, split)
        columns = {
            "age": part.age.astype("Float64").to_numpy(dtype=float, na_value=np.nan),
            "town": part.town.to_numpy(dtype=object),
            "date": part.date.to_numpy(dtype="datetime64[D]"),
            "month": part.month.to_numpy(dtype=object),
        }
        parts.append(
            pd.DataFrame(
                {**generalizer.released(columns), "month": columns["month"], "split": split, "customer": part.customer.to_numpy()}
            )
        )
    mine, published = pd.concat(parts), table(some, RELEASE)
    keys = ["month", "split", "age_lo", "age_hi", "town", "date_rep"]
    mine, published = (rows.assign(date_rep=pd.to_datetime(rows.date_rep)) for rows in (mine, published))
    published[["age_lo", "age_hi"]] = published[["age_lo", "age_hi"]].astype(float)
    assert mine.groupby(keys, dropna=False).customer.nunique().min() >= 5
    pd.testing.assert_series_equal(
        mine.groupby(keys, dropna=False).size(), published.groupby(keys, dropna=False).size(), check_index_type=False
    )


def test_every_reader_follows(some):
    settings, released = some.policy.anonymize, some.store.read(some.ref(RELEASE))
    found = rechecked(some)
    assert found["recheck_rows_mismatch"] == 0
    assert found["recheck_people_min"] >= 5
    classes = {row["metric"]: row["value"] for row in class_metrics(released, settings, len(ROWS), 0)}
    assert classes["classes"] == metrics(some)["classes"] == found["recheck_classes"]
    penalties = {row["scope"]: row["value"] for row in certainty_metrics(released, settings, {"town": 4})}
    assert penalties["date"] is None
    ages = table(some, RELEASE)
    widths = (ages.age_hi - ages.age_lo).fillna(0) / (ages.age_hi.max() - ages.age_lo.min())
    assert penalties["age"] == pytest.approx(widths.mean())
    assert penalties[""] == pytest.approx((penalties["age"] + penalties["town"]) / 2)
    assert model_rows(released, "reduced", {"date": "date"}, "train", ["date"]).columns == ["_label", "date"]
    assert partition_view(released, settings) is None


def test_a_swapped_row_is_found_whatever_is_released(some):
    released = some.store.read(some.ref(RELEASE)).toPandas()
    at = released.index[released.age_lo.notna()][0]
    released.loc[at, "age_lo"] = released.age_lo.min() - 1
    values = released.astype(object).where(released.notna(), None)
    forged = some.store.spark.createDataFrame(values, some.store.read(some.ref(RELEASE)).schema)
    release = current_release(some.store.read(some.ref(RELEASES)), some.policy)
    trees = some.store.read(some.ref(GENERALIZER))
    generalizers = {split: frozen_generalizer(trees, some.policy, release, split) for split in ("train", "holdout")}
    found = recheck_metrics(some.store.read(some.ref(CLEAN)), forged, some.policy, generalizers)
    assert {row["metric"]: row["value"] for row in found}["recheck_rows_mismatch"] == 2


@pytest.fixture(scope="module")
def whole(module_store) -> Context:
    ctx = prepared(module_store, ROWS, name="whole")
    stage.run(ctx)
    return ctx


def test_what_labels_leave_open_is_what_bounds_leave_open(whole):
    """The same rows measured by their bounds and, under a policy that has only labels, by their labels."""
    released = whole.store.read(whole.ref(RELEASE))
    by_label = Anonymize.model_validate({**shop()["anonymize"], "release_columns": ["label"]})
    known = [frozen([bytes(row.tree)]).codings for row in whole.store.read(whole.ref(GENERALIZER)).collect()]
    domains = category_domains(coding for codings in known for coding in codings)
    one, other = (
        {row["scope"]: row["value"] for row in certainty_metrics(released, settings, domains)}
        for settings in (whole.policy.anonymize, by_label)
    )
    assert one == pytest.approx(other)


def test_the_partition_view_holds_the_published_bounds_of_the_largest_partition(whole):
    published = table(whole, RELEASE)
    seen = partition_view(whole.store.read(whole.ref(RELEASE)), whole.policy.anonymize)
    assert (seen["x"]["name"], seen["y"]["name"], seen["others"]) == ("age", "date", 1)
    known = published[published.age_lo.notna()]
    sizes = known.groupby(["month", "split"]).size()
    assert tuple(seen["partition"].values()) == sizes.idxmax()
    assert seen["rows_total"] == sizes.max() == sum(each[4] for each in seen["classes"])
    part = known[(known.month == sizes.idxmax()[0]) & (known.split == sizes.idxmax()[1])]
    expected = part.groupby(["age_lo", "age_hi", "date_lo", "date_hi", "town", "age"], dropna=False).size()
    assert sorted(each[4] for each in seen["classes"]) == sorted(expected)
    assert {tuple(each[:4]) for each in seen["classes"]} == {
        (int(a), int(b), c.isoformat(), d.isoformat()) for a, b, c, d, _, _ in expected.index
    }


def small_months() -> pd.DataFrame:
    """Two whole months, and two months of four people each in train and one in holdout; one row has no person."""
    few = ROWS[ROWS.customer.isin([2, 3, 5, 6, 8])].assign(month="2024-03", date=pd.Timestamp("2024-03-05").date())
    others = ROWS[ROWS.customer.isin([7, 9, 11, 13, 8])].assign(month="2024-04", date=pd.Timestamp("2024-04-05").date())
    rows = pd.concat([ROWS, few, others], ignore_index=True).astype({"customer": "Int64"})
    rows.loc[rows.index[-1], "customer"] = None
    return rows


def lost(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows.month.isin(["2024-03", "2024-04"])]


@pytest.fixture(scope="module")
def celled(module_store) -> Context:
    ctx = prepared(module_store, small_months(), name="celled", anonymize__suppress="cell", anonymize__suppression_limit=0.2)
    stage.run(ctx)
    return ctx


def test_rows_that_lost_their_cells_form_one_class_of_k_people(celled):
    published, left = table(celled, RELEASE), lost(small_months())
    pool = published[published.month.isna()]
    safe = left[(left.split == "train") & left.customer.notna()]
    assert safe.customer.nunique() >= 5
    assert len(pool) == len(safe)
    assert (pool.split == "train").all()
    assert (pool[["age", "town", "date"]] == "*").all(axis=None)
    hidden = ["age_lo", "age_hi", "age_rep", "town_rep", "date_lo", "date_hi", "date_rep"]
    assert pool[hidden].isna().all(axis=None)
    assert sorted(pool["item"].fillna("")) == sorted(safe["item"].fillna(""))
    assert pool.cents.notna().all()
    assert len(published) - len(pool) == len(ROWS)
    assert not published.month.isin(["2024-03", "2024-04"]).any()


def test_cells_are_counted_apart_from_rows(celled):
    found, rows = metrics(celled), small_months()
    left = lost(rows)
    pool = ((left.split == "train") & left.customer.notna()).sum()
    assert found["suppressed_cells_rows"] == pool
    assert found["suppressed_rows"] == len(left) - pool
    assert found["suppressed_cells_share"] == pytest.approx(len(left) / len(rows))
    assert found["class_people_min"] >= 5


def test_readers_take_rows_without_cells_for_what_they_are(celled):
    found = rechecked(celled)
    assert found["recheck_rows_mismatch"] == 0
    assert found["recheck_people_min"] >= 5
    settings, released = celled.policy.anonymize, celled.store.read(celled.ref(RELEASE))
    published = table(celled, RELEASE)
    penalties = {row["scope"]: row["value"] for row in certainty_metrics(released, settings, {"town": 4})}
    width = (published.age_hi - published.age_lo) / (published.age_hi.max() - published.age_lo.min())
    assert penalties["age"] == pytest.approx(width.astype(float).fillna(0).where(published.month.notna(), 1).mean())
    rows = model_rows(released, "reduced", {"age": "number"}, "train", ["age"])
    assert rows.count() == (published.split == "train").sum()


@pytest.mark.long
def test_stopped_between_pooling_and_measuring_it_goes_on(store, monkeypatch):
    options = {"anonymize__suppress": "cell", "anonymize__suppression_limit": 0.2}
    ctx = prepared(store, small_months(), **options)

    def dies(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(stage, "measured", dies)
        with pytest.raises(KeyboardInterrupt):
            stage.run(ctx)
    stage.run(ctx)
    left = lost(small_months())
    assert table(ctx, RELEASE).month.isna().sum() == ((left.split == "train") & left.customer.notna()).sum()


def test_cells_count_against_the_limit(store):
    with pytest.raises(GuaranteeError, match="suppressed_cells_share"):
        stage.run(prepared(store, small_months(), anonymize__suppress="cell", anonymize__suppression_limit=0.02))


@pytest.mark.long
def test_new_rows_without_cells_never_join_the_old_ones(store):
    """Whoever compares a release with its parent would see them alone: they need k people of their own."""
    options = {"anonymize__suppress": "cell", "anonymize__suppression_limit": 0.3, "anonymize__incremental": True}
    rows = small_months()
    ctx = prepared(store, rows, **options)
    stage.run(ctx)
    before = table(ctx, RELEASE).month.isna().sum()
    assert before > 0
    whole_month = ROWS.assign(month="2024-05", date=pd.Timestamp("2024-05-05").date())
    few = ROWS[ROWS.customer.isin([2, 3, 5, 6])].assign(month="2024-06", date=pd.Timestamp("2024-06-05").date())
    ctx = prepared(store, pd.concat([rows, whole_month, few], ignore_index=True), minute=1, **options)
    stage.run(ctx)
    published = table(ctx, RELEASE)
    assert published.month.isna().sum() == before
    assert (published.month == "2024-05").sum() == len(ROWS)
    assert not (published.month == "2024-06").any()
    assert table(ctx, RELEASES).parent.notna().sum() == 1
    assert rechecked(ctx)["recheck_rows_mismatch"] == 0

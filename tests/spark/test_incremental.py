"""A release that grows month by month: what was published stays, byte for byte, and is paid for once."""

import hashlib
import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kveil.anonymize import publish, stage
from kveil.anonymize.columns import of_class
from kveil.anonymize.identity import content
from kveil.context import Context
from kveil.errors import BudgetError, ContractError, GuaranteeError
from kveil.evaluate.recheck import recheck_metrics
from kveil.model.lineage import current_release, frozen_generalizer
from kveil.tables.declaration import Table
from kveil.tables.schema import (
    BUDGET_LEDGER,
    CLEAN,
    GENERALIZER,
    PRIVACY_METRICS,
    RELEASE,
    RELEASE_SLICES,
    RELEASES,
    STAGING,
)

from tests.builders import NOW, booked, clean_rows, context, purchases, shop

STEPS = iter(range(10**6))


def months(*names: str, seed: int = 0) -> pd.DataFrame:
    """Clean rows of some months of 2024; every month's rows are the same whatever other months there are."""
    parts = []
    for name in names:
        rows = purchases(120, 500, seed=seed + int(name[-2:]))
        first = pd.Timestamp(f"{name}-01")
        day = [first + pd.Timedelta(days=int(d)) for d in np.arange(len(rows)) % 28]
        parts.append(rows.assign(date=[d.date() for d in day], month=name))
    return pd.concat(parts, ignore_index=True)


FIRST, MORE = ("2024-01", "2024-02"), ("2024-01", "2024-02", "2024-03")


def prepared(store, rows: pd.DataFrame, **changes) -> Context:
    """A context later than all before it, with these clean rows."""
    document = shop(**{"anonymize__incremental": True, **changes})
    ctx = context(store, document, "anonymize")
    ctx = Context(ctx.policy, store, "run", NOW + timedelta(minutes=next(STEPS)), ctx.progress, "build", "anonymize")
    store.replace(ctx.ref(CLEAN), clean_rows(store.spark, rows))
    return ctx


def table(ctx: Context, which: Table) -> pd.DataFrame:
    return ctx.store.read(ctx.ref(which)).toPandas()


def files(ctx: Context) -> dict[str, str]:
    """SHA-256 of every file that the release table consists of now, by the path in Delta's log."""
    folder = Path(ctx.store.lake.root) / "release" / "shop_purchases"
    live: set[str] = set()
    for log in sorted((folder / "_delta_log").glob("*.json")):
        for line in log.read_text().splitlines():
            action = json.loads(line)
            if "add" in action:
                live.add(action["add"]["path"])
            if "remove" in action:
                live.discard(action["remove"]["path"])
    from urllib.parse import unquote

    return {path: hashlib.sha256((folder / unquote(path)).read_bytes()).hexdigest() for path in live}


@pytest.fixture(scope="module")
def grown(module_store):
    """Two months, then a third with a town that nobody had seen; what was there in between."""
    ctx = prepared(module_store, months(*FIRST))
    stage.run(ctx)
    before = {"files": files(ctx), "release": table(ctx, RELEASE), "metrics": table(ctx, PRIVACY_METRICS)}
    rows = months(*MORE)
    rows.loc[(rows.month == MORE[-1]) & (rows.town == "north"), "town"] = "centre"
    ctx = prepared(module_store, rows)
    stage.run(ctx)
    return ctx, before, rows


def test_published_files_stay_as_they_are_and_new_ones_hold_the_new_month(grown):
    ctx, before, _ = grown
    after = files(ctx)
    assert before["files"].items() < after.items()
    assert all("month=2024-03" in path for path in after.keys() - before["files"].keys())
    old = table(ctx, RELEASE).query("month != '2024-03'")
    order = list(old)
    pd.testing.assert_frame_equal(
        old.sort_values(order, ignore_index=True), before["release"].sort_values(order, ignore_index=True)
    )


def test_new_rows_are_paid_for_once_and_old_ones_not_again(grown):
    ctx, _, _ = grown
    named = [[json.loads(name)["month"] for name in entry.slices] for entry in booked(ctx)]
    assert named == [list(FIRST), ["2024-03"]]
    assert [entry.epsilon for entry in booked(ctx)] == [1, 1]
    with pytest.raises(BudgetError, match=r"1 of 1\.5 is spent"):
        stage.run(prepared(ctx.store, grown[2], anonymize__incremental=False, anonymize__k=6))
    prepared(ctx.store, grown[2])


def test_the_release_names_its_parent_and_sums_it_up(grown):
    ctx, _, rows = grown
    releases = table(ctx, RELEASES).sort_values("written_at")
    first, second = releases.to_dict("records")
    assert (first["parent"], second["parent"]) == (None, first["release_id"])
    assert first["guarantee"] == second["guarantee"]
    assert second["rows_in"] == len(rows)
    assert second["rows_released"] == len(table(ctx, RELEASE))
    assert ctx.store.property_of(ctx.ref(RELEASE), publish.RELEASE_ID) == second["release_id"]
    assert ctx.store.version(ctx.ref(STAGING)) is None
    assert second["link_files_left"] == 0


def test_metrics_are_those_of_the_whole_release(grown):
    """The oracle counts people in pandas through the frozen generalizers' classes; nothing is combined there."""
    ctx, _, rows = grown
    release = current_release(ctx.store.read(ctx.ref(RELEASES)), ctx.policy)
    metrics = table(ctx, PRIVACY_METRICS).query(f"release_id == '{release.id}'")
    found = {(row.metric, row.scope): row.value for row in metrics.itertuples()}
    people = classes_in_pandas(ctx, rows)
    published = table(ctx, RELEASE)
    per_class = published.groupby(of_class(ctx.policy.anonymize), dropna=False)
    assert found["classes", ""] == len(people) == per_class.ngroups
    assert found["class_people_min", ""] == people.min() >= 5
    assert found["class_people_mean", ""] == pytest.approx(people.mean())
    assert found["marketer_risk", ""] == pytest.approx(len(people) / people.sum())
    assert found["distinct_min", "item"] == per_class.item.apply(lambda items: items.fillna("(null)").nunique()).min()
    assert sum(value for (name, _), value in found.items() if name == "classes_by_people") == len(people)
    assert found["rows_per_person_max", ""] == rows.groupby("customer").size().max()
    assert found["noise_clamped_share", "cents"] == pytest.approx((~rows.cents.between(0, 1000)).mean())
    assert metrics.met.dropna().all()


def classes_in_pandas(ctx: Context, rows: pd.DataFrame) -> pd.Series:
    """People per class: each clean row's class is looked up in the trees of its split and month."""
    release = current_release(ctx.store.read(ctx.ref(RELEASES)), ctx.policy)
    trees = ctx.store.read(ctx.ref(GENERALIZER))
    parts = []
    for split, part in rows.groupby("split"):
        generalizer = frozen_generalizer(trees, ctx.policy, release, split)
        columns = {
            "age": part.age.astype("Float64").to_numpy(dtype=float, na_value=np.nan),
            "town": part.town.to_numpy(dtype=object),
            "date": part.date.to_numpy(dtype="datetime64[D]"),
            "month": part.month.to_numpy(dtype=object),
        }
        assert generalizer.covers(columns).all()
        parts.append(
            pd.DataFrame(
                {
                    **generalizer.released(columns),
                    "month": part.month.to_numpy(),
                    "split": split,
                    "customer": part.customer.to_numpy(),
                }
            )
        )
    together = pd.concat(parts)
    return together.groupby([name for name in together if name != "customer"], dropna=False).customer.nunique()


def test_the_recheck_finds_old_and_new_classes_again(grown):
    ctx, _, _ = grown
    release = current_release(ctx.store.read(ctx.ref(RELEASES)), ctx.policy)
    trees = ctx.store.read(ctx.ref(GENERALIZER))
    generalizers = {split: frozen_generalizer(trees, ctx.policy, release, split) for split in ("train", "holdout")}
    clean, released = ctx.store.read(ctx.ref(CLEAN)), ctx.store.read(ctx.ref(RELEASE))
    found = {row["metric"]: row["value"] for row in recheck_metrics(clean, released, ctx.policy, generalizers)}
    assert found["recheck_rows_mismatch"] == 0
    assert found["recheck_people_min"] >= 5


def test_nothing_new_does_nothing(grown):
    ctx, _, _ = grown
    before = files(ctx), ctx.store.version(ctx.ref(RELEASE)), table(ctx, RELEASES), table(ctx, BUDGET_LEDGER)
    stage.run(ctx)
    after = files(ctx), ctx.store.version(ctx.ref(RELEASE)), table(ctx, RELEASES), table(ctx, BUDGET_LEDGER)
    assert before[:2] == after[:2]
    for old, new in zip(before[2:], after[2:], strict=True):
        pd.testing.assert_frame_equal(old, new)


def test_a_changed_month_is_refused_or_kept(grown):
    ctx, _, rows = grown
    before = files(ctx)
    late = rows.drop(rows.index[rows.month == "2024-02"][0])
    with pytest.raises(ContractError, match=r'1 released slices .*"2024-02".*changed: keep') as caught:
        stage.run(prepared(ctx.store, late))
    assert "\n" not in str(caught.value)
    stage.run(prepared(ctx.store, late, anonymize__changed="keep"))
    assert files(ctx) == before
    slices = table(ctx, RELEASE_SLICES)
    assert slices[slices.changed].slice.tolist() == ['{"month":"2024-02"}']
    # A row may have moved from the changed month to the new one, so growth is paid for by both.
    moved = pd.concat([late, months("2024-04")], ignore_index=True)
    with pytest.raises(BudgetError, match=r"costs 1 and 1 of 1\.5"):
        stage.run(prepared(ctx.store, moved, anonymize__changed="keep"))
    stage.run(prepared(ctx.store, rows))
    assert not table(ctx, RELEASE_SLICES).changed.any()


def test_a_value_that_moves_beside_a_null_makes_other_rows(spark):
    kind = "a bigint, b bigint, c string"
    tables = [[(None, 7, "x")], [(7, None, "x")], [(7, 0, "x")], [(0, 7, "x")], [(None, None, "x")], [(7, 1, None)]]
    found = [content(spark.createDataFrame(rows, kind), ["a", "b", "c"]) for rows in tables]
    assert len(set(found)) == len(tables)
    again = spark.createDataFrame([*tables[0], *tables[1]], kind)
    assert content(again, ["a", "b", "c"]) == (2, found[0][1] + found[1][1]), "the sum over rows stays a sum"


def test_marks_are_keyed(grown):
    """Whoever knows the rows of a slice but not the key cannot recompute its mark."""
    ctx, _, _ = grown
    marks = table(ctx, RELEASE_SLICES).mark
    assert marks.str.fullmatch("[0-9a-f]{64}").all()
    assert marks.nunique() == len(marks) == 3


@pytest.mark.long
@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("store", "append"),
        ("store", "set_properties"),
        (stage, "_record"),
    ],
)
def test_stopped_while_it_grows_and_started_again_it_is_whole(store, monkeypatch, module, name):
    ctx = prepared(store, months(*FIRST))
    stage.run(ctx)
    old, before = files(ctx), table(ctx, RELEASE)
    ctx = prepared(store, months(*MORE))
    target = store if module == "store" else module
    step = getattr(target, name)

    def dies(*arguments, **options):
        step(*arguments, **options)
        if not (name == "append" and arguments[0] != ctx.ref(RELEASE)):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(target, name, dies)
        with pytest.raises(KeyboardInterrupt):
            stage.run(ctx)
    assert old.items() <= files(ctx).items()
    drawn = table(ctx, STAGING).cents.dropna().sum()
    stage.run(prepared(store, months(*MORE)))
    assert old.items() < files(ctx).items()
    published = table(ctx, RELEASE)
    assert len(published) == table(ctx, RELEASES).rows_released.max()
    assert published[published.month == "2024-03"].cents.sum() == drawn
    assert published[published.month != "2024-03"].cents.sum() == before.cents.sum()
    assert len(booked(ctx)) == 2
    assert len(table(ctx, RELEASES)) == 2


@pytest.mark.long
def test_an_addition_that_breaks_the_guarantee_leaves_the_release_alone(store):
    ctx = prepared(store, months(*FIRST))
    stage.run(ctx)
    old, metrics = files(ctx), table(ctx, PRIVACY_METRICS)
    rows = months(*MORE)
    few = rows[(rows.month != "2024-03") | (rows.customer < 4)]
    with pytest.raises(GuaranteeError, match="suppressed_share"):
        stage.run(prepared(store, few))
    assert files(ctx) == old
    assert len(table(ctx, RELEASES)) == 1
    assert set(metrics.release_id) < set(table(ctx, PRIVACY_METRICS).release_id)


@pytest.mark.long
def test_another_guarantee_is_another_release(store):
    ctx = prepared(store, months(*FIRST), anonymize__budget={"epsilon": 9})
    stage.run(ctx)
    stage.run(prepared(store, months(*MORE), anonymize__k=6, anonymize__budget={"epsilon": 9}))
    releases = table(ctx, RELEASES)
    assert releases.parent.isna().all()
    assert len(releases) == 2

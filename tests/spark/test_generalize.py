"""Fragments, local recoding, label cuts and models through the whole stage, found again in the clean table."""

import pytest
from kveil.anonymize import fragments, stage
from kveil.evaluate.recheck import recheck_metrics
from kveil.model.lineage import current_release, frozen_generalizer
from kveil.tables.schema import CLEAN, GENERALIZER, PRIVACY_METRICS, RELEASE, RELEASES

from tests.builders import clean_rows, context, purchases, shop

ROWS = purchases()


def anonymized(store, **changes):
    ctx = context(store, shop(**changes), "anonymize")
    store.replace(ctx.ref(CLEAN), clean_rows(store.spark, ROWS))
    stage.run(ctx)
    return ctx


def found(ctx) -> tuple[dict[str, float], dict[str, float]]:
    """What was measured on staging, and what sending the clean table through the frozen generalizer finds."""
    measured = ctx.store.read(ctx.ref(PRIVACY_METRICS)).toPandas()
    assert not (measured.met == False).any()  # noqa: E712 - null means that nothing was asked
    release = current_release(ctx.store.read(ctx.ref(RELEASES)), ctx.policy)
    trees, published = ctx.store.read(ctx.ref(GENERALIZER)), ctx.store.read(ctx.ref(RELEASE))
    generalizers = {split: frozen_generalizer(trees, ctx.policy, release, split) for split in ("train", "holdout")}
    again = recheck_metrics(ctx.store.read(ctx.ref(CLEAN)), published, "customer", ctx.policy.anonymize, generalizers)
    return measured.set_index("metric").value.to_dict(), {row["metric"]: row["value"] for row in again}


def test_fragments_keep_the_guarantee_and_every_row_is_found_in_its_own_class(store, monkeypatch):
    monkeypatch.setattr(fragments, "ROWS_PER_FRAGMENT", 600)
    monkeypatch.setattr(fragments, "SAMPLED_PER_FRAGMENT", 300)
    ctx = anonymized(store, anonymize__partition_by=["split"])
    measured, again = found(ctx)
    trees = ctx.store.read(ctx.ref(GENERALIZER)).groupBy("partition").count().toPandas().set_index("partition")["count"]
    assert trees.max() >= 3
    assert measured["class_people_min"] >= 5
    assert measured["suppressed_rows"] == 0
    assert again["recheck_rows_mismatch"] == 0
    assert again["recheck_classes"] == measured["classes"]


def test_local_recoding_is_released_and_its_rows_are_found_in_classes_that_fit(store):
    measured, again = found(anonymized(store, anonymize__algorithm="local_recoding"))
    assert measured["class_people_min"] >= 5
    assert again["recheck_rows_mismatch"] <= 0.1 * len(ROWS)


@pytest.mark.parametrize(
    "asked",
    [
        {"t": 0.25},
        {"entropy": 2.5, "beta": 1.0},
        {"recursive": {"c": 2, "l": 2}, "t": 0.3, "distance": "ordered", "order": ["milk", "bread", "wine"]},
    ],
    ids=str,
)
def test_the_kernel_keeps_what_is_asked_of_sensitive_values(store, asked):
    measured, again = found(anonymized(store, anonymize__sensitive={"item": asked}))
    assert again["recheck_rows_mismatch"] == 0
    assert measured["classes"] > 8


def test_label_cuts_keep_both_labels_in_every_class(store):
    ctx = anonymized(store, anonymize__cuts="label", anonymize__sensitive={"reduced": {"distinct": 2}}, anonymize__insensitive={})
    _, again = found(ctx)
    assert again["recheck_rows_mismatch"] == 0
    published = ctx.store.read(ctx.ref(RELEASE)).toPandas()
    keys = ["month", "split", "age", "town", "date"]
    assert (published.groupby(keys, dropna=False).reduced.nunique() == 2).all()

"""Local recoding, label cuts and models through the whole stage, found again in the clean table."""

import pytest
from kveil.tables.schema import RELEASE

from tests.builders import purchases
from tests.spark._released import anonymized, found

ROWS = purchases()


@pytest.mark.long
def test_local_recoding_is_released_and_its_rows_are_found_in_classes_that_fit(store):
    measured, again = found(anonymized(store, ROWS, anonymize__algorithm="local_recoding"))
    assert measured["class_people_min"] >= 5
    assert again["recheck_rows_mismatch"] <= 0.1 * len(ROWS)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"t": 0.25}, marks=pytest.mark.long),
        pytest.param({"entropy": 2.5, "beta": 1.0}, marks=pytest.mark.long),
        {"recursive": {"c": 2, "l": 2}, "t": 0.3, "distance": "ordered", "order": ["milk", "bread", "wine"]},
    ],
    ids=str,
)
def test_the_kernel_keeps_what_is_asked_of_sensitive_values(store, asked):
    measured, again = found(anonymized(store, ROWS, anonymize__sensitive={"item": asked}))
    assert again["recheck_rows_mismatch"] == 0
    assert measured["classes"] > 8


@pytest.mark.long
def test_label_cuts_keep_both_labels_in_every_class(store):
    ctx = anonymized(
        store, ROWS, anonymize__cuts="label", anonymize__sensitive={"reduced": {"distinct": 2}}, anonymize__insensitive={}
    )
    _, again = found(ctx)
    assert again["recheck_rows_mismatch"] == 0
    published = ctx.store.read(ctx.ref(RELEASE)).toPandas()
    keys = ["month", "split", "age", "town", "date"]
    assert (published.groupby(keys, dropna=False).reduced.nunique() == 2).all()

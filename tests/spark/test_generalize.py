"""Local recoding, label cuts and models through the whole stage, found again in the clean table."""

import pandas as pd
import pytest
from kveil.tables.schema import CLEAN, RELEASE
from pyspark.sql import functions as F

from tests.builders import purchases
from tests.spark._released import anonymized, found, found_again

ROWS = purchases()


@pytest.fixture(scope="module")
def overlapping(module_store):
    """The context of a release by local recoding."""
    return anonymized(module_store, ROWS, anonymize__algorithm="local_recoding")


@pytest.mark.long
def test_every_person_of_a_class_that_overlaps_others_is_found(overlapping):
    measured, again = found(overlapping)
    assert measured["class_people_min"] >= 5 and again["recheck_people_min"] >= 5
    assert again["recheck_rows_mismatch"] == 0
    assert again["recheck_classes"] == measured["classes"]


def invented(rows):
    """One more row, in a class that is there."""
    return pd.concat([rows, rows.head(1)])


def in_no_class(rows):
    """A row whose class nobody fits."""
    return rows.assign(age=["-1", *rows.age[1:]])


def in_one_class(rows):
    """All rows of a partition in one of its classes."""
    same = (rows.month == rows.month[0]) & (rows.split == rows.split[0])
    shown = [name for name in rows if name.split("_")[0] in ("age", "town", "date")]
    return rows.assign(**{name: rows[name].where(~same, rows[name][0]) for name in shown})


@pytest.mark.long
@pytest.mark.parametrize("forged", [invented, in_no_class, in_one_class])
def test_rows_that_no_clean_row_stands_for_are_found_among_overlapping_classes(overlapping, forged):
    published = overlapping.store.read(overlapping.ref(RELEASE))
    rows = forged(published.toPandas()).astype(object)
    again = found_again(
        overlapping, published=published.sparkSession.createDataFrame(rows.where(rows.notna(), None), published.schema)
    )
    assert again["recheck_rows_mismatch"] >= 1


@pytest.mark.long
def test_clean_rows_that_fit_no_overlapping_class_are_found(overlapping):
    clean = overlapping.store.read(overlapping.ref(CLEAN))
    moved = clean.withColumn("age", F.when(F.col("customer") == clean.first()["customer"], 10_000).otherwise(F.col("age")))
    assert found_again(overlapping, clean=moved)["recheck_rows_mismatch"] >= 1


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

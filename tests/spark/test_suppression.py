"""One partition that holds fewer people than a class needs: its rows go, are counted and limited, the others stay as they are."""

import json
from collections import Counter

import pandas as pd
import pytest
from kveil.anonymize import stage
from kveil.errors import GuaranteeError
from kveil.tables.schema import CLEAN, GENERALIZER, PRIVACY_METRICS, RELEASE, RELEASES, STAGING

from tests.builders import clean_rows, context, purchases, shop
from tests.spark._released import anonymized, found

WITHOUT_NOISE = {"anonymize__noise": {}, "anonymize__budget": None}
PLACE = ["month", "split"]
KEPT = [*PLACE, "item", "reduced"]


def one_partition_of_four_people() -> tuple[pd.DataFrame, pd.Series]:
    """Purchases of which the second month's holdout has four customers, and which rows these are; k is 5."""
    rows = purchases()
    small = (rows.month == "2024-02") & (rows.split == "holdout")
    few = sorted(rows[small].customer.unique())[:4]
    rows = rows[~small | rows.customer.isin(few)].reset_index(drop=True)
    return rows, (rows.month == "2024-02") & (rows.split == "holdout")


def kept(rows: pd.DataFrame) -> Counter:
    """How often each combination of what is released as it is stands there."""
    return Counter(tuple(None if pd.isna(value) else value for value in row) for row in rows[KEPT].itertuples(index=False))


def test_the_one_partition_that_misses_k_goes_and_no_other_row_does(store):
    rows, small = one_partition_of_four_people()
    ctx = anonymized(store, rows, anonymize__suppress="row", anonymize__suppression_limit=float(small.mean()), **WITHOUT_NOISE)
    published = store.read(ctx.ref(RELEASE)).toPandas()
    assert kept(published) == kept(rows[~small])
    measured, again = found(ctx)
    assert measured["suppressed_rows"] == small.sum()
    assert measured["suppressed_share"] == pytest.approx(small.mean())
    assert store.read(ctx.ref(RELEASES)).first().rows_suppressed == small.sum()
    assert measured["class_people_min"] >= 5 and again["recheck_rows_mismatch"] == 0
    # Nothing of the partition is left, not even a tree that would tell its cuts.
    trees = [json.loads(row.partition) for row in store.read(ctx.ref(GENERALIZER)).collect()]
    assert {"month": "2024-02", "split": "train"} in trees
    assert {"month": "2024-02", "split": "holdout"} not in trees


def test_one_row_above_the_limit_publishes_nothing(store):
    rows, small = one_partition_of_four_people()
    limit = (small.sum() - 1) / len(rows)
    ctx = context(store, shop(anonymize__suppression_limit=float(limit), **WITHOUT_NOISE), "anonymize")
    store.replace(ctx.ref(CLEAN), clean_rows(store.spark, rows))
    with pytest.raises(GuaranteeError, match=r"suppressed_share is 0\.0\d+ where"):
        stage.run(ctx)
    assert [store.version(ctx.ref(which)) for which in (RELEASE, STAGING)] == [None, None]
    metrics = store.read(ctx.ref(PRIVACY_METRICS)).toPandas().set_index("metric")
    assert metrics.value["suppressed_rows"] == small.sum() and not metrics.met["suppressed_share"]

"""Two releases of the same people, intersected and subtracted by somebody who holds both and knows who is where."""

import numpy as np
import pandas as pd
import pytest
from kveil.anonymize import stage
from kveil.anonymize.columns import of_class
from kveil.context import Context
from kveil.tables.schema import CLEAN, PRIVACY_METRICS, RELEASE

from tests.builders import clean_rows, context, purchases, shop

ROWS = purchases(customers=200, rows=2000).assign(amount=np.arange(2000))
"""A customer's rows have one age and town; `amount` names a row in the oracle and is released as it is."""
BUDGET = {"epsilon": 60}


def prepared(store, rows: pd.DataFrame, **changes) -> Context:
    changes = {"anonymize__budget": BUDGET, "anonymize__partition_by": ["split"], **changes}
    ctx = context(store, shop(**changes), "anonymize")
    ctx.policy.anonymize.insensitive["amount"] = "names a row, for the oracle alone"
    store.replace(ctx.ref(CLEAN), clean_rows(store.spark, rows).withColumnRenamed("amount", "amount"))
    return ctx


def released(ctx: Context) -> pd.DataFrame:
    stage.run(ctx)
    return ctx.store.read(ctx.ref(RELEASE)).toPandas()


def classes(published: pd.DataFrame, ctx: Context) -> pd.Series:
    """The class of each published row, by the row's name."""
    shown = published[of_class(ctx.policy.anonymize)].astype(str).agg("|".join, axis=1)
    return pd.Series(shown.to_numpy(), index=published.amount)


def smallest_groups(first: pd.Series, second: pd.Series, rows: pd.DataFrame) -> dict[str, int]:
    """The fewest people, but none, in overlaps of two releases' classes and in what one alone holds of a class of both."""
    person = rows.set_index("amount").customer
    both = pd.DataFrame({"first": first, "second": second, "person": person})
    everywhere = both.dropna()
    overlap = everywhere.groupby(["first", "second"]).person.nunique().min()
    gone = both[both["second"].isna() & both["first"].isin(everywhere["first"])].groupby("first").person.nunique().min()
    come = both[both["first"].isna() & both["second"].isin(everywhere["second"])].groupby("second").person.nunique().min()
    return {"overlap": overlap, "gone": gone, "come": come}


@pytest.fixture(scope="module")
def before(module_store):
    ctx = prepared(module_store, ROWS)
    return ctx, classes(released(ctx), ctx)


def test_one_who_left_is_in_no_difference(before):
    ctx, first = before
    left = ROWS[ROWS.customer != 77]
    again = prepared(ctx.store, left)
    second = classes(released(again), again)
    found = smallest_groups(first, second, ROWS)
    assert found["overlap"] >= 5
    assert not found["gone"] < 5
    assert np.isnan(found["come"])
    assert set(second) < set(first)
    metrics = ctx.store.read(ctx.ref(PRIVACY_METRICS)).toPandas().set_index("metric")
    assert metrics.loc["composition_releases"].value == 1
    assert metrics.loc["composition_changed_classes"].value > 0
    assert metrics.loc["composition_rows"].value == len(first) - len(second) - (ROWS.customer == 77).sum()

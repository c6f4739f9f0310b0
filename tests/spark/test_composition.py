"""Two releases of the same people, intersected and subtracted by somebody who holds both and knows who is where."""

import json
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kveil.anonymize import stage
from kveil.anonymize.columns import of_class
from kveil.anonymize.compose.withdraw import Wish, withdraw
from kveil.context import Context
from kveil.errors import ContractError, GuaranteeError
from kveil.evaluate.recheck import recheck_metrics
from kveil.model.generalizer import Generalizer
from kveil.report.composition import composition_facts
from kveil.tables.schema import CLEAN, GENERALIZER, PRIVACY_METRICS, PUBLISHED_AGAIN, RELEASE, RELEASE_CLASSES, RELEASES
from pyspark.sql import DataFrame

from tests.builders import booked, clean_rows, context, purchases, shop

ROWS = purchases(customers=200, rows=2000).assign(amount=np.arange(2000))
"""A customer's rows have one age and town; `amount` names a row in the oracle and is released as it is."""
BUDGET = {"epsilon": 60}
K, LEFT = 5, 77
ALGORITHMS = ("mondrian", "full_domain", "mondrian")


def prepared(store, rows: pd.DataFrame, **changes) -> Context:
    changes = {"anonymize__budget": BUDGET, "anonymize__partition_by": ["split"], **changes}
    oracle = "names a row, for the oracle alone"
    as_ever = {"anonymize__composition": "suppress", "anonymize__composition_reason": None, "anonymize__replaced": "destroy"}
    changes = {**as_ever, **changes}
    changes |= {"anonymize__insensitive": {"reduced": "the label", "amount": oracle}, "anonymize__accepted": {"amount": oracle}}
    ctx = context(store, shop(**changes), "anonymize")
    store.replace(ctx.ref(CLEAN), clean_rows(store.spark, rows))
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


def generalizers(ctx: Context) -> dict[str, Generalizer]:
    trees = [(json.loads(row.partition), bytes(row.tree)) for row in ctx.store.read(ctx.ref(GENERALIZER)).collect()]
    return {split: Generalizer.from_rows(ctx.policy.anonymize, trees, split) for split in ("train", "holdout")}


def shown_again(ctx: Context) -> DataFrame:
    return ctx.store.read(ctx.ref(PUBLISHED_AGAIN)).select(*of_class(ctx.policy.anonymize))


def metrics(ctx: Context, name: str) -> list[float]:
    rows = ctx.store.read(ctx.ref(PRIVACY_METRICS)).where(f"metric = '{name}'").collect()
    return [row["value"] for row in rows]


@pytest.fixture(scope="module")
def twice(module_store):
    """A release, and the next after one person was erased."""
    first = prepared(module_store, ROWS)
    before = released(first)
    second = prepared(module_store, ROWS[ROWS.customer != LEFT])
    return first, before, second, released(second)


def test_one_who_left_is_in_no_difference(twice):
    ctx, before, _, after = twice
    found = smallest_groups(classes(before, ctx), classes(after, ctx), ROWS)
    assert found["overlap"] >= K
    assert np.isnan(found["gone"]) and np.isnan(found["come"])
    pd.testing.assert_series_equal(classes(after, ctx).sort_index(), classes(before, ctx).sort_index())
    assert metrics(ctx, "composition_releases") == [1]
    assert metrics(ctx, "composition_changed_classes")[0] > 0
    assert metrics(ctx, "composition_rows") == [0]


def test_classes_that_changed_are_shown_as_they_were_noise_and_all_and_others_are_drawn_anew(twice):
    ctx, before, _, after = twice
    rows = before.set_index("amount").join(after.set_index("amount").cents.rename("again"))
    changed = set(classes(before, ctx)[ROWS.amount[ROWS.customer == LEFT]])
    is_changed = classes(before, ctx).isin(changed)[rows.index]
    assert metrics(ctx, "composition_rows_again") == [is_changed.sum()]
    assert (rows.cents == rows.again)[is_changed].all()
    # Noise of scale 1000 meets itself once in some thousand rows.
    assert (rows.cents != rows.again)[~is_changed].mean() > 0.9


@pytest.mark.long
def test_a_third_release_knows_what_the_second_showed_again(twice):
    first, before, _, _ = twice
    third = prepared(first.store, ROWS[~ROWS.customer.isin([LEFT, LEFT + 1])])
    found = classes(released(third), third)
    assert set(found.index) == set(before.amount)
    evaluated = recheck_metrics(
        third.store.read(third.ref(CLEAN)),
        third.store.read(third.ref(RELEASE)),
        third.policy,
        generalizers(third),
        shown_again(third),
    )
    assert {row["metric"]: row["value"] for row in evaluated}["recheck_rows_mismatch"] == 0


def test_what_is_kept_of_a_release_names_nobody(twice):
    ctx = twice[0]
    kept = ctx.store.read(ctx.ref(RELEASE_CLASSES)).toPandas()
    assert set(kept) == {"policy", "release_id", "class", "rows", "people", "mark", "run_id", "written_at"}
    assert (kept.people >= K).all()
    assert not kept.duplicated(["release_id", "class"]).any() and not kept.duplicated(["release_id", "mark"]).any()


def test_versions_and_trees_of_a_replaced_release_are_gone(twice):
    ctx = twice[0]
    assert len(list((Path(ctx.store.lake.root) / "release" / "shop_purchases").rglob("*.parquet"))) == len(
        ctx.store.read(ctx.ref(RELEASE)).inputFiles()
    )
    assert ctx.store.read(ctx.ref(GENERALIZER)).select("release_id").distinct().count() == 1


@pytest.mark.long
def test_a_release_of_another_k_shares_no_few_people_with_the_first_or_is_refused(store):
    ctx = prepared(store, ROWS)
    before = released(ctx)
    more = {"anonymize__k": K + 1, "anonymize__suppression_limit": 1}
    again = prepared(store, ROWS, **more)
    found = smallest_groups(classes(before, ctx), classes(released(again), again), ROWS)
    assert found["overlap"] >= K
    assert not found["gone"] < K
    spent = booked(again)
    strict = prepared(store, ROWS, anonymize__k=K + 2, anonymize__composition="refuse")
    with pytest.raises(GuaranteeError, match=r"composition: beside release \w+ and 1 more .* the policy says refuse") as caught:
        stage.run(strict)
    assert "\n" not in str(caught.value)
    limited = prepared(store, ROWS, anonymize__k=K + 2, anonymize__suppression_limit=0.01)
    with pytest.raises(GuaranteeError, match="suppression_limit allows 1"):
        stage.run(limited)
    assert booked(limited) == spent


@pytest.mark.long
def test_few_people_in_an_overlap_can_be_accepted_with_a_reason(store):
    stage.run(prepared(store, ROWS))
    accepted = {"anonymize__composition": "accept", "anonymize__composition_reason": "the first release never left the house"}
    again = prepared(store, ROWS[ROWS.customer != LEFT], **accepted)
    stage.run(again)
    assert metrics(again, "composition_releases") == [1]
    assert metrics(again, "class_people_min")[0] >= K


@pytest.mark.long
def test_a_withdrawn_release_is_destroyed_and_compared_with_no_more(store):
    first = prepared(store, ROWS)
    stage.run(first)
    (before,) = store.read(first.ref(RELEASES)).collect()
    wish = Wish(before["release_id"], "only tried, the policy was wrong", True, datetime(2026, 1, 2, tzinfo=timezone.utc))
    done = withdraw(store, wish)
    assert done.releases == (before["release_id"],)
    assert not store.exists(first.ref(RELEASE))
    assert store.read(first.ref(RELEASE_CLASSES)).isEmpty()
    assert withdraw(store, wish) == done
    # The same rows under the same policy are another release, booked once more.
    stage.run(first)
    assert metrics(first, "composition_releases") == []
    assert [entry.state for entry in booked(first)] == ["committed", "committed"]
    assert composition_facts(first)["withdrawn"][0]["because"] == wish.reason
    with pytest.raises(ContractError, match="published no release nothing"):
        withdraw(store, replace(wish, release_id="nothing"))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6))
def test_whoever_comes_or_goes_no_few_people_are_told_apart(store, seed):
    """Random tables, erasures, arrivals and ks: an attacker's own count over all releases, joined row by row."""
    random = np.random.default_rng(seed)
    everybody = purchases(customers=300, rows=3000, seed=seed).assign(amount=np.arange(3000))
    shown: list[tuple[pd.Series, int]] = []
    for _ in range(3):
        there = everybody[~everybody.customer.isin(random.choice(300, random.integers(0, 4), replace=False))]
        k = int(random.integers(4, 7))
        ctx = prepared(store, there, anonymize__k=k, anonymize__suppression_limit=1, anonymize__algorithm=ALGORITHMS[seed % 3])
        try:
            found = classes(released(ctx), ctx)
        except GuaranteeError as error:
            assert "composition" in str(error)
            continue
        for earlier, k_then in shown:
            groups = smallest_groups(earlier, found, everybody)
            assert groups["overlap"] >= min(k, k_then)
            assert not groups["gone"] < k_then
            assert not groups["come"] < k
        shown.append((found, k))
    assert len(shown) > 1

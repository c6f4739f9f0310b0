"""Row noise in the stage: drawn once whatever happens to tasks and jobs, bounded per person, measured, its secret destroyed."""

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from kveil.anonymize import full_domain, stage, staging
from kveil.anonymize.columns import TREE, ddl, of_staging
from kveil.anonymize.domains import codings
from kveil.anonymize.kernel import Kernel
from kveil.anonymize.noise import Draws
from kveil.anonymize.noise_metrics import standard_deviation
from kveil.anonymize.references import references
from kveil.errors import ContractError, SettingsError
from kveil.evaluate.recheck import recheck_metrics
from kveil.model.generalizer import Generalizer
from kveil.settings import Policy
from kveil.tables.schema import BUDGET_LEDGER, CLEAN, GENERALIZER, PRIVACY_METRICS, RELEASE, RELEASE_SECRET, RELEASES
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from tests.builders import clean_rows, context, purchases, shop

MOST = 30
ROWS = purchases(customers=60, rows=600)
ROWS = pd.concat([ROWS, ROWS.tail(40)], ignore_index=True)  # equal rows are rows of their own
POLICY = shop(
    anonymize__quasi_identifiers={"age": {"kind": "number"}, "town": {"kind": "category"}},
    anonymize__sensitive={},
    anonymize__noise={
        "cents": {"lower": 0, "upper": 1000, "epsilon": 1},
        "date": {"lower": "2024-01-01", "upper": "2024-03-31", "epsilon": "0.5", "clamp_after": True},
        "item": {"mechanism": "randomised_response", "values": ["milk", "bread", "wine"], "epsilon": 1},
    },
    anonymize__contribution={"rows": MOST},
    anonymize__suppression_limit=0.5,
    anonymize__budget={"epsilon": 9},
    anonymize__k=2,
    train__features=["age", "town"],
)
RELEASED = ["kveil_person", "cents", "date", "item"]


def prepared(store, document, rows=ROWS):
    ctx = context(store, document, "anonymize")
    store.replace(ctx.ref(CLEAN), clean_rows(store.spark, rows))
    return ctx


@pytest.fixture(scope="module")
def released(spark, module_store):
    """A release whose first run died while staging was being written, when the secret was there already."""
    ctx = prepared(module_store, POLICY)
    used, real, make = [], module_store.replace, staging.draws_of

    def spied(*asked):
        used.append(make(*asked))
        return used[-1]

    def dies(ref, *rest, **options):
        if ref.name.endswith("_staging"):
            raise KeyboardInterrupt
        return real(ref, *rest, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(staging, "draws_of", spied)
        with pytest.MonkeyPatch.context() as killed:
            killed.setattr(module_store, "replace", dies)
            with pytest.raises(KeyboardInterrupt):
                stage.run(ctx)
        left = module_store.read(ctx.ref(RELEASE_SECRET)).count()
        stage.run(ctx)
    return SimpleNamespace(ctx=ctx, used=used, left=left, rows=ctx.store.read(ctx.ref(RELEASE)).toPandas())


def metrics_of(ctx):
    rows = ctx.store.read(ctx.ref(PRIVACY_METRICS)).collect()
    return {(row.metric, row.scope): row.value for row in rows}


def test_a_run_that_died_before_the_commit_is_repeated_with_the_same_draw(released):
    first, second = released.used
    assert released.left == 1
    assert first.secret == second.secret
    assert len(first.secret) == 32


def test_the_secret_is_destroyed_with_the_link(released):
    ctx = released.ctx
    assert ctx.store.version(ctx.ref(RELEASE_SECRET)) is None
    assert ctx.store.read(ctx.ref(RELEASES)).first().link_files_left == 0
    secret = released.used[0].secret
    files = [path for path in Path(ctx.store.lake.root).rglob("*") if path.is_file()]
    assert not [path for path in files if secret in path.read_bytes() or secret.hex().encode() in path.read_bytes()]


def test_a_person_gives_no_more_rows_than_the_policy_says(released):
    found = metrics_of(released.ctx)
    dropped = (ROWS.groupby("customer").size() - MOST).clip(lower=0).sum()
    assert dropped > 100
    assert found["contribution_rows_dropped", ""] == dropped
    assert found["suppressed_rows", ""] == len(ROWS) - len(released.rows) >= dropped
    assert found["rows_per_person_max", ""] == MOST
    assert found["epsilon_per_person_max", ""] == MOST * 2.5


def test_the_second_measurement_knows_that_rows_were_dropped(released):
    ctx = released.ctx
    settings, release = ctx.policy.anonymize, ctx.store.read(ctx.ref(RELEASE))
    trees = [(json.loads(row.partition), bytes(row.tree)) for row in ctx.store.read(ctx.ref(GENERALIZER)).collect()]
    generalizers = {split: Generalizer.from_rows(settings, trees, split) for split in ("train", "holdout")}

    def mismatch(rows):
        found = recheck_metrics(ctx.store.read(ctx.ref(CLEAN)), rows, ctx.policy, generalizers)
        return next(row for row in found if row["metric"] == "recheck_rows_mismatch")["value"]

    assert mismatch(release) == 0
    assert mismatch(release.union(release)) > 0


def test_what_the_noise_costs_and_how_wide_it_is_stands_in_the_metrics(released):
    found = metrics_of(released.ctx)
    clamped = ROWS.cents.clip(0, 1000)
    assert found["noise_scale", "cents"] == 1000
    assert found["noise_scale", "date"] == 180
    assert found["noise_sd", "cents"] == pytest.approx(standard_deviation(1000)) == pytest.approx(1000 * 2**0.5, rel=1e-6)
    assert found["noise_to_spread", "cents"] == pytest.approx(standard_deviation(1000) / clamped.std(ddof=0))
    assert found["noise_clamped_share", "cents"] == pytest.approx((ROWS.cents > 1000).mean())
    assert found["noise_keep_probability", "item"] == pytest.approx(np.e / (np.e + 2))
    assert ("noise_repeats", "") not in found


def test_released_values_are_of_their_kind(released):
    rows = released.rows
    assert set(rows.item.dropna()) == {"milk", "bread", "wine"}
    assert rows.item.isna().any()
    days = pd.to_datetime(rows.date)
    assert (days.min(), days.max()) == (pd.Timestamp("2024-01-01"), pd.Timestamp("2024-03-31"))
    assert (rows.cents < 0).any()


@pytest.fixture(scope="module")
def kernel(spark):
    policy = Policy.model_validate(POLICY)
    clean, settings = clean_rows(spark, ROWS), policy.anonymize
    schema = StructType.fromDDL(ddl(of_staging(settings, dict(clean.dtypes))))
    draws = Draws(tuple(clean.columns), ("shop", "a release"), bytes(range(32)))
    asked = references(clean, policy.person, settings)
    return Kernel(
        settings, codings(clean, settings, policy.person), policy.person, to_arrow_schema(schema), asked, draws=draws
    ), schema


def draws_in(rows, function, schema):
    staged = rows.groupBy("month", "split").applyInArrow(function, schema)
    return staged.where(F.col(TREE).isNull()).select(*RELEASED)


def test_two_actions_other_partitions_and_a_job_that_failed_draw_the_same(spark, kernel, tmp_path):
    made, schema = kernel
    clean, marker = clean_rows(spark, ROWS), tmp_path / "failed once"
    once = draws_in(clean.repartition(1), made.function(), schema)

    def fails_first(table):
        if not marker.exists():
            marker.touch()
            raise RuntimeError("a worker is lost")
        return made.released(table)

    elsewhere = clean.repartition(7).sortWithinPartitions(F.xxhash64("cents"))
    with pytest.raises(Exception, match="a worker is lost"):
        draws_in(elsewhere, fails_first, schema).collect()
    first = sorted(map(tuple, once.collect()), key=repr)
    assert len(first) > 500
    for again in (once, draws_in(elsewhere, fails_first, schema)):
        assert sorted(map(tuple, again.collect()), key=repr) == first
    fresh = replace(made, draws=replace(made.draws, use=("shop", "another release")))
    assert sorted(map(tuple, draws_in(clean, fresh.function(), schema).collect()), key=repr) != first


def test_no_plan_holds_the_secret(spark, kernel, capsys):
    made, schema = kernel
    draws_in(clean_rows(spark, ROWS.head(20)), made.function(), schema).explain("extended")
    plan = capsys.readouterr().out
    assert "FlatMapGroupsInArrow" in plan
    assert "Draws" not in plan
    assert made.draws.secret.hex() not in plan.lower()
    assert repr(made.draws.secret)[2:30] not in plan


NAMED = ROWS.assign(receipt=range(len(ROWS)))
KEYED = {
    "sources__sales__columns__receipt": "bigint",
    "anonymize__noise_row": ["receipt"],
    "anonymize__noise_key": {"env": "SHOP_NOISE"},
}
KEY = "0123456789abcdef" * 4


def full_domain_policy(**changes):
    wide = {"age": {"kind": "number", "step": 50}, "town": {"kind": "category"}}
    asked = POLICY["anonymize"] | {"algorithm": "full_domain", "quasi_identifiers": wide, "contribution": None}
    return shop(**{f"anonymize__{key}": value for key, value in asked.items()}, **changes)


def noisy_values(ctx):
    """What was released of each row that noise may not change, with its noise."""
    found = ctx.store.read(ctx.ref(RELEASE)).select("month", "split", *ctx.policy.anonymize.noise)
    return Counter(map(tuple, found.collect()))


def drawn_at_once(ctx, draws):
    """The same of the clean table's rows, all drawn together."""
    table = ctx.store.read(ctx.ref(CLEAN)).toArrow()
    made = draws.noisy(table, ctx.policy.anonymize.noise)
    return Counter(zip(table["month"].to_pylist(), table["split"].to_pylist(), *[made[n].to_pylist() for n in made], strict=True))


@pytest.mark.long
def test_equal_rows_meet_to_be_counted_where_nothing_names_them(store, monkeypatch):
    """A full-domain release against the draws of the whole table at once: its tasks play no part."""
    monkeypatch.setattr(full_domain, "ROWS_PER_FRAGMENT", 100)
    used, make = [], staging.draws_of
    monkeypatch.setattr(staging, "draws_of", lambda *asked: used.append(make(*asked)) or used[-1])
    ctx = prepared(store, full_domain_policy())
    stage.run(ctx)
    assert noisy_values(ctx) == drawn_at_once(ctx, used[0])
    assert noisy_values(ctx).total() == len(ROWS)


@pytest.mark.long
def test_a_noise_key_repeats_the_draw_of_an_unchanged_value_whatever_else_changed(store, monkeypatch):
    """Two releases, between which a column of every row and the amounts of some change; both are booked."""
    monkeypatch.setenv("SHOP_NOISE", KEY)
    ctx = prepared(store, full_domain_policy(**KEYED), NAMED)
    draws = Draws(("receipt",), ("shop", "every release"), KEY.encode(), named=True)
    stage.run(ctx)
    assert metrics_of(ctx)["noise_repeats", ""] == 1
    assert ctx.store.version(ctx.ref(RELEASE_SECRET)) is None
    assert "receipt" not in ctx.store.read(ctx.ref(RELEASE)).columns
    before = noisy_values(ctx)
    assert before == drawn_at_once(ctx, draws)
    changed = NAMED.assign(reduced=~NAMED.reduced, cents=np.where(NAMED.receipt < 50, 999 - NAMED.cents % 1000, NAMED.cents))
    store.replace(ctx.ref(CLEAN), clean_rows(store.spark, changed).repartition(5))
    stage.run(ctx)
    after = noisy_values(ctx)
    assert after == drawn_at_once(ctx, draws)
    assert len(ROWS) - 50 <= (before & after).total() < len(ROWS)
    assert [row.spent_epsilon for row in ctx.store.read(ctx.ref(BUDGET_LEDGER)).collect()] == [5]


def test_rows_that_their_names_do_not_tell_apart_end_the_job_before_anything_is_booked(store, monkeypatch):
    monkeypatch.setenv("SHOP_NOISE", KEY)
    rows = NAMED.assign(receipt=NAMED.receipt.replace({3: 4}).astype("Int64").mask(NAMED.receipt == 5))
    ctx = prepared(store, shop(**{**KEYED, "anonymize__sensitive": {}}), rows)
    with pytest.raises(ContractError, match=r"noise_row: .* 2 share their \[receipt\] with another and 1 have a null in it"):
        stage.run(ctx)
    assert not (Path(ctx.store.lake.root) / "control" / "budget_ledger").exists()


def test_noise_that_cannot_be_drawn_is_one_sentence_and_nothing_is_booked(store, monkeypatch):
    monkeypatch.setenv("SHOP_NOISE", "short")
    with pytest.raises(SettingsError, match="SHOP_NOISE holds 5 bytes; at least 32"):
        stage.run(prepared(store, shop(**KEYED), NAMED))
    narrow = {"item": {"mechanism": "randomised_response", "values": ["milk", "bread"], "epsilon": 1}}
    ctx = prepared(store, shop(anonymize__noise=narrow, anonymize__sensitive={}))
    with pytest.raises(ContractError, match=r"noise\.item\.values: .* holds a text that the list does not name") as caught:
        stage.run(ctx)
    assert not re.search(r"\d", str(caught.value)), "an exact count of rows costs nothing but tells"
    assert not (Path(ctx.store.lake.root) / "control" / "budget_ledger").exists()

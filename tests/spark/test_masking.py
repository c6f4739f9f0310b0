"""Masks in the stage: what is released, measured and refused, and what becomes of it when a key changes or a person goes."""

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from kveil.anonymize import stage
from kveil.anonymize.columns import of_class
from kveil.anonymize.masking import rotate as rotation
from kveil.anonymize.masking.keys import current_use, masks_of
from kveil.anonymize.masking.metrics import unicity
from kveil.anonymize.masking.reveal import revealed
from kveil.anonymize.masking.rotate import rotate
from kveil.errors import ContractError, GuaranteeError
from kveil.rights.erase import erase
from kveil.tables.schema import (
    BUDGET_LEDGER,
    CLEAN,
    KEY_ROTATIONS,
    PRIVACY_METRICS,
    RELEASE,
    RELEASE_SECRET,
    RELEASES,
    REVEAL_LOG,
)
from stdnum import iban

from tests.builders import booked, changed, context, purchases, shop

KEYS = {1: "secret://env/MASK_1"}
BOTH = {**KEYS, 2: "secret://env/MASK_2"}
SAID = {"linkable": True, "reason": "a test"}
MASK = {
    "account": {"technique": "encrypt", "format": "iban", **SAID},
    "payer": {"technique": "pseudonym", "scope": "purpose", **SAID},
    "customer": {"technique": "pseudonym", **SAID},
    "email": {"technique": "partial", "keep": "domain", "reason": "a test"},
    "note": {"technique": "scrub", **SAID},
    "item": {"technique": "swap", "reason": "a test"},
    "spent": {
        "technique": "top_bottom", "quantiles": {"lower": "0.1", "upper": "0.9"}, "within": {"lower": 0, "upper": 10**7},
        "epsilon": 40, **SAID,
    },
}  # fmt: skip
OF_A_CLASS_OR_ALL = ("item", "spent")
STUCK = {**MASK, "name": {"technique": "fake", "kind": "name", **SAID}, "opened": {"technique": "date_shift", "days": 20, **SAID}}
TOKENS = ["account", "payer", "customer"]
POLICY = shop(
    anonymize__quasi_identifiers={"age": {"kind": "number"}, "town": {"kind": "category"}},
    anonymize__sensitive={},
    anonymize__mask=MASK,
    anonymize__mask_keys=KEYS,
    anonymize__suppression_limit=0.5,
    anonymize__k=3,
    anonymize__budget={"epsilon": 90},
    train__features=["age", "town"],
)


def account(customer):
    bban = f"{customer:018d}"
    return f"DE{iban.calc_check_digits('DE00' + bban)}{bban}"


def rows(customers=40, count=300):
    """`purchases` with what a bank knows of a payer, some of it missing."""
    made = purchases(customers, count)
    who = made.customer.to_numpy()
    made["account"] = [account(each) if each % 9 else None for each in who]
    made["payer"] = [f"+49 151 {each:07d}" for each in who]
    made["name"] = [f"Person {each}" for each in who]
    made["opened"] = [date(2010, 1, 1) + timedelta(days=int(each)) for each in who]
    made["email"] = [f"p{each}@{('example.com', 'example.org')[each % 2]}" for each in who]
    # One customer has a third of all rows, and by far the highest values.
    made["spent"] = [10**6 if each == 1 else 1000 + 10 * int(each) for each in who]
    made["note"] = [f"from {account(each)}, thanks" for each in who]
    return made


ROWS = rows()
TYPES = {
    "customer": "bigint",
    "spent": "bigint",
    "age": "int",
    "date": "date",
    "cents": "bigint",
    "reduced": "boolean",
    "opened": "date",
}


def clean(spark, found):
    """The rows as a clean table."""
    values = [tuple(None if pd.isna(value) else value for value in row) for row in found.astype(object).itertuples(index=False)]
    return spark.createDataFrame(values, ", ".join(f"{name} {TYPES.get(name, 'string')}" for name in found.columns))


def prepared(store, document=POLICY, found=ROWS):
    ctx = context(store, document, "anonymize")
    store.replace(ctx.ref(CLEAN), clean(store.spark, found))
    return ctx


def with_keys(ctx, document=POLICY, **changes):
    """The context of the same lake under a changed policy."""
    return context(ctx.store, changed(document, **changes), "anonymize", run_id="later")


def released(ctx):
    return ctx.store.read(ctx.ref(RELEASE)).toPandas()


@pytest.fixture(scope="module", autouse=True)
def secrets():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MASK_1", "a" * 40)
        patch.setenv("MASK_2", "b" * 40)
        yield


@pytest.fixture(scope="module")
def published(spark, module_store):
    ctx = prepared(module_store)
    stage.run(ctx)
    found = ctx.store.read(ctx.ref(PRIVACY_METRICS)).collect()
    metrics = {(row.metric, row.scope): row for row in found if row.measured_on == "staging"}
    row = ctx.store.read(ctx.ref(RELEASES)).first()
    return SimpleNamespace(ctx=ctx, rows=released(ctx), metrics=metrics, row=row)


def test_released_rows_are_clean_rows_under_their_masks(published):
    """Against the masks of the whole clean table at once: fragments, batches and partitions play no part."""
    ctx = published.ctx
    table = ctx.store.read(ctx.ref(CLEAN)).toArrow()
    masks = masks_of(ctx.policy, current_use(ctx.policy, published.row.release_id))
    kept, masked = ["month", "split", "reduced"], [name for name in MASK if name not in OF_A_CLASS_OR_ALL]
    made = replace(masks, roles={name: masks.roles[name] for name in masked}).masked(table, "customer")
    expected = Counter(
        zip(*[table[name].to_pylist() for name in kept], *[made[name].to_pylist() for name in masked], strict=True)
    )
    found = Counter(tuple(row) for row in ctx.store.read(ctx.ref(RELEASE)).select(*kept, *masked).collect())
    assert not found - expected
    assert sum(found.values()) == published.row.rows_released > 200


def test_swapped_values_stay_in_their_class_and_leave_their_rows(published):
    """Against the clean rows: a person has one age and town, so a class holds all rows of its people in a month and split."""
    masks = masks_of(published.ctx.policy, current_use(published.ctx.policy, published.row.release_id))
    customers = sorted(set(ROWS.customer))
    token = dict(zip(customers, masks.of_texts("customer")([str(each) for each in customers]), strict=True))
    clean_rows, rows = ROWS.assign(customer=ROWS.customer.map(token)), published.rows
    kept, moved = 0, Counter()
    for _, group in rows.groupby(of_class(published.ctx.policy.anonymize), dropna=False):
        month, split = group.month.iloc[0], group.split.iloc[0]
        here = (clean_rows.month == month) & (clean_rows.split == split) & clean_rows.customer.isin(set(group.customer))
        assert Counter(clean_rows[here].item.fillna("")) == Counter(group.item.fillna(""))
        pairs = [Counter(zip(each.customer, each.item.fillna(""), strict=True)) for each in (clean_rows[here], group)]
        kept, moved = kept + len(group), moved + (pairs[0] - pairs[1])
    # Of four values about a quarter stay where they were by chance.
    assert kept == len(rows) and moved.total() > kept / 4
    assert published.metrics["mask_people_min", "item"].met


def test_bought_bounds_are_quantiles_of_people_which_no_person_moves(published):
    """The upper share is that of people, each of whom counts once: the one with a third of all rows is beyond it."""
    lower, upper = (published.metrics[name, "spent"].value for name in ("mask_lower", "mask_upper"))
    people = ROWS.drop_duplicates("customer").spent.quantile([0.1, 0.9])
    # A bound is found to a sixteenth, and noise is a fraction of a person here.
    assert people[0.1] * 0.85 < lower < people[0.1] * 1.15 and people[0.9] * 0.85 < upper < people[0.9] * 1.15
    assert ROWS.spent.quantile(0.9) == 10**6 > 2 * upper
    token = masks_of(published.ctx.policy, current_use(published.ctx.policy, published.row.release_id)).of_texts("customer")
    spent = {token([str(customer)])[0]: spent for customer, spent in zip(ROWS.customer, ROWS.spent, strict=True)}
    assert (published.rows.spent == published.rows.customer.map(spent).clip(lower, upper)).all()
    assert (published.rows.spent == upper).any()


def test_bounds_are_booked_per_person_and_noise_per_row(published):
    accounts = published.ctx.store.read(published.ctx.ref(BUDGET_LEDGER)).collect()
    (noise,), (bounds,) = ({row.unit: row.entries for row in accounts}[unit] for unit in ("row", "person"))
    assert (noise.release_id, published.row.epsilon) == (published.row.release_id, 1)
    assert (bounds.release_id, bounds.epsilon) == (f"{published.row.release_id}-bounds", 40)
    assert [(charge.mechanism, charge.what) for charge in bounds.charges] == [("bounds", "spent.bounds")]
    assert noise.steps[-1].state == bounds.steps[-1].state == "committed"
    assert not published.ctx.store.exists(published.ctx.ref(RELEASE_SECRET))


def test_nothing_of_a_masked_value_is_left(published):
    for name in (*TOKENS, "note"):
        assert not set(published.rows[name].dropna()) & set(ROWS[name].dropna().astype(str))
    assert all(iban.is_valid(text, check_country=False) for text in published.rows.account.dropna())
    assert set(published.rows.note) == {"from <IBAN>, thanks"}
    assert set(published.rows.email) == {"***@example.com", "***@example.org"}
    # One token per person: the rows of one are those of one payer.
    assert (published.rows.groupby("customer").payer.nunique() == 1).all()


def test_what_masks_tell_of_people_is_measured(published):
    found = published.metrics
    assert found["mask_people_min", "account"].value == found["mask_people_min", "payer"].value == 1
    assert found["mask_people_min", "account"].met is None
    assert found["mask_people_min", "email"].met
    # Every other person has the one or the other domain.
    assert 3 <= found["mask_people_min", "email"].value <= ROWS.customer.nunique() / 2 + 1
    assert found["mask_singled_out_share", "payer"].value == 1
    assert found["mask_collisions", "payer"].value == 0 and found["mask_unfit_values", "account"].value == 0
    assert 0 < found["unicity_4", "payer"].value <= 1
    assert ("mask_people_min", "note") in found and ("unicity_4", "note") not in found


def test_unicity_is_the_share_of_histories_that_their_points_tell_from_all_others(published):
    """Against sets, with every point of a history known."""
    ctx, shown = published.ctx, published.rows
    points = of_class(ctx.policy.anonymize)
    texts = shown[points].astype(object).where(shown[points].notna(), None)
    histories = pd.Series([repr(list(row)) for row in texts.itertuples(index=False)]).groupby(shown.payer.to_numpy()).agg(set)
    alone = [sum(own <= other for other in histories) == 1 for own in histories]
    assert 0 < sum(alone) < len(alone)
    found = unicity(ctx.store.read(ctx.ref(RELEASE)), ["payer", "customer"], points, known=10**6)
    assert found == pytest.approx({"payer": np.mean(alone), "customer": np.mean(alone)})


def test_a_repeated_run_changes_nothing_and_a_new_key_version_asks_for_rotation(published):
    ctx = published.ctx
    stage.run(ctx)
    assert ctx.store.version(ctx.ref(RELEASE)) == published.row.version
    with pytest.raises(ContractError, match=r"masked with version 1 and the current one is 2; run kveil rotate-key"):
        stage.run(with_keys(ctx, anonymize__mask_keys=BOTH))
    with pytest.raises(ContractError, match="name, opened cannot be moved to another key"):
        rotate(with_keys(ctx, anonymize__mask_keys=BOTH, anonymize__mask=STUCK))
    assert ctx.store.version(ctx.ref(RELEASE)) == published.row.version


def test_who_has_the_key_and_a_reason_finds_a_value_and_leaves_a_trace(published, monkeypatch):
    ctx = published.ctx
    clear = dict(zip(ROWS.account, ROWS.customer, strict=True))
    token = published.rows.account.dropna().iloc[0]
    value = revealed(ctx, "account", token, " order 12 of the court ")
    assert value in clear
    with pytest.raises(ContractError, match=r"no row of release\.shop_purchases holds it in account"):
        revealed(ctx, "account", account(10**9), "curious")
    log = ctx.store.read(ctx.ref(REVEAL_LOG)).toPandas()
    assert log.reason.tolist() == ["order 12 of the court", "curious"]
    assert log.actor.str.len().min() > 0 and set(log.key_version) == {1} and set(log.release_id) == {published.row.release_id}
    assert not any(secret in log.to_csv() for secret in (token, value, account(10**9)))
    for column, reason, told in (("payer", "x", "allowed: account"), ("account", " ", "is empty; say in words")):
        with pytest.raises(ContractError, match=told):
            revealed(ctx, column, token, reason)
    monkeypatch.setenv("MASK_1", "c" * 40)
    with pytest.raises(ContractError, match="holds another secret"):
        revealed(ctx, "account", token, "x")
    assert ctx.store.read(ctx.ref(REVEAL_LOG)).count() == 2


@pytest.fixture(scope="module")
def moved(published):
    """The release moved to another key; the first attempt died when the table was replaced and nothing else done."""
    ctx = published.ctx
    later, paid = with_keys(ctx, anonymize__mask_keys=BOTH), len(booked(ctx))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rotation, "_finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            rotate(later)
    done = rotate(later)
    return SimpleNamespace(ctx=later, before=published.rows, row=published.row, paid=paid, done=done, after=released(later))


def test_rotation_changes_every_token_and_nothing_else(moved):
    before, after = moved.before, moved.after
    rest = [name for name in before.columns if name not in TOKENS]
    assert sorted(map(repr, before[rest].itertuples(index=False))) == sorted(map(repr, after[rest].itertuples(index=False)))
    for name in TOKENS:
        assert not set(before[name].dropna()) & set(after[name].dropna())
        assert sorted(before[name].value_counts()) == sorted(after[name].value_counts())
    # Rows are still of the same people: who shares an account shares a payer.
    pairs = [set(zip(each.account.fillna(""), each.payer, strict=True)) for each in (before, after)]
    assert len(pairs[0]) == len(pairs[1])
    assert (moved.done.from_version, moved.done.to_version, moved.done.columns) == (1, 2, tuple(TOKENS))


def test_rotation_draws_and_books_nothing_and_leaves_no_old_token(moved):
    ctx = moved.ctx
    row = ctx.store.read(ctx.ref(RELEASES)).first()
    assert (row.release_id, row.rows_released) == (moved.row.release_id, moved.row.rows_released)
    version = ctx.store.version(ctx.ref(RELEASE))
    assert version >= row.version > moved.row.version
    assert ctx.store.read(ctx.ref(RELEASE), row.version).count() == row.rows_released
    stage.run(ctx)
    assert ctx.store.version(ctx.ref(RELEASE)) == version
    assert len(booked(ctx)) == moved.paid
    folder = Path(ctx.store.lake.root) / "release" / "shop_purchases"
    files = [f"file://{path}" for path in folder.rglob("*.parquet") if "_delta_log" not in path.parts]
    left = ctx.spark.read.parquet(*files).select("account").distinct()
    assert {each.account for each in left.collect()} == set(moved.after.account.where(moved.after.account.notna(), None))
    log = "".join(path.read_text() for path in (folder / "_delta_log").glob("*.json"))
    assert not any(token in log for token in [*moved.before.account.dropna(), *moved.before.payer])
    told = ctx.store.read(ctx.ref(KEY_ROTATIONS)).collect()
    assert [(each.from_version, each.to_version, each.old_files_left, each.rows) for each in told] == [
        (1, 2, 0, row.rows_released)
    ]
    assert rotate(ctx).columns == ()


def test_a_value_comes_back_after_rotation(moved):
    token = moved.after.account.dropna().iloc[0]
    assert revealed(moved.ctx, "account", token, "a test") in set(ROWS.account)


@pytest.mark.long
def test_erasing_a_person_destroys_a_release_in_which_tokens_tell_their_rows(moved):
    ctx = moved.ctx
    erase(ctx, ctx.spark.createDataFrame([("2",)], "person string"))
    assert not ctx.store.exists(ctx.ref(RELEASE))


@pytest.mark.long
def test_slices_that_are_added_later_have_the_same_tokens(store):
    only = {"payer": {"technique": "pseudonym", **SAID}}
    document = changed(POLICY, anonymize__mask=only, anonymize__incremental=True)
    first = ROWS[ROWS.month == "2024-01"]
    stage.run(prepared(store, document, first))
    ctx = prepared(store, document)
    stage.run(ctx)
    by_month = released(ctx).groupby("month").payer.agg(set)
    assert len(by_month) == 2
    assert len(by_month.iloc[0] & by_month.iloc[1]) > 5
    assert len(by_month.iloc[0] | by_month.iloc[1]) <= ROWS.customer.nunique()


def test_what_singles_people_out_and_what_has_not_the_format_publishes_nothing(store):
    tail = {"payer": {"technique": "partial", "keep_last": 3, "reason": "a test"}}
    ctx = prepared(store, changed(POLICY, anonymize__mask=tail, anonymize__mask_keys={}))
    with pytest.raises(
        GuaranteeError, match=r"anonymize\.mask\.payer: a masked value is held by 1 people where k = 3 is demanded"
    ):
        stage.run(ctx)
    wrong = {"account": {**MASK["account"], "format": "card"}}
    with pytest.raises(ContractError, match=r"anonymize\.mask\.account: \d+ distinct values are not of format card"):
        stage.run(with_keys(ctx, anonymize__mask=wrong))
    with pytest.raises(ContractError, match=r"anonymize\.mask\.opened: the clean table's column is date; partial masks string"):
        stage.run(with_keys(ctx, anonymize__mask={"opened": {**tail["payer"]}}, anonymize__mask_keys={}))
    assert not ctx.store.exists(ctx.ref(RELEASE)) and not ctx.store.exists(ctx.ref(BUDGET_LEDGER))


@pytest.mark.long
@pytest.mark.parametrize("algorithm", ["full_domain", "local_recoding"])
def test_other_algorithms_show_the_same_tokens_of_a_purpose(store, published, algorithm):
    ctx = prepared(store, changed(POLICY, anonymize__algorithm=algorithm))
    stage.run(ctx)
    found = released(ctx)
    assert len(found) >= len(ROWS) / 2
    assert set(found.payer) <= set(published.rows.payer)
    assert set(found.email) <= set(published.rows.email)
    assert not set(found.customer) & set(published.rows.customer)

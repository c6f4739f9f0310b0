"""Ledger, audit, releases, slices and released tables are deleted, put back and cut: nothing is drawn, and a sentence says so.

The lake published three releases and an aggregate on a cap that bears no more. So whatever is done to its tables, a run that
draws anything draws what is not paid for.
"""

import json
import shutil
from decimal import Decimal
from itertools import combinations, permutations
from pathlib import Path

import pytest
import yaml
from kveil import pipeline
from kveil.anonymize import ledger, stage
from kveil.anonymize.aggregates import release as aggregate
from kveil.anonymize.agreement import require_agreement
from kveil.anonymize.ledger.heads import head_properties
from kveil.anonymize.ledger.statement import statement, verification
from kveil.cli import main
from kveil.errors import BudgetError, KveilError
from kveil.log import Progress
from kveil.settings import Policy
from kveil.tables.heads import LEDGER_HEAD, RELEASE_ID
from kveil.tables.lake import Lake
from kveil.tables.same_people import note_sources, told_same_people
from kveil.tables.schema import CLEAN, RELEASE, RELEASES, RUN_LOG
from kveil.tables.store import TableStore

from tests.builders import clean_rows, context, purchases, shop

FOLDERS = {
    "ledger": ("control/budget_ledger",),
    "audit": ("control/budget_audit",),
    "releases": ("control/releases", "control/aggregates"),
    "slices": ("control/release_slices",),
    "release tables": ("release",),
}
ACTS = ("delete", "put back", "cut")
ALIKE = [dict.fromkeys(which, act) for act in ACTS for n in range(1, 6) for which in combinations(FOLDERS, n)]
MIXED = [dict(zip(pair, acts, strict=True)) for pair in combinations(FOLDERS, 2) for acts in permutations(ACTS, 2)]


def tampered(lake, older, acts, tmp_path):
    """A copy of the lake with this done to these of its tables; `older` is the lake as it was before."""
    there = tmp_path / "tampered"
    shutil.copytree(lake, there, symlinks=True)
    for what, act in acts.items():
        for folder in FOLDERS[what]:
            if act == "cut":
                for log in (there / folder).rglob("_delta_log"):
                    last = max(log.glob("*.json"), key=lambda commit: commit.name)
                    for file in log.glob(f"*{last.stem}*"):
                        file.unlink()
            else:
                shutil.rmtree(there / folder, ignore_errors=True)
                if act == "put back" and (older / folder).exists():
                    shutil.copytree(older / folder, there / folder)
    return there


def said(acts):
    return ", ".join(f"{act} {what}" for what, act in acts.items())


# The books alone, without any data: what is looked at before anything is booked.


def publish(ctx, release_id):
    """What the stage writes of a release, but for its rows."""
    ledger.reserve(ctx, release_id, ledger.row_charges(ctx.policy.anonymize))
    ledger.drawn(ctx, release_id)
    ref = ctx.ref(RELEASE)
    ctx.store.replace(ref, ctx.spark.range(1), properties={RELEASE_ID: release_id, **head_properties(ctx)})
    version = ctx.store.version(ref)
    row = {"release_id": release_id, "epsilon": Decimal(1), "version": version}
    ctx.store.append(ctx.ref(RELEASES), ctx.rows(RELEASES, [row]))
    ledger.committed(ctx, release_id, version)


@pytest.fixture(scope="module")
def books(module_store, tmp_path_factory):
    """A lake with two releases, and as it was after the first."""
    ctx, older = (
        context(module_store, shop(anonymize__budget={"epsilon": 2}), "anonymize"),
        tmp_path_factory.mktemp("before") / "lake",
    )
    publish(ctx, "first")
    shutil.copytree(module_store.lake.root, older)
    publish(ctx, "second")
    note_sources(ctx.store, ctx.policy)
    return ctx, older


def in_copy(ctx, there, **changes):
    return context(
        TableStore(ctx.spark, Lake.at(str(there))), shop(**{"anonymize__budget": {"epsilon": 2}, **changes}), "anonymize"
    )


CONTRADICTIONS = [
    ({"ledger": "delete"}, "account shop/row/anyone is gone"),
    ({"ledger": "put back"}, "an older row was put back"),
    ({"ledger": "cut"}, "an older row was put back"),
    ({"audit": "delete"}, "though it had 4: somebody removed lines"),
    ({"audit": "put back"}, "though it had 4: somebody removed lines"),
    ({"releases": "delete"}, "release first, second was published, but neither"),
    ({"releases": "put back"}, "release second was published, but neither"),
    (
        {"ledger": "delete", "audit": "delete"},
        "step 5 of account shop/row/anyone as release.shop_purchases names it",
    ),
    ({"ledger": "put back", "audit": "put back", "releases": "put back"}, "does not hold step 5 of account shop/row/anyone"),
    ({"ledger": "delete", "audit": "delete", "release tables": "delete"}, "holds no booking of release first, second"),
]
# The others repeat the same comparisons with the long tests.
ALWAYS = ("delete ledger", "put back ledger", "delete releases", "put back ledger, put back audit, put back releases")


@pytest.mark.parametrize(
    ("acts", "sentence"),
    [
        pytest.param(acts, sentence, id=said(acts), marks=() if said(acts) in ALWAYS else pytest.mark.long)
        for acts, sentence in CONTRADICTIONS
    ],
)
def test_what_contradicts_itself_is_refused_in_one_sentence(books, tmp_path, acts, sentence):
    ctx, older = books
    copy = in_copy(ctx, tampered(Path(ctx.store.lake.root), older, acts, tmp_path))
    with pytest.raises(BudgetError) as caught:
        require_agreement(copy)
    assert sentence in str(caught.value)
    assert str(caught.value).endswith("are back as they were last; see docs/operations.md, When it refuses")
    assert "\n" not in str(caught.value)


def test_what_agrees_is_not_refused_and_a_head_is_known_by_its_step(books, tmp_path):
    ctx, older = books
    assert require_agreement(ctx) == {"first": "committed", "second": "committed"}
    assert verification(ctx)[1] == []
    assert json.loads(ctx.store.property_of(ctx.ref(RELEASE), LEDGER_HEAD)).keys() == {"shop/row/anyone"}
    # Somebody may take released tables away: what they were is booked all the same.
    gone = in_copy(ctx, tampered(Path(ctx.store.lake.root), older, {"release tables": "delete"}, tmp_path))
    assert require_agreement(gone) == {"first": "committed", "second": "committed"}


def test_a_lake_that_forgot_everything_is_known_by_its_run_log(books, tmp_path):
    ctx, older = books
    there = in_copy(ctx, tampered(Path(ctx.store.lake.root), older, dict.fromkeys(FOLDERS, "delete"), tmp_path))
    assert require_agreement(there) == {}, "nothing is left that could say anything"
    row = {"stage": "anonymize", "outcome": "done", "writes": {"control.budget_ledger": 3}}
    there.store.append(there.ref(RUN_LOG), there.rows(RUN_LOG, [row]))
    with pytest.raises(BudgetError, match=r"control\.budget_ledger is gone, but control\.run_log says that it was at 3"):
        require_agreement(there)
    assert any("run_log says" in sentence for sentence in verification(there)[1])
    assert statement(there)[0].startswith("NOT SOUND")


def test_files_that_are_gone_are_one_sentence(books, tmp_path):
    ctx, older = books
    there = tampered(Path(ctx.store.lake.root), older, {}, tmp_path)
    for file in (there / "control" / "budget_ledger").glob("*.parquet"):
        file.unlink()
    with pytest.raises(BudgetError, match=r"control\.budget_ledger or control\.budget_audit cannot be read"):
        require_agreement(in_copy(ctx, there))


def test_another_account_over_the_same_people_is_told_and_one_over_others_is_not(books, tmp_path, capsys):
    ctx, _ = books
    store = ctx.store
    assert told_same_people(store, ctx.policy) == []
    renamed, moved = (
        Policy.model_validate(shop(name="other")),
        Policy.model_validate(shop(anonymize__budget={"epsilon": 1, "data_set": "x"})),
    )
    for policy in (renamed, moved):
        (sentence,) = told_same_people(store, policy)
        assert "The people of sales are those of data set shop too (policy shop)" in sentence
        assert "give anonymize.budget.data_set: shop" in sentence
    shared = Policy.model_validate(shop(name="other", anonymize__budget={"epsilon": 1, "data_set": "shop"}))
    others = Policy.model_validate(shop(name="other", sources__sales__uri="elsewhere.parquet"))
    assert told_same_people(store, shared) == told_same_people(store, others) == []
    (tmp_path / "other.yml").write_text(yaml.safe_dump(shop(name="other")))
    main(["check", str(tmp_path / "other.yml"), "--lake", store.lake.root])
    assert "The people of sales are those of data set shop too" in capsys.readouterr().out


# The whole stage, whose draws are counted.


class Drawn(Exception):
    """Something was about to be drawn."""


POLICY = shop(
    anonymize__incremental=True,
    anonymize__budget={"epsilon": 2},
    anonymize__aggregates={
        "totals": {"group_by": {"town": {"values": ["north", "south"]}}, "contribution": {"rows": 5},
                   "epsilon": 1, "measures": {"bought": {"kind": "count"}}}
    },
)  # fmt: skip


def asked(k):
    return Policy.model_validate({**POLICY, "anonymize": {**POLICY["anonymize"], "k": k}})


def anonymize(store, k):
    pipeline.run(asked(k), store, Progress(), ("anonymize",), force=True)


@pytest.fixture(scope="module")
def lakes(spark, tmp_path_factory):
    """A lake that grew by a month, then published everything for another k, and as it was after its first month."""
    folder = tmp_path_factory.mktemp("lakes")
    store, rows = TableStore(spark, Lake.at(str(folder / "lake"))), purchases()
    ref = CLEAN.of(asked(5))
    store.replace(ref, clean_rows(spark, rows[rows.month == "2024-01"]))
    anonymize(store, 5)
    shutil.copytree(folder / "lake", folder / "older", symlinks=True)
    store.append(ref, clean_rows(spark, rows[rows.month == "2024-02"]))
    anonymize(store, 5)
    anonymize(store, 6)
    return folder / "lake", folder / "older"


@pytest.mark.long
@pytest.mark.parametrize("acts", [*ALIKE, *MIXED], ids=said)
def test_whatever_is_done_to_the_tables_nothing_more_is_drawn(spark, lakes, tmp_path, monkeypatch, acts):
    lake, older = lakes
    there = TableStore(spark, Lake.at(str(tampered(lake, older, acts, tmp_path))))

    def draws(*_, **__):
        raise Drawn

    monkeypatch.setattr(stage, "make_staging", draws)
    monkeypatch.setattr(aggregate, "statistics", draws)
    for k in (5, 6, 7):
        try:
            anonymize(there, k)
        except KveilError as refused:
            assert "\n" not in str(refused)
            assert "unexpected" not in str(refused)

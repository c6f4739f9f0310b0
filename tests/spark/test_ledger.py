"""The ledger's tables as Delta keeps them: what is written is read, a conflict is seen, tampering is found by the command."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from fractions import Fraction

import pytest
import yaml
from kveil.anonymize import ledger
from kveil.anonymize.ledger.statement import verification
from kveil.cli import main
from kveil.errors import BudgetError
from kveil.tables.declaration import ZONES
from kveil.tables.lake import Lake
from kveil.tables.schema import BUDGET_AUDIT, BUDGET_LEDGER, RELEASES
from kveil.tables.store import TableStore

from tests.builders import booked, context, shop

BUDGET = {"epsilon": 3, "delta": "1e-6", "period": "year"}
COUNT = ledger.Charge("geometric", 10**9, Fraction(1, 3 * 10**9), Fraction(1, 8), "it's a \\ count")
SLICE = '{"month":"it\'s a \\"month\\" \\\\"}'


@pytest.fixture(scope="module")
def kept(module_store):
    """Two accounts: rows with one published release, people with one drawn and one cancelled."""
    ctx = context(module_store, shop(anonymize__budget=BUDGET), "anonymize")
    ledger.reserve(ctx, "rows", ledger.row_charges(ctx.policy.anonymize), [SLICE])
    ledger.drawn(ctx, "rows")
    row = {"release_id": "rows", "epsilon": Decimal(1), "version": 4}
    ctx.store.append(ctx.ref(RELEASES), ctx.rows(RELEASES, [row]))
    ledger.committed(ctx, "rows", 4)
    ledger.reserve(ctx, "cells", [COUNT])
    ledger.drawn(ctx, "cells")
    ledger.reserve(ctx, "other", [COUNT])
    ledger.cancelled(ctx, "other")
    return ctx


def command(ctx, tmp_path, *options: str) -> list[str]:
    (tmp_path / "shop.yml").write_text(yaml.safe_dump(shop(anonymize__budget=BUDGET)))
    return ["budget", str(tmp_path / "shop.yml"), "--lake", ctx.store.lake.root, *options]


def test_what_is_written_is_read_and_spends_nothing_again(kept):
    before = [kept.store.version(kept.ref(table)) for table in (BUDGET_LEDGER, BUDGET_AUDIT)]
    ledger.reserve(kept, "rows", ledger.row_charges(kept.policy.anonymize), [SLICE])
    ledger.committed(kept, "rows", 4)
    assert [kept.store.version(kept.ref(table)) for table in (BUDGET_LEDGER, BUDGET_AUDIT)] == before
    accounts = {row.account: row for row in kept.store.read(kept.ref(BUDGET_LEDGER)).collect()}
    assert {name: row.spent_epsilon for name, row in accounts.items()} == {"shop/row/anyone": 1, "shop/person/anyone": 1}
    people = accounts["shop/person/anyone"]
    assert (str(people.spent_delta), float(people.spent_rho)) == ("3.33333333333333333334E-10", 0.125)
    assert [entry.state for entry in people.entries] == ["drawn", "cancelled"]
    assert accounts["shop/row/anyone"].entries[0].slices == [SLICE]
    assert accounts["shop/row/anyone"].entries[0].output_version == 4


def test_the_command_shows_and_verifies(kept, tmp_path, capsys):
    main(command(kept, tmp_path))
    shown = capsys.readouterr().out
    for said in (
        "account    shop/row/anyone",
        "cap        epsilon 3, delta 1e-6 per year",
        "lifetime   epsilon 1",
        "cancelled",
        "together",
    ):
        assert said in shown
    main(command(kept, tmp_path, "--verify"))
    assert capsys.readouterr().out.splitlines() == [
        "account shop/person/anyone: 4 audit lines: sound",
        "account shop/row/anyone: 3 audit lines: sound",
    ]


def test_the_audit_cannot_be_edited_and_an_edited_account_is_found(kept, tmp_path, capsys):
    audit, accounts = (kept.store.lake.identifier(kept.ref(table)) for table in (BUDGET_AUDIT, BUDGET_LEDGER))
    for statement in (f"DELETE FROM {audit} WHERE sequence = 3", f"UPDATE {audit} SET epsilon = 0"):
        with pytest.raises(Exception, match="append"):
            kept.spark.sql(statement)
    before = kept.store.version(kept.ref(BUDGET_LEDGER))
    kept.spark.sql(f"UPDATE {accounts} SET spent_epsilon = 0 WHERE unit = 'row'")
    kept.spark.sql(f"DELETE FROM {accounts} WHERE unit = 'person'")
    with pytest.raises(SystemExit) as caught:
        main(command(kept, tmp_path, "--verify"))
    assert caught.value.code == 4
    said = capsys.readouterr().err
    assert "account shop/row/anyone: the sums it states are not those of its entries" in said
    assert "account shop/person/anyone is gone" in said
    kept.store.restore(kept.ref(BUDGET_LEDGER), before)
    assert verification(kept)[1] == []


def test_without_a_lock_delta_lets_one_of_two_win(spark, tmp_path, monkeypatch):
    """A catalog has no OS lock: the conditional update and Delta's own protocol decide among four jobs."""
    monkeypatch.setenv("KVEIL_FILES", str(tmp_path / "files"))
    for zone in ZONES:
        spark.sql(f"CREATE SCHEMA spark_catalog.{zone} LOCATION '{tmp_path / zone}'")
    try:
        store = TableStore(spark, Lake.at("catalog:spark_catalog"))
        ctx = context(store, shop(anonymize__budget={"epsilon": 2}), "anonymize")
        charges = ledger.row_charges(ctx.policy.anonymize)
        with ThreadPoolExecutor(4) as pool:
            jobs = [pool.submit(ledger.reserve, ctx, f"release{i}", charges) for i in range(4)]
        failures = [job.exception() for job in jobs if job.exception()]
        assert [type(failure) for failure in failures] == [BudgetError] * 2
        assert len(booked(ctx)) == 2
        assert verification(ctx)[1] == []
    finally:
        for zone in ZONES:
            spark.sql(f"DROP SCHEMA spark_catalog.{zone} CASCADE")


def test_a_ledger_of_an_older_kveil_is_refused(store):
    ctx = context(store, shop(), "anonymize")
    store.replace(ctx.ref(BUDGET_LEDGER), store.spark.range(1).selectExpr("id AS entry", "'shop' AS policy", "1.0 AS epsilon"))
    with pytest.raises(BudgetError, match="was not written by this version of kveil"):
        ledger.reserve(ctx, "a", ledger.row_charges(ctx.policy.anonymize))

"""A person who is erased is in no table, history, change feed or file, however often the work is cut short, and stays away."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timezone
from io import StringIO
from pathlib import Path

import pytest
import yaml
from kveil.clean.stage import run as clean
from kveil.cli import main
from kveil.collect.stage import run as collect
from kveil.context import Context
from kveil.errors import GuaranteeError, SettingsError
from kveil.log import Progress
from kveil.rights import erase as erasing
from kveil.rights.access import write_file
from kveil.rights.people import named_people
from kveil.settings import Policy
from kveil.tables.declaration import TableRef
from kveil.tables.erasure import data_files, delete_people, held, purge, remaining
from kveil.tables.people import HELD, places, remade, tables_of_others
from kveil.tables.schema import CLEAN, COVERED, ERASED, ERASING, ERASURE_LOG, INCOMING, RAW, SCORES, STAGING
from kveil.tables.store import NO_STATISTICS

from tests.oracles.lake_files import files_naming

NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)
PLANTED, SECOND, KEPT = "planted-7f3a91", "second-1b9c22", "kept-000001"
PEOPLE = (PLANTED, SECOND, KEPT, *(f"other-{i:06}" for i in range(40)))


def policy(folder):
    columns = {"customer": {"type": "string", "required": True}, "at": "timestamp", "shop": "string", "cents": "bigint"}
    contract = {**columns, "kind": {"type": "string", "allowed": ["card"]}, "late": "boolean"}
    profiles = {"customer": {"type": "string", "required": True}, "town": "string", "note": "string"}
    return Policy.model_validate(
        {
            "name": "bank",
            "purpose": "scoring",
            "person": "customer",
            "sources": {
                "payments": {"uri": str(folder / "payments.csv"), "format": "csv", "columns": contract, "quarantine_limit": 1},
                "profiles": {"uri": str(folder / "profiles.csv"), "format": "csv", "columns": profiles},
            },
            "consent": {"simulated": {"grant": 1, "refuse": 0, "withdraw": 0, "first": "2020-01-01", "last": "2021-01-01"}},
            "clean": {
                "table": "rows", "base": "payments", "time": "at", "joins": [{"source": "profiles", "by": "customer"}],
                "rules": [{"source": "payments", "column": "cents", "min": 0}],
            },
            "anonymize": {
                "release": "rows", "k": 2, "partition_by": ["split"], "quasi_identifiers": {"town": {"kind": "category"}},
                "insensitive": {"late": "the label", "kind": "no secret"},
            },
            "train": {"label": "late", "features": ["town"], "logistic_regression": {}},
            "deploy": {"model": "late"},
        }
    )  # fmt: skip


def write_sources(folder):
    """Every person twice, once with a row that collect sets aside and once with one that clean does."""
    lines = ["customer,at,shop,cents,kind,late"]
    for person in PEOPLE:
        lines += [f"{person},2025-01-0{day} 10:00:00,s{day},{100 * day},card,true" for day in (1, 2)]
        lines += [f"{person},2025-01-03 10:00:00,s3,5,stolen,true", f"{person},2025-01-04 10:00:00,s4,-5,card,true"]
    # Of a line with too few fields nobody knows whose it is.
    lines.append(f",{PLANTED}")
    (folder / "payments.csv").write_text("\n".join(lines) + "\n")
    (folder / "profiles.csv").write_text("customer,town,note\n" + "".join(f"{person},north,x\n" for person in PEOPLE))


def context(store, policy, now=NOW):
    return Context(policy, store, "run", now, Progress(StringIO()), "build", "erase")


@pytest.fixture(scope="module")
def ctx(module_store, tmp_path_factory):
    """A lake in which every person is in every table that can hold them, with deletion vectors and a change feed."""
    folder = tmp_path_factory.mktemp("sources")
    write_sources(folder)
    ctx = context(module_store, policy(folder))
    collect(ctx)
    clean(ctx)
    person = module_store.read(CLEAN.of(ctx.policy)).selectExpr("customer AS person", "date")
    scores = person.selectExpr("person", "date", "0.5D AS score", "'1' AS model_version")
    module_store.replace(SCORES.of(ctx.policy), scores, properties=NO_STATISTICS)
    covered = person.selectExpr("'payments' AS source", "person", "'1' AS attempt")
    module_store.replace(COVERED.of(ctx.policy), covered, properties=NO_STATISTICS)
    # A row that waits to be set aside has its person in JSON alone.
    waiting = person.selectExpr("to_json(struct(person AS customer)) AS _kveil_row", "CAST(NULL AS STRING) AS customer")
    module_store.replace(INCOMING.of(ctx.policy, "payments"), waiting, properties=NO_STATISTICS)
    module_store.replace(STAGING.of(ctx.policy), person.selectExpr("person AS kveil_person", "true AS late"))
    for place in there(ctx):
        for key in ("delta.enableDeletionVectors", "delta.enableChangeDataFeed"):
            module_store.set_properties(place.ref, {key: "true"})
    for ref, value in ((RAW.of(ctx.policy, "payments"), "cents"), (SCORES.of(ctx.policy), "score")):
        # A change leaves a deletion vector, an older file and change data of everybody's rows.
        module_store.spark.sql(f"UPDATE {module_store.lake.identifier(ref)} SET {value} = {value} + 1")
    traces = module_store.lake.files / "restricted" / "errors"
    traces.mkdir(parents=True)
    (traces / "trace.txt").write_text(f"value {PLANTED} is no bigint")
    return ctx


def holding(ctx, person):
    """The tables in which a person's rows are, as they read now."""
    asked = f"{HELD} = '{person}'"
    return {str(place.ref) for place in there(ctx) if not place.people(ctx.store.read(place.ref)).where(asked).isEmpty()}


def there(ctx):
    return [place for place in places(ctx.policy) if ctx.store.exists(place.ref)]


def erase(ctx, *people):
    return erasing.erase(ctx, named_people(ctx, people, None))


def log(ctx, request):
    return [row.asDict() for row in ctx.store.read(ctx.ref(ERASURE_LOG)).where(f"request = '{request}'").collect()]


class TestErasure:
    def test_access_shows_every_row_and_its_file_is_private(self, ctx, tmp_path):
        out = tmp_path / "held.json"
        count = write_file(ctx, named_people(ctx, (PLANTED,), None), out)
        document = json.loads(out.read_text())
        assert oct(out.stat().st_mode & 0o777) == "0o600"
        assert {name for name, rows in document["held"].items() if rows} == holding(ctx, PLANTED)
        assert count == sum(map(len, document["held"].values())) and KEPT not in out.read_text()
        assert sorted(row["cents"] for row in document["held"]["raw.bank_payments"]) == [-4, 101, 201]
        assert document["told"]["purpose"] == "scoring" and document["told"]["categories"]["profiles"] == ["customer", "town"]

    def test_the_person_is_everywhere_before_and_nowhere_after(self, ctx):
        before = holding(ctx, PLANTED)
        assert before >= {f"raw.bank_{name}" for name in ("payments", "profiles")} | {
            "restricted.bank_consent", "restricted.quarantine", "clean.bank_rows", "restricted.bank_scores",
            "restricted.bank_covered", "restricted.bank_payments_incoming",
        }  # fmt: skip
        assert len(files_naming(ctx.store.lake.root, PLANTED)) > len(before)
        others = ctx.store.read(CLEAN.of(ctx.policy)).where(f"customer != '{PLANTED}'").count()
        (done,) = erase(ctx, PLANTED)
        assert holding(ctx, PLANTED) == set() and files_naming(ctx.store.lake.root, PLANTED) == []
        assert (done.people, done.already, done.tables) == (1, 0, len(before))
        assert ctx.store.read(CLEAN.of(ctx.policy)).count() == others
        assert holding(ctx, KEPT) == before
        assert not any(ctx.store.exists(ref) for ref in remade(ctx.policy))
        states = log(ctx, done.request)
        assert {row["state"] for row in states} == set(erasing.STATES)
        proven = [row for row in states if row["state"] == "proven" and row["table"]]
        assert {row["table"] for row in proven} >= before
        assert all(row["rows"] == 0 for row in proven) and sum(row["files"] for row in proven) == done.files > 0
        held = {row["table"]: row["rows"] for row in states if row["state"] == "requested" and row["rows"]}
        assert set(held) == before and held["restricted.quarantine"] == 3 and sum(held.values()) == done.rows
        assert PLANTED not in str(states)

    def test_a_second_request_does_nothing_and_says_so(self, ctx):
        versions = [ctx.store.version(place.ref) for place in there(ctx)]
        (again,) = erase(ctx, PLANTED)
        assert (again.request, again.people, again.already) == ("", 1, 1)
        assert erasing.told_erasure(again) == ["people erased before, about whom nothing was done: 1"]
        assert [ctx.store.version(place.ref) for place in there(ctx)] == versions

    @pytest.mark.long
    def test_an_old_file_does_not_bring_the_person_back(self, ctx):
        collect(ctx)
        clean(ctx)
        assert holding(ctx, KEPT) >= {"raw.bank_payments", "raw.bank_profiles", "restricted.bank_consent", "clean.bank_rows"}
        assert holding(ctx, PLANTED) == set() and files_naming(ctx.store.lake.root, PLANTED) == []

    @pytest.mark.long
    def test_a_file_that_still_holds_one_of_a_batch_is_found_and_nothing_is_proven(self, ctx, tmp_path):
        (tmp_path / "people.csv").write_text(f"name,customer\nx,{SECOND}\ny,{PLANTED}\nz,\n")
        (file, *_) = data_files(ctx.store, RAW.of(ctx.policy, "payments"))
        stray = Path(file.removeprefix("file://")).with_name("stray.parquet")

        def purge_and_copy(store, ref):
            purge(store, ref)
            if ref == RAW.of(ctx.policy, "payments"):
                stray.write_bytes(kept)

        kept = Path(file.removeprefix("file://")).read_bytes()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(erasing, "purge", purge_and_copy)
            with pytest.raises(GuaranteeError, match=r"files of raw\.bank_payments still hold people of request"):
                erasing.erase(ctx, named_people(ctx, (), str(tmp_path / "people.csv")))
        stray.unlink()
        (done,) = erasing.finish(ctx)
        # Of the two one was erased before, which a request does not touch again.
        assert done.people == 1 and files_naming(ctx.store.lake.root, SECOND) == [] and erasing.finish(ctx) == []

    def test_an_id_that_stands_in_the_logs_statistics_is_found(self, ctx):
        place = next(place for place in places(ctx.policy) if place.table is SCORES)
        elsewhere = replace(place, ref=TableRef("restricted", "bank_counted"))
        ctx.store.replace(elsewhere.ref, ctx.store.read(place.ref))
        ctx.store.set_properties(elsewhere.ref, {"delta.checkpointInterval": "1"})
        highest = ctx.store.read(place.ref).selectExpr("max(person) AS person")
        assert remaining(ctx.store, place, highest)[1] > 0
        ctx.spark.sql(f"DELETE FROM {ctx.store.lake.identifier(elsewhere.ref)}")
        purge(ctx.store, elsewhere.ref)
        assert held(ctx.store, elsewhere, highest).count() == 0 and remaining(ctx.store, elsewhere, highest)[1] > 0
        commits = [
            path for path in (ctx.store.lake.folder(elsewhere.ref) / "_delta_log").glob("*.json") if "stats" in path.read_text()
        ]
        for commit in commits:
            # As Delta does once a commit is older than its log is kept; a checkpoint may still hold what it said.
            commit.unlink()
        assert commits and remaining(ctx.store, elsewhere, highest)[1] > 0
        ctx.store.destroy(elsewhere.ref)

    def test_tables_that_the_policy_does_not_know_are_named(self, ctx):
        assert tables_of_others(ctx.store, ctx.policy) == []
        left = TableRef("raw", "bank_cards")
        ctx.store.replace(left, ctx.spark.createDataFrame([(KEPT,)], "customer string"))
        assert tables_of_others(ctx.store, ctx.policy) == [left]
        ctx.store.destroy(left)

    def test_what_cannot_be_an_id_or_a_file_of_them_is_refused(self, ctx, tmp_path):
        (tmp_path / "people.csv").write_text("name\nx\n")
        with pytest.raises(SettingsError, match="has no column customer, which names people"):
            named_people(ctx, (), str(tmp_path / "people.csv"))
        with pytest.raises(SettingsError, match=r"allowed: a \.csv with a header or a \.parquet"):
            named_people(ctx, (), "people.txt")
        (tmp_path / "none.csv").write_text("customer\n")
        with pytest.raises(SettingsError, match="names nobody"):
            named_people(ctx, (), str(tmp_path / "none.csv"))


@pytest.mark.long
def test_cut_short_beside_its_first_commit_it_is_finished_by_the_next_call(ctx):
    victim = "other-000030"

    def stops(*_):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(erasing, "with_keyed_hash", stops)
        patch.setattr(erasing, "_asked_and_erased", lambda ctx, people: erasing._erased(ctx, "first", people, 1))
        with pytest.raises(KeyboardInterrupt):
            erase(ctx, victim)
    assert holding(ctx, victim) and ctx.store.has_rows(ERASING.of(ctx.policy), request="first")
    (done,) = erasing.finish(ctx)
    assert done.people == 1 and files_naming(ctx.store.lake.root, victim) == []
    assert ctx.store.has_rows(ERASED.of(ctx.policy), request="first")


@pytest.mark.long
def test_cut_short_while_rows_are_deleted_it_is_finished_by_the_next_call(ctx):
    victim, calls = "other-000010", []

    def stops_at_the_second(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return delete_people(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(erasing, "delete_people", stops_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            erase(ctx, victim)
    (done,) = erasing.finish(ctx)
    assert (done.people, done.rows > 0) == (1, True)
    assert holding(ctx, victim) == set() and files_naming(ctx.store.lake.root, victim) == []
    assert not ctx.store.exists(ERASING.of(ctx.policy))


KILLED = """
import os, signal, sys
from kveil.cli import main
from kveil.rights import erase as erasing

purge, calls = erasing.purge, []

def killed_at_the_second(store, ref):
    calls.append(ref)
    if len(calls) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    purge(store, ref)

erasing.purge = killed_at_the_second
main(sys.argv[1:])
"""


@pytest.mark.long
def test_killed_while_files_are_purged_it_is_finished_by_the_next_run(ctx, tmp_path, capsys):
    victim, file = "other-000020", tmp_path / "policy.yml"
    file.write_text(yaml.safe_dump(ctx.policy.model_dump(mode="json")))
    asked = ["erase", str(file), "--lake", ctx.store.lake.root, "--customer", victim]
    killed = subprocess.run([sys.executable, "-c", KILLED, *asked], check=False, capture_output=True, text=True, timeout=300)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert victim not in killed.stdout + killed.stderr and files_naming(ctx.store.lake.root, victim) != []
    capsys.readouterr()
    main(["collect", str(file), "--lake", ctx.store.lake.root])
    assert "people erased: 1; " in capsys.readouterr().out
    assert holding(ctx, victim) == set() and files_naming(ctx.store.lake.root, victim) == [] and erasing.finish(ctx) == []

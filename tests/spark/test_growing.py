"""Sources that grow: every row lands exactly once, whatever is delivered again, changed, late, or killed in between."""

import os
from dataclasses import replace
from datetime import datetime, timezone

import pandas as pd
import pyarrow.parquet as pq
import pytest
from kveil.collect.contract import REASON, RULE
from kveil.collect.incoming import Incoming
from kveil.collect.stage import inputs, run
from kveil.collect.watermarks import future_set_aside, window
from kveil.errors import ContractError
from kveil.tables.schema import COLLECTED, COVERED, INCOMING, PROVENANCE, QUARANTINE, RAW
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

COLUMNS = {
    "id": {"type": "bigint", "required": True},
    "person": {"type": "bigint", "required": True},
    "at": {"type": "timestamp", "required": True},
    "amount": {"type": "int", "min": 0},
}
REGISTRY = {"person": "bigint", "purpose": "string", "decision": "string", "decided_at": "timestamp"}


class Bank:
    """A policy with a source `base` that grows and a registry, and what its lake holds."""

    def __init__(self, folder, policy_of, context, by, format_="csv", **source):
        self.folder, self.runs = folder, 0
        (folder / "in").mkdir()
        self.consents({1: "grant", 2: "grant", 3: "refuse"})
        base = {"uri": str(folder / "in"), "format": format_, "columns": COLUMNS, "incremental": by, "quarantine_limit": 1}
        registry = {"uri": str(folder / "registry.parquet"), "columns": REGISTRY}
        # What nothing uses is not collected.
        policy = policy_of(
            {"base": {**base, **source}, "registry": registry}, {"derive": {"seen": "id + amount"}}, {"registry": "registry"}
        )
        self.context = context(policy)

    def consents(self, decisions):
        rows = [(person, "scoring", decision, datetime(2019, 1, 1)) for person, decision in decisions.items()]
        frame = pd.DataFrame(rows, columns=list(REGISTRY))
        frame.to_parquet(self.folder / "registry.parquet", coerce_timestamps="us")

    def deliver(self, name, *rows):
        """Rows are (id, person, amount[, day])."""
        lines = [f"{row[0]},{row[1]},2019-05-{row[3] if len(row) > 3 else 4:02} 12:00:00,{row[2]}" for row in rows]
        (self.folder / "in" / name).write_text("\n".join(["id,person,at,amount", *lines]) + "\n")

    def collect(self):
        self.runs += 1
        self.context = replace(self.context, run_id=f"r{self.runs}", build=f"b{self.runs}")
        return run(self.context)

    def rows(self, table, source="base"):
        ref = table.of(self.context.policy, source)
        return [row.asDict() for row in self.context.store.read(ref).collect()] if self.context.store.exists(ref) else []

    @property
    def raw(self):
        return sorted((row["id"], row["person"]) for row in self.rows(RAW))

    @property
    def aside(self):
        return sorted((row["reason"], row["person"]) for row in self.rows(QUARANTINE))

    @property
    def done(self):
        return [row for row in self.rows(COLLECTED) if row["state"] == "done"]

    def version(self):
        return self.context.store.version(RAW.of(self.context.policy, "base"))

    def sums(self):
        """Rows in, and the rows in raw, aside, doubled and not consented, over all batches of the last provenance."""
        build = [row for row in self.rows(PROVENANCE) if (row["build"], row["source"]) == (self.context.build, "base")]
        batches = {row["batch"]: row for row in build}.values()
        names = ("rows_in", "rows_out", "rows_quarantined", "rows_duplicate", "rows_not_consented")
        return [sum(row[name] for row in batches) for name in names]


@pytest.fixture
def bank(tmp_path, policy_of, context):
    def make(by, **source):
        return Bank(tmp_path, policy_of, context, {"by": by} if isinstance(by, str) else by, **source)

    return make


def test_files_are_taken_once_and_consent_moves_rows_in_and_out(bank):
    bank = bank("file")
    bank.deliver("a.csv", (1, 1, 10), (2, 2, -5), (3, 3, 30), (4, 2, 40))
    bank.deliver("b.csv", (1, 1, 10), (2, 2, -5), (3, 3, 30), (4, 2, 40))
    bank.collect()
    assert bank.raw == [(1, 1), (4, 2)] and bank.aside == [("amount: below min (0)", "2")]
    (aside,) = bank.rows(QUARANTINE)
    assert (aside["rule"], aside["file"]) == ("amount.min", str(bank.folder / "in/a.csv"))
    assert bank.sums() == [4, 2, 1, 0, 1]

    before, same = bank.version(), inputs(bank.context)
    bank.collect()
    assert (bank.version(), inputs(bank.context)) == (before, same)
    bank.deliver("c.csv", (5, 1, 50), (6, 3, 60))
    bank.deliver("c again.csv", (5, 1, 50), (6, 3, 60))
    bank.collect()
    assert bank.raw == [(1, 1), (4, 2), (5, 1)]
    assert bank.sums() == [6, 3, 1, 0, 2]

    bank.consents({1: "withdraw", 2: "withdraw", 3: "grant"})
    bank.collect()
    assert bank.raw == [(3, 3), (6, 3)] and bank.aside == []
    assert bank.sums() == [6, 5, 1, 0, 0]
    folder = bank.context.store.lake.folder(RAW.of(bank.context.policy, "base"))
    assert {person for file in folder.glob("*.parquet") for person in pq.read_table(file)["person"].to_pylist()} == {3}
    withdrawn = {row["rows_withdrawn"] for row in bank.rows(PROVENANCE) if row["build"] == "b4" and row["source"] == "base"}
    assert withdrawn == {3}
    assert {row["person"] for row in bank.rows(COVERED)} == {"3"}


@pytest.mark.long
def test_a_changed_file_is_refused_and_an_emptied_folder_is_not(bank):
    bank = bank("file")
    bank.deliver("a.csv", (1, 1, 10))
    bank.collect()
    bank.deliver("a.csv", (1, 1, 10), (2, 1, 20))
    with pytest.raises(ContractError, match="was collected before with other content"):
        bank.collect()
    (bank.folder / "in/a.csv").unlink()
    bank.collect()
    assert bank.raw == [(1, 1)] and bank.sums() == [1, 1, 0, 0, 0]


@pytest.mark.long
def test_a_delivery_over_its_limit_lands_nothing_but_withdrawals_leave(bank):
    bank = bank("file", quarantine_limit=0.4)
    bank.deliver("a.csv", (1, 1, 10), (2, 2, 20))
    bank.collect()
    bank.deliver("b.csv", (3, 1, -1), (4, 1, 40))
    bank.consents({1: "grant", 2: "withdraw"})
    with pytest.raises(ContractError, match=r"1 of 2 rows \(50.00%\) break .* \(amount.min 1\)"):
        bank.collect()
    assert bank.raw == [(1, 1)] and bank.aside == [] and len(bank.done) == 1
    assert not bank.rows(INCOMING)


@pytest.mark.long
def test_a_delivery_over_its_limit_of_a_source_read_whole_leaves_nobody_who_refuses(bank):
    bank = bank(None, quarantine_limit=0.4)
    bank.deliver("a.csv", (1, 1, 10), (2, 2, 20), (3, 1, -1))
    bank.collect()
    assert bank.raw == [(1, 1), (2, 2)] and len(bank.aside) == 1
    bank.deliver("a.csv", (1, 1, -1), (2, 2, 20))
    bank.consents({1: "withdraw", 2: "grant"})
    with pytest.raises(ContractError, match="over quarantine_limit"):
        bank.collect()
    assert bank.raw == [(2, 2)] and bank.aside == []


def test_a_time_far_ahead_is_set_aside_and_holds_nothing_back(spark, policy_of):
    asked = {"base": {"uri": "in", "columns": COLUMNS, "key": ["id"], "incremental": {"by": "watermark", "column": "at"}}}
    source = policy_of(asked).sources["base"]
    ahead = [(1, "2024-01-01 10:00:00", None), (2, "9999-12-31 00:00:00", None), (3, "2024-01-03 09:00:00", None)]
    broken = [(4, "2024-01-05 00:00:00", "amount.min"), (5, None, "at.required")]
    rows = spark.createDataFrame(ahead + broken, f"id int, at string, {RULE} string")
    rows = rows.withColumns({"at": F.col("at").cast("timestamp"), REASON: F.col(RULE)})
    now = datetime(2024, 1, 2, 12, tzinfo=timezone.utc)
    one = future_set_aside(Incoming("base", source, (), rows, []), source.incremental, now)
    found = window(one, source.incremental, [])
    assert found.unit["high"] == "2024-01-03 09:00:00"
    told = {row["id"]: row[RULE] for row in one.rows.where(found.rows).collect()}
    assert told == {1: None, 2: "at.future", 3: None, 5: "at.required"}


KEYED = {"key": ["id"]}


@pytest.mark.long
def test_a_watermark_takes_late_rows_once_and_counts_those_that_are_too_late(bank):
    bank = bank({"by": "watermark", "column": "at", "lateness": "2d"}, **KEYED)
    bank.deliver("a.csv", (1, 1, 10, 1), (2, 1, 20, 5), (3, 3, 30, 5), (4, 1, -4, 5))
    bank.collect()
    assert bank.raw == [(1, 1), (2, 1)] and len(bank.aside) == 1
    assert [(row["high"], row["cut"]) for row in bank.done] == [("2019-05-05 12:00:00", "2019-05-03 12:00:00")]

    late, too_late, contradiction = (5, 2, 50, 4), (6, 2, 60, 2), (2, 1, 99, 5)
    bank.deliver("b.csv", late, too_late, contradiction, (7, 2, 70, 6), (7, 2, 70, 6))
    bank.collect()
    assert bank.raw == [(1, 1), (2, 1), (5, 2), (7, 2)]
    assert bank.aside == [("amount: below min (0)", "1"), ("key id: collected before with other values", "1")]
    said = [row for row in bank.rows(PROVENANCE) if row["build"] == "b2" and row["source"] == "base"]
    assert {row["rows_late"] for row in said} == {1}
    # Four rows, then seven above the cut, of which three are read again: one is in raw, one aside, one not consented.
    assert bank.sums() == [11, 4, 2, 3, 2]

    before = bank.version()
    bank.collect()
    assert bank.version() == before and len(bank.aside) == 2


@pytest.mark.long
def test_a_delta_source_grows_by_its_versions_until_a_row_is_changed(bank, spark):
    bank = bank("version", format_="delta")
    table = f"delta.`{bank.folder}/in`"
    made = "CAST({} AS BIGINT) id, CAST({} AS BIGINT) person, TIMESTAMP'2019-05-04' at, CAST(1 AS INT) amount"
    add = lambda *row: spark.sql(f"INSERT INTO {table} SELECT {made.format(*row)}")  # noqa: E731
    spark.sql(f"CREATE TABLE {table} USING delta AS SELECT {made.format(1, 1)}")
    bank.collect()
    add(2, 2)
    add(3, 3)
    bank.collect()
    assert bank.raw == [(1, 1), (2, 2)] and bank.sums() == [3, 2, 0, 0, 1]
    spark.sql(f"OPTIMIZE {table}")
    spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES (delta.enableChangeDataFeed = true)")
    add(4, 1)
    bank.consents({1: "grant", 2: "grant", 3: "grant"})
    bank.collect()
    assert bank.raw == [(1, 1), (2, 2), (3, 3), (4, 1)]
    add(5, 1)
    bank.collect()
    assert bank.raw[-1] == (5, 1)
    spark.sql(f"DELETE FROM {table} WHERE id = 1")
    with pytest.raises(ContractError, match="were changed or removed"):
        bank.collect()
    assert len(bank.raw) == 5


@pytest.mark.long
@pytest.mark.parametrize("feed", ["true", "false"])
def test_versions_of_which_files_are_gone_are_one_sentence(bank, spark, feed):
    bank = bank("version", format_="delta")
    table = f"delta.`{bank.folder}/in`"
    made = "CAST(1 AS BIGINT) id, CAST(1 AS BIGINT) person, TIMESTAMP'2019-05-04' at, CAST(1 AS INT) amount"
    spark.sql(f"CREATE TABLE {table} USING delta TBLPROPERTIES (delta.enableChangeDataFeed = {feed}) AS SELECT {made}")
    bank.collect()
    spark.sql(f"INSERT INTO {table} SELECT {made}")
    spark.sql(f"OPTIMIZE {table}")
    spark.sql(f"VACUUM {table} RETAIN 0 HOURS")
    with pytest.raises(ContractError, match=r"^sources\.base: .* vacuumed; collect it whole, without incremental$"):
        bank.collect()


@pytest.mark.long
def test_a_stream_brings_each_file_once_even_without_its_checkpoint(bank, tmp_path):
    bank = bank("stream", uri=f"file://{tmp_path}/in")
    bank.deliver("a.csv", (1, 1, 10), (2, 2, -5), (3, 3, 30))
    result = bank.collect()
    assert bank.raw == [(1, 1)] and len(bank.aside) == 1
    assert (result.rows_in, result.rows_out) == (3 + 3, 1 + 2)
    assert result.balance == "6 read = 3 kept + 1 set aside + 0 duplicates + 2 not to be used"
    bank.deliver("b.csv", (4, 2, 40))
    # A copy may have the date of what it was made of.
    os.utime(bank.folder / "in/b.csv", (0, 0))
    bank.collect()
    bank.collect()
    assert bank.raw == [(1, 1), (4, 2)] and bank.sums() == [4, 2, 1, 0, 1]
    checkpoint = bank.folder / "lake/control/_checkpoints/bank_base"
    checkpoint.rename(bank.folder / "lost")
    bank.deliver("c.csv", (5, 1, 50))
    bank.collect()
    assert bank.raw == [(1, 1), (4, 2), (5, 1)]


class Killed(Exception):
    """Stands for the end of the process beside the raw table's commit; tests/e2e has real ones."""


@pytest.mark.parametrize(
    ("by", "at"),
    [
        ("file", "after"),
        pytest.param("stream", "before", marks=pytest.mark.long),
        pytest.param("file", "before", marks=pytest.mark.long),
        pytest.param("stream", "after", marks=pytest.mark.long),
    ],
)
def test_a_batch_that_is_cut_off_beside_its_commit_lands_once(bank, monkeypatch, by, at):
    bank = bank(by)
    bank.deliver("a.csv", (1, 1, 10), (2, 2, -5), (3, 3, 30))
    store = type(bank.context.store)
    commit = store.append_once

    def cut_off(*arguments):
        if at == "after":
            commit(*arguments)
        raise Killed

    monkeypatch.setattr(store, "append_once", cut_off)
    with pytest.raises((Killed, PySparkException)):
        bank.collect()
    assert [row["state"] for row in bank.rows(COLLECTED)] == ["planned"]
    monkeypatch.setattr(store, "append_once", commit)
    bank.collect()
    assert bank.raw == [(1, 1)] and bank.aside == [("amount: below min (0)", "2")] and bank.sums() == [3, 1, 1, 0, 1]
    assert {row["person"] for row in bank.rows(COVERED)} == {"1", "2"} and len(bank.rows(COVERED)) == 2

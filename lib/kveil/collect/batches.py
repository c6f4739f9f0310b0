"""A batch's way into the raw zone: staged with every row's fate, then added in one commit, exactly once."""

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.collect.collected import Batch, mark_done, memory, plan, series, settle
from kveil.collect.contract import REASON, ROW, RULE
from kveil.collect.found import FILE, POSITION
from kveil.collect.incoming import Incoming, readable
from kveil.collect.keys import DUPLICATE
from kveil.collect.minimised import minimised
from kveil.collect.provenance import Fate, check_sum, kept, quarantined
from kveil.collect.quarantine import as_quarantine, store_quarantine
from kveil.context import Context
from kveil.errors import KveilError
from kveil.tables.schema import COVERED, INCOMING, QUARANTINE, RAW
from kveil.tables.store import NO_STATISTICS

REPLAY = "replay"
"""The way of a batch whose rows come out of quarantine."""
FATE, BROKEN = "_kveil_fate", "_kveil_broken"
AGAIN = "_kveil_again"
"""Whether the row was read before, when its person had not consented."""


@dataclass(frozen=True)
class Staged:
    """A batch that was read, judged and written to restricted staging, and how many of its rows went where.

    `again` of the rows were counted as not consented, or as set aside by a replay, in an earlier batch.
    """

    one: Incoming
    batch: Batch
    fate: Fate
    again: int

    @property
    def counts(self) -> dict[str, int]:
        """What the batch adds to the source's counts, so that those of all batches add up to its rows, each counted once."""
        before = "rows_quarantined" if self.batch.way == REPLAY else "rows_not_consented"
        counts = self.fate.counts
        return {**counts, "rows_in": counts["rows_in"] - self.again, before: counts[before] - self.again}


def staged(ctx: Context, one: Incoming, rows: DataFrame, batch: Batch) -> Staged:
    """Reads the candidates once and keeps each row's fate; of rows that are not to be kept nothing else.

    So the source is asked once, and what is counted, set aside and added is the same, whatever the source does meanwhile.
    """
    ref = INCOMING.of(ctx.policy, one.name)
    aside, stays = quarantined(rows, ctx.policy.person), kept()
    fate = F.when(aside, "quarantined").when(stays, "kept").when(F.col(DUPLICATE), "duplicate").otherwise("not_consented")
    held = aside | stays
    content = [F.when(held, F.col(name)).alias(name) for name in one.source.columns]
    notes = [F.when(aside, F.col(name)).alias(name) for name in (FILE, POSITION, ROW)]
    broken = (F.col(REASON).isNotNull() & ~F.col(DUPLICATE)).alias(BROKEN)
    # The rules of every broken row stay, whoever it is of: they are counted where too many are broken.
    table = rows.select(fate.alias(FATE), broken, F.col(AGAIN), F.col(REASON), F.col(RULE), *notes, *content)
    with readable(one.name, one.source):
        ctx.store.replace(ref, table, properties=NO_STATISTICS)
    return Staged(one, batch, *_fate(ctx.store.read(ref)))


def staged_rows(ctx: Context, name: str) -> DataFrame:
    """The staged rows, with what tells of each whether it broke the contract."""
    return ctx.store.read(INCOMING.of(ctx.policy, name))


def land(ctx: Context, what: Staged, people: DataFrame | None) -> int:
    """Adds a staged batch to raw, quarantine and memory; `people` (a column person) are those whose rows are now taken.

    Returns the rows added to the raw table. After a kill `finish` completes what is in the raw table and takes back the rest.
    """
    batch, name = what.batch, what.one.name
    plan(ctx, batch, what.counts)
    if batch.way != REPLAY:
        _set_aside(ctx, what)
    if people is not None:
        rows = people.select(F.lit(name).alias("source"), "person", F.lit(batch.attempt).alias("attempt"))
        ctx.store.replace_where(ctx.ref(COVERED), rows, attempt=batch.attempt)
    kept_rows = minimised(ctx.store, staged_rows(ctx, name).where(F.col(FATE) == "kept"), ctx.policy, name)
    if what.fate.kept:
        _add(ctx, what, kept_rows)
    else:
        ctx.store.make(RAW.of(ctx.policy, name), kept_rows)
        _cut_quarantine(ctx, batch)
        mark_done(ctx, batch.attempt)
    return what.fate.kept


def _add(ctx: Context, what: Staged, rows: DataFrame) -> None:
    """Adds the rows in the one commit that decides about the batch."""
    batch, name = what.batch, what.one.name
    note, written = ctx.store.append_once(RAW.of(ctx.policy, name), rows, series(ctx, name), batch.number, batch.attempt)
    finish(ctx, name)
    if note != batch.attempt:
        raise KveilError(f"sources.{name}: another process collected batch {batch.number} at the same time; run collect again")
    check_sum(name, what.fate, written)


def _cut_quarantine(ctx: Context, batch: Batch) -> None:
    """Leaves those rows in quarantine alone that a replay found to break the contract still."""
    if batch.way == REPLAY:
        store_quarantine(ctx, {batch.source: aside_rows(ctx, batch.source, batch.attempt)})


def finish(ctx: Context, name: str) -> None:
    """Settles what is in the raw table; the rows that a replay brought there leave the quarantine first.

    So a killed run is finished by the next one. Doing it twice is doing it once.
    """
    for attempt in {row["attempt"] for row in memory(ctx, name, "planned") if row["way"] == REPLAY}:
        number = int(attempt.rpartition("/")[2])
        there = ctx.store.added(RAW.of(ctx.policy, name), series(ctx, name), number)
        if there is not None and there[0] == attempt and ctx.store.exists(INCOMING.of(ctx.policy, name)):
            store_quarantine(ctx, {name: aside_rows(ctx, name, attempt)})
    settle(ctx, name)


def leave_staging(ctx: Context, name: str) -> None:
    """Destroys what staging holds of a source."""
    if ctx.store.exists(INCOMING.of(ctx.policy, name)):
        ctx.store.destroy(INCOMING.of(ctx.policy, name))


def aside_rows(ctx: Context, name: str, attempt: str) -> DataFrame:
    """The staged rows that are to be set aside, as rows of the table quarantine."""
    return as_quarantine(ctx, name, staged_rows(ctx, name).where(F.col(FATE) == "quarantined"), attempt)


def _set_aside(ctx: Context, what: Staged) -> None:
    ref = ctx.ref(QUARANTINE)
    if what.fate.quarantined or not ctx.store.exists(ref):
        ctx.store.replace_where(
            ref, aside_rows(ctx, what.one.name, what.batch.attempt), policy=ctx.policy.name, attempt=what.batch.attempt
        )


def _fate(rows: DataFrame) -> tuple[Fate, int]:
    names = ("quarantined", "duplicate", "not_consented", "kept")
    counts = rows.agg(
        F.count("*").alias("read"),
        F.count_if(BROKEN).alias("broken"),
        *[F.count_if(F.col(FATE) == name).alias(name) for name in names],
        F.count_if(AGAIN).alias("again"),
    ).first()
    assert counts is not None, "an aggregation without groups has one row"
    return Fate(counts["read"], counts["broken"], *(counts[name] for name in names)), counts["again"]

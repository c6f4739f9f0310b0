"""What was collected of a source that grows: batches are planned, land in the raw table, and are then done.

The raw table's commit decides. Everything that is written before it carries the batch's attempt and is taken back when the
commit is not there; what comes after it can be done again at any time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Row

from kveil.context import Context
from kveil.tables.schema import COLLECTED, COVERED, QUARANTINE, RAW


@dataclass(frozen=True)
class Batch:
    """One batch of one source: its number, the attempt at it, what tells its rows, and what of the source it covers."""

    source: str
    number: int
    attempt: str
    way: str
    units: Sequence[Mapping[str, Any]]


def series(ctx: Context, name: str) -> str:
    """The name under which Delta counts the batches of a source."""
    return f"kveil-{ctx.policy.name}-{name}"


def memory(ctx: Context, name: str, *states: str) -> list[Row]:
    """What is remembered of a source in the given states, oldest first: a row per file, or one per batch."""
    ref = ctx.ref(COLLECTED)
    if not ctx.store.exists(ref):
        return []
    mine = ctx.store.read(ref).where(f"policy = '{ctx.policy.name}' AND source = '{name}'")
    # A row per file ever read: as many as `locate` lists, never as many as rows.
    return [row for row in mine.orderBy("batch", "path").collect() if row["state"] in states]


def next_batch(ctx: Context, name: str, way: str, units: Sequence[Mapping[str, Any]]) -> Batch:
    """The batch after the last one in the raw table."""
    number = 1 + max((row["batch"] for row in memory(ctx, name, "done", "replaced")), default=0)
    return Batch(name, number, f"{ctx.run_id}/{number}", way, units)


def plan(ctx: Context, batch: Batch, counts: Mapping[str, int]) -> None:
    """Notes what the batch covers and what becomes of its rows, before anything of it is written."""
    common = {"source": batch.source, "batch": batch.number, "attempt": batch.attempt, "state": "planned", "way": batch.way}
    rows = [{**common, **counts, **unit} for unit in batch.units or [{}]]
    ctx.store.replace_where(ctx.ref(COLLECTED), ctx.rows(COLLECTED, rows), policy=ctx.policy.name, attempt=batch.attempt)


def settle(ctx: Context, name: str) -> list[Row]:
    """Makes the attempts that are in the raw table done and drops the others; returns the rows of those that it made done."""
    open_rows = memory(ctx, name, "planned", "dropped")
    settled = []
    for number in sorted({row["batch"] for row in open_rows}):
        there = ctx.store.added(RAW.of(ctx.policy, name), series(ctx, name), number)
        rows = [row for row in open_rows if row["batch"] == number]
        for attempt in sorted({row["attempt"] for row in rows}):
            won = there is not None and there[0] == attempt
            if won:
                settled += [row for row in rows if row["attempt"] == attempt]
                _mark(ctx, attempt, "done")
            elif any(row["state"] == "planned" for row in rows if row["attempt"] == attempt):
                _take_back(ctx, attempt)
    return settled


def replaced(ctx: Context, name: str) -> None:
    """Forgets the batches of a source that is now read whole: their rows are no longer what the raw table is made of."""
    if memory(ctx, name, "done"):
        ctx.store.update(ctx.ref(COLLECTED), {"state": "replaced"}, policy=ctx.policy.name, source=name, state="done")
    if ctx.store.exists(ctx.ref(COVERED)):
        ctx.store.delete_where(ctx.ref(COVERED), source=name)


def mark_done(ctx: Context, attempt: str) -> None:
    """Makes a batch done that has no row for the raw table, and so no commit there."""
    _mark(ctx, attempt, "done")


def _mark(ctx: Context, attempt: str, state: str) -> None:
    ctx.store.update(ctx.ref(COLLECTED), {"state": state}, policy=ctx.policy.name, attempt=attempt)


def _take_back(ctx: Context, attempt: str) -> None:
    ctx.store.delete_where(ctx.ref(QUARANTINE), policy=ctx.policy.name, attempt=attempt)
    ctx.store.delete_where(ctx.ref(COVERED), attempt=attempt)
    _mark(ctx, attempt, "dropped")

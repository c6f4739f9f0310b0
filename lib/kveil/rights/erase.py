"""Erases people from every table that holds their rows, from the files beneath, and proves it (Art. 17 GDPR, § 1798.105 CCPA).

A request goes through the states requested, deleted, purged and proven, each written to the erasure log when it is reached, and
every step may be done twice. So a request that was cut short is finished by the next call, whoever that one is about.
"""

import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.context import Context
from kveil.errors import GuaranteeError
from kveil.rights.people import named_people
from kveil.scratch import scratch_home, sweep
from kveil.tables.declaration import TableRef
from kveil.tables.erasure import concerned, delete_people, purge, remaining
from kveil.tables.keys import keyed_hash, with_keyed_hash
from kveil.tables.people import ERASURE_KEY, HELD, Place, places, remade
from kveil.tables.schema import CLEAN, ERASED, ERASING, ERASURE_LOG, RELEASE

STATES = ("requested", "deleted", "purged", "proven")


@dataclass(frozen=True)
class Erasure:
    """What became of a request: people asked for, those who had been erased before, tables and rows that held the others."""

    request: str
    people: int
    already: int
    tables: int = 0
    rows: int = 0
    files: int | None = 0


def erase(ctx: Context, people: DataFrame) -> list[Erasure]:
    """Erases the people (column `person`, see named_people) and returns what became of them, after a request that was pending.

    Whoever was erased before is left out. GuaranteeError where a file still holds one of them: the request then stays purged.
    """
    with ctx.store.lake.alone(ctx.policy.name):
        return _after_pending(ctx, people)


def erase_named(ctx: Context, ids: Sequence[str], batch: str | None) -> list[Erasure]:
    """Erases the people who are named by id, or by a file or table of the lake; reads nothing while another is at work."""
    with ctx.store.lake.alone(ctx.policy.name):
        return _after_pending(ctx, named_people(ctx, ids, batch))


def _after_pending(ctx: Context, people: DataFrame) -> list[Erasure]:
    finished = [_finished(ctx, request) for request in _pending(ctx)]
    return [*finished, _asked_and_erased(ctx, people)]


def told_erasure(done: Erasure) -> list[str]:
    """What became of a request, in lines for a terminal."""
    before = f"people erased before, about whom nothing was done: {done.already:,}"
    if not done.request:
        return [before]
    read = "the tables were read again" if done.files is None else f"files that remain and were read: {done.files:,}"
    erased = f"people erased: {done.people - done.already:,}; rows: {done.rows:,}; tables that held them: {done.tables:,}"
    lines = [f"request {done.request}: {erased}; {read}; none holds them"]
    return [*lines, before] if done.already else lines


def finish(ctx: Context) -> list[Erasure]:
    """Finishes the request that was cut short, if there is one. One that another process is at ends with a sentence."""
    if not ctx.store.exists(ctx.ref(ERASING)):
        return []
    with ctx.store.lake.alone(ctx.policy.name):
        return [_finished(ctx, request) for request in _pending(ctx)]


def _asked_and_erased(ctx: Context, people: DataFrame) -> Erasure:
    hashed = with_keyed_hash(ctx.store, people.distinct(), ERASURE_KEY, F.col("person"), "person_hash")
    asked, proven = hashed.count(), _proven(ctx)
    new = hashed.join(proven, "person_hash", "left_anti") if proven is not None else hashed
    return Erasure("", asked, asked) if new.isEmpty() else _erased(ctx, secrets.token_hex(8), new, asked)


def _erased(ctx: Context, request: str, new: DataFrame, asked: int) -> Erasure:
    # With this commit the request is there, and whatever happens from here on, the next run finishes it.
    ctx.store.append(ctx.ref(ERASING), new.select("person", F.lit(request).alias("request")))
    done = _finished(ctx, request)
    return Erasure(request, asked, asked - done.people, done.tables, done.rows, done.files)


def _finished(ctx: Context, request: str) -> Erasure:
    """Takes a request from the state that it is in to proven.

    What is held is counted once, while it is held. The rest is done again whatever was reached: a proof that failed tells that
    something else was at work since.
    """
    erasing = ctx.ref(ERASING)
    people = ctx.store.read(erasing).where(F.col("request") == request)
    state = _state(ctx, request)
    if state is None:
        _remember(ctx, request, people)
        _note_held(ctx, request, people)
    if state != "proven":
        _delete(ctx, request, erasing)
        _purge(ctx, request)
        _prove(ctx, request, people)
    # Where the storage has no lock another request may have come in between; its ids are still needed.
    if all(_state(ctx, other) == "proven" for other in _pending(ctx)):
        ctx.store.destroy(erasing)
    return _told(ctx, request)


def _remember(ctx: Context, request: str, people: DataFrame) -> None:
    """Notes the hashes of the people, so that no collect brings them back; they stand for a request once that is proven."""
    ref = ctx.ref(ERASED)
    if not ctx.store.has_rows(ref, request=request):
        hashed = with_keyed_hash(ctx.store, people.select("person").distinct(), ERASURE_KEY, F.col("person"), "person_hash")
        noted = hashed.select("person_hash", F.lit(request).alias("request"), F.lit(ctx.now).alias("requested_at"))
        ctx.store.append(ref, noted)


def _note_held(ctx: Context, request: str, people: DataFrame) -> None:
    """Counts what is held before anything is deleted, so that the figures survive an interruption."""
    rows: list[dict[str, Any]] = []
    for place in _there(ctx):
        with ctx.step(f"rows in {place.ref}") as note:
            found = concerned(ctx.store, place, people).agg(F.count_distinct(HELD).alias("people"), F.count("*").alias("rows"))
            counts = found.first()
            assert counts is not None  # an aggregation without groups has one row
            rows.append({"table": str(place.ref), "version": ctx.store.version(place.ref), **counts.asDict()})
            note.rows(counts["rows"])
    _log(ctx, request, "requested", rows)


def _delete(ctx: Context, request: str, erasing: TableRef) -> None:
    for place in _there(ctx):
        with ctx.step(f"delete from {place.ref}") as note:
            note.rows(delete_people(ctx.store, place, erasing))
    with ctx.step("destroy what is made again"):
        for ref in [*remade(ctx.policy), *_released_with_them(ctx, request)]:
            ctx.store.destroy(ref)
        # What nobody foresaw is told here in full, with whatever values it met.
        shutil.rmtree(ctx.files / "restricted" / "errors", ignore_errors=True)
        # What processes that died wrote aside is rows as well.
        sweep(scratch_home(ctx.files))
    _log(ctx, request, "deleted", [])


def _released_with_them(ctx: Context, request: str) -> list[TableRef]:
    """The released table, where tokens tell a person's rows in it and the clean table, of which it was made, held some.

    The next run releases the others' rows. Tokens cannot be followed to a person here, which takes the key.
    """
    log = _requests(ctx)
    if log is None or not any(mask.linkable for mask in ctx.policy.anonymize.mask.values()):
        return []
    held_rows = log.where((F.col("request") == request) & (F.col("table") == str(ctx.ref(CLEAN))) & (F.col("rows") > 0))
    return [] if held_rows.isEmpty() else [ctx.ref(RELEASE)]


def _purge(ctx: Context, request: str) -> None:
    for place in _there(ctx):
        with ctx.step(f"purge {place.ref}"):
            purge(ctx.store, place.ref)
    _log(ctx, request, "purged", [])


def _prove(ctx: Context, request: str, people: DataFrame) -> None:
    rows: list[dict[str, Any]] = []
    for place in _there(ctx):
        with ctx.step(f"files of {place.ref}") as note:
            files, found = remaining(ctx.store, place, people)
            note.text = f"{found:,} rows in {'all' if files is None else f'{files:,}'} files"
            rows.append({"table": str(place.ref), "files": files, "rows": found})
    left = [row["table"] for row in rows if row["rows"]]
    if left:
        raise GuaranteeError(
            f"erase: files of {', '.join(left)} still hold people of request {request}, so it is not proven; see what else "
            "writes there, keeps old files or keeps statistics in the log, and run kveil erase again"
        )
    _log(ctx, request, "proven", rows)


def _there(ctx: Context) -> list[Place]:
    """The tables that there are, of those that may hold people."""
    return [place for place in places(ctx.policy) if ctx.store.exists(place.ref)]


def _log(ctx: Context, request: str, state: str, rows: list[dict[str, Any]]) -> None:
    """Writes a state in one commit: its rows by table and one about the whole."""
    known = ctx.store.read(ctx.ref(ERASING)).where(F.col("request") == request)
    count = known.select("person").distinct().count()
    one = known.select("person").first() if count == 1 else None
    subject = keyed_hash(ctx.store, ERASURE_KEY, one["person"]) if one else None
    common = {"request": request, "subject": subject, "state": state}
    every = [*({**common, **row} for row in rows), {**common, "people": count}]
    ctx.store.append(ctx.ref(ERASURE_LOG), ctx.rows(ERASURE_LOG, every))


def _requests(ctx: Context) -> DataFrame | None:
    ref = ctx.ref(ERASURE_LOG)
    return ctx.store.read(ref).where(F.col("policy") == ctx.policy.name) if ctx.store.exists(ref) else None


def _proven(ctx: Context) -> DataFrame | None:
    """The hashes of people whose erasure is proven."""
    log, ref = _requests(ctx), ctx.ref(ERASED)
    if log is None or not ctx.store.exists(ref):
        return None
    proven = log.where("state = 'proven'").select("request").distinct()
    return ctx.store.read(ref).join(proven, "request", "left_semi").select("person_hash").distinct()


def _pending(ctx: Context) -> list[str]:
    """The requests whose people are still known by id, at most one but for a race that the lock excludes."""
    ref = ctx.ref(ERASING)
    if not ctx.store.exists(ref):
        return []
    return [row["request"] for row in ctx.store.read(ref).select("request").distinct().collect()]


def _state(ctx: Context, request: str) -> str | None:
    log = _requests(ctx)
    if log is None:
        return None
    reached = {row["state"] for row in log.where(F.col("request") == request).select("state").distinct().collect()}
    return next((state for state in reversed(STATES) if state in reached), None)


def _told(ctx: Context, request: str) -> Erasure:
    """What the log says of a proven request: one row per table and state."""
    log = _requests(ctx)
    assert log is not None  # the request is proven, so it has rows
    rows = log.where(F.col("request") == request).collect()
    asked = [row for row in rows if row["state"] == "requested" and row["table"]]
    people = max(row["people"] for row in rows if row["table"] is None)
    files = [row["files"] for row in rows if row["state"] == "proven" and row["table"]]
    read = None if None in files else sum(files)
    return Erasure(request, people, 0, sum(1 for row in asked if row["rows"]), sum(row["rows"] for row in asked), read)

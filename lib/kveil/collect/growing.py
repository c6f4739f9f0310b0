"""Sources that grow: what is new is staged, landed exactly once, and kept in step with consent."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.collect.batches import AGAIN, BROKEN, Staged, finish, land, leave_staging, staged, staged_rows
from kveil.collect.collected import memory, next_batch
from kveil.collect.growth import Growth
from kveil.collect.incoming import Incoming, candidates, incoming
from kveil.collect.keys import without_known_aside
from kveil.collect.locations import locate
from kveil.collect.provenance import check_fate
from kveil.collect.quarantine import quarantine_of
from kveil.collect.row_counts import check_row_count
from kveil.collect.unchanged import check_unchanged
from kveil.context import Context
from kveil.errors import ContractError
from kveil.settings.regimes import asked_by
from kveil.tables.schema import COVERED, QUARANTINE, RAW, RAW_ROW


def grow(ctx: Context) -> list[str]:
    """The policy's sources that grow."""
    return [name for name, source in ctx.policy.sources.items() if source.incremental is not None]


def streamed(ctx: Context) -> list[str]:
    """Those of them whose new files a stream finds."""
    ways = {name: ctx.policy.sources[name].incremental for name in grow(ctx)}
    return [name for name, way in ways.items() if way is not None and way.by == "stream"]


def recover(ctx: Context, name: str) -> None:
    """Finishes or takes back what a killed run or replay left of a source."""
    finish(ctx, name)
    leave_staging(ctx, name)


def prepared(ctx: Context, name: str, found: Growth, decisions: DataFrame) -> Staged | None:
    """The source's next batch, staged and within its contract; None when there is nothing to add."""
    newly = newly_consenting(ctx, name, decisions)
    one = _together(ctx, found, newly)
    if one is None:
        return None
    way = str(one.source.incremental.by) if found.new and one.source.incremental else "again"
    what = judged_batch(ctx, one, decisions, way, found.units)
    if _changes_nothing(ctx, what):
        leave_staging(ctx, name)
        return None
    return what


def judged_batch(ctx: Context, one: Incoming, decisions: DataFrame, way: str, units: Sequence[Mapping[str, Any]]) -> Staged:
    """Rows (with AGAIN) staged with their fates; raises ContractError when too many break the contract."""
    check_same_columns(ctx, one)
    ref = RAW.of(ctx.policy, one.name)
    there = ctx.store.read(ref) if one.source.key and ctx.store.exists(ref) else None
    rows = candidates(ctx, one, decisions, there)
    if way in ("watermark", "again"):
        rows = without_known_aside(rows, quarantine_of(ctx, one.name))
    what = staged(ctx, one, rows, next_batch(ctx, one.name, way, units))
    try:
        check_unchanged(ctx.spark, one.name, one.source, one.files)
        if way != "again":
            check_row_count(ctx.spark, one.name, one.source, what.fate.read - what.again)
        check_fate(one.name, one.source, what.fate, False, staged_rows(ctx, one.name).where(BROKEN))
    except BaseException:
        leave_staging(ctx, one.name)
        raise
    return what


def landed(ctx: Context, what: Staged, decisions: DataFrame) -> int:
    """Adds a prepared batch; the people who consent are then covered. Returns the rows added."""
    written = land(ctx, what, newly_consenting(ctx, what.one.name, decisions))
    leave_staging(ctx, what.one.name)
    return written


def newly_consenting(ctx: Context, name: str, decisions: DataFrame) -> DataFrame | None:
    """People (a column person) who consent and whose rows of earlier batches were left out; None where a source has no people."""
    if ctx.policy.person not in ctx.policy.sources[name].columns:
        return None
    granting = _allowing(ctx, name, decisions)
    covered = _covered(ctx, name)
    return granting if covered is None else granting.join(covered, "person", "left_anti")


def withdraw(ctx: Context, name: str, decisions: DataFrame) -> int | None:
    """Deletes the rows of people who consent no longer, from raw and quarantine and their files; returns those of raw."""
    covered = _covered(ctx, name)
    if covered is None:
        return 0 if ctx.policy.person in ctx.policy.sources[name].columns else None
    granting = _allowing(ctx, name, decisions)
    gone = covered.join(granting, "person", "left_anti").distinct()
    if gone.isEmpty():
        return 0
    deleted = _deleted(ctx, name, gone)
    # Last, since it is what says who is to be deleted.
    ctx.store.delete_matching(ctx.ref(COVERED), gone, f"there.source = '{name}' AND there.person = gone.person")
    ctx.store.forget_history(ctx.ref(COVERED))
    return deleted


def withdraw_whole(ctx: Context, name: str, decisions: DataFrame) -> int:
    """The same for a source that is read whole, when its raw table cannot be replaced by what its files now give."""
    raw, person = RAW.of(ctx.policy, name), ctx.policy.person
    if person not in ctx.policy.sources[name].columns or not ctx.store.exists(raw):
        return 0
    there = ctx.store.read(raw).select(F.col(person).cast("string").alias("person"))
    aside = quarantine_of(ctx, name)
    known = there if aside is None else there.unionByName(aside.select("person"))
    gone = known.where(F.col("person").isNotNull()).distinct().join(_allowing(ctx, name, decisions), "person", "left_anti")
    return 0 if gone.isEmpty() else _deleted(ctx, name, gone)


def _deleted(ctx: Context, name: str, gone: DataFrame) -> int:
    """Deletes people's rows, those set aside first, since the raw ones may be what says who is to be deleted."""
    raw, aside, person = RAW.of(ctx.policy, name), ctx.ref(QUARANTINE), ctx.policy.person
    if ctx.store.exists(aside):
        mine = f"there.policy = '{ctx.policy.name}' AND there.stage = 'collect' AND there.source = '{name}'"
        ctx.store.delete_matching(aside, gone, f"{mine} AND there.person = gone.person")
        ctx.store.forget_history(aside)
    deleted = ctx.store.delete_matching(raw, gone, f"CAST(there.{person} AS STRING) = gone.person")
    ctx.store.forget_history(raw)
    return deleted


def known_rows(ctx: Context, name: str, found: Growth) -> DataFrame:
    """A source's rows, with their columns in the raw table: those that are there, the new ones and those left out before.

    For who asks about people whom a source names. A stream finds its rows later, so its files are read for this.
    """
    ref, used = RAW.of(ctx.policy, name), ctx.policy.used_columns(name)
    source = ctx.policy.sources[name]
    if source.incremental is not None and source.incremental.by == "stream":
        files = locate(ctx.spark, name, source, may_be_empty=True)
        parts = [incoming(ctx, name, files).rows.select(*used)] if files else []
    else:
        parts = [one.rows.select(*used) for one in (found.new, found.again) if one is not None]
    if ctx.store.exists(ref):
        parts.append(ctx.store.read(ref).select(*used))
    empty = ctx.spark.createDataFrame([], ", ".join(f"{column} {source.columns[column].type}" for column in used))
    return reduce(DataFrame.unionByName, parts, empty)


def check_same_columns(ctx: Context, one: Incoming) -> None:
    """Raises ContractError when the raw table was made with other columns than the policy now declares and uses."""
    ref = RAW.of(ctx.policy, one.name)
    if not memory(ctx, one.name, "done") or not ctx.store.exists(ref):
        return
    there = {name: type_ for name, type_ in ctx.store.read(ref).dtypes if name != RAW_ROW}
    declared = {name: one.source.columns[name].type for name in ctx.policy.used_columns(one.name)}
    if there != declared:
        other = sorted(name for name in {*there, *declared} if there.get(name) != declared.get(name))
        raise ContractError(
            f"sources.{one.name}.columns: {', '.join(other)} differ from the raw table's columns, and a source that grows keeps "
            "those of its first batch; declare and use them as they were, or collect into a source of another name"
        )


def _changes_nothing(ctx: Context, what: Staged) -> bool:
    """Whether a watermark's batch found only what its overlap with the last one holds."""
    if what.batch.way != "watermark" or what.fate.kept or what.fate.quarantined:
        return False
    done = [row for row in memory(ctx, what.one.name, "done") if row["way"] == "watermark"]
    return bool(done) and done[-1]["high"] == what.batch.units[0]["high"] and done[-1]["cut"] == what.batch.units[0]["cut"]


def _allowing(ctx: Context, name: str, people: DataFrame) -> DataFrame:
    """The people (a column person) who allow the basis on which a source is used."""
    return people.where(F.array_contains("allows", asked_by(ctx.policy.law.basis_of(name)))).select("person")


def _covered(ctx: Context, name: str) -> DataFrame | None:
    ref = ctx.ref(COVERED)
    if not ctx.store.exists(ref):
        return None
    return ctx.store.read(ref).where(F.col("source") == name).select("person")


def _together(ctx: Context, found: Growth, newly: DataFrame | None) -> Incoming | None:
    """The new rows and, of those left out before, the rows of people who consent now; None when there are neither."""
    new = [found.new.rows.withColumn(AGAIN, F.lit(False))] if found.new else []
    again = []
    if found.again is not None and newly is not None and not newly.isEmpty():
        consents = F.col(ctx.policy.person).cast("string") == F.col("_kveil_newly")
        whose = newly.select(F.col("person").alias("_kveil_newly"))
        again = [found.again.rows.join(whose, consents, "left_semi").withColumn(AGAIN, F.lit(True))]
    shown = found.new or found.again
    if shown is None or not new + again:
        return None
    files = [*(found.new.files if found.new else ()), *(found.again.files if again and found.again else ())]
    return replace(shown, rows=reduce(DataFrame.unionByName, new + again), files=tuple(dict.fromkeys(files)))

"""Stage 1: brings the sources' rows into the raw zone, of people who consented and as the contract declares them."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.collect import consent, lawful
from kveil.collect.contract import REASON, ROW, check_columns, ignored_columns, judged
from kveil.collect.landing import landed, landings_destroyed
from kveil.collect.locations import SourceFile, locate
from kveil.collect.minimised import minimised
from kveil.collect.provenance import Fate, check_fate, check_sum, counted, kept, provenance_rows, quarantined
from kveil.collect.readers import read, unreadable
from kveil.collect.row_counts import check_row_count
from kveil.collect.undo import undone_if_changed
from kveil.context import Context, StageResult
from kveil.session import SPARK_ERRORS
from kveil.settings.consent import DECISIONS, event_columns
from kveil.settings.sources import ColumnContract, Source
from kveil.tables.people import population_id, with_erased
from kveil.tables.schema import CONSENT, LAW_LOG, PROVENANCE, QUARANTINE, RAW
from kveil.tables.store import NO_STATISTICS

_ERASED = "_kveil_erased"


@dataclass(frozen=True)
class _Incoming:
    """A source that fits its contract's columns; its rows are judged when something asks for them."""

    name: str
    source: Source
    files: tuple[SourceFile, ...]
    rows: DataFrame
    ignored: list[str]


def inputs(ctx: Context) -> str:
    """A hash of what decides the result outside tables and this stage's sections: every file's size and SHA-256, used columns.

    Raises the ContractError that `run` would raise when files are missing.
    """
    files = {
        # Nothing tells from outside whether a database's rows changed, so they are read in every run.
        name: [[file.path, file.bytes, file.sha256 or ctx.run_id] for file in locate(ctx.spark, name, source)]
        for name, source in ctx.policy.sources.items()
    }
    # A column that the policy begins to use is to be collected, though no file has changed.
    found = {"files": files, "columns": {name: ctx.policy.used_columns(name) for name in ctx.policy.sources}}
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()


def run(ctx: Context) -> StageResult:
    """Writes raw tables, consent, quarantine and provenance; nothing of it before every source passed its contract."""
    with landings_destroyed(ctx):
        return _collected(ctx)


def _collected(ctx: Context) -> StageResult:
    fixed = ctx.policy.consent.as_of
    as_of = consent.in_utc(fixed or ctx.now)
    incoming = {name: source_rows(ctx, name) for name in ctx.policy.sources}
    decisions = events(ctx, incoming)
    people, erased = _people(ctx, incoming, decisions, as_of)
    fates = {name: _fate(ctx, one, people) for name, one in incoming.items()}

    stored = _store_consent(ctx, people, erased)
    written = {name: _store_raw(ctx, one, stored) for name, one in incoming.items()}
    _store_quarantine(ctx, [one for name, one in incoming.items() if fates[name].quarantined], stored)
    for name, rows in written.items():
        check_sum(name, fates[name], rows)
    _store_provenance(ctx, incoming, fates, written)
    return StageResult(
        rows_in=sum(fate.read for fate in fates.values()),
        rows_out=sum(written.values()),
        valid_until=None if fixed else _next_change(ctx, incoming, decisions, as_of),
    )


def source_rows(ctx: Context, name: str) -> _Incoming:
    """A source whose files are there and fit its contract's columns; ContractError otherwise."""
    with ctx.step(f"contract of {name}") as note:
        source = _source(ctx, name)
        files = locate(ctx.spark, name, source)
        found = read(ctx.spark, name, source, files)
        check_columns(name, source, found.schema, found.texts)
        found = landed(ctx, name, source, found)
        note.text = f"{len(source.columns)} columns, {len(files)} files, {sum(file.bytes for file in files):,} bytes"
        return _Incoming(name, source, files, judged(found, source), ignored_columns(source, found.schema))


def _source(ctx: Context, name: str) -> Source:
    """The source; a consent registry's contract is completed, because a decision that cannot be read is not to be missed."""
    source = ctx.policy.sources[name]
    if name != ctx.policy.consent.registry:
        return source
    asked: dict[str, ColumnContract] = {}
    for column, contract in source.columns.items():
        allowed = list(DECISIONS) if column == "decision" else contract.allowed
        needed = contract.required or column in event_columns(ctx.policy.person, source.columns)
        asked[column] = contract.model_copy(update={"required": needed, "allowed": allowed})
    return source.model_copy(update={"columns": asked})


def events(ctx: Context, incoming: Mapping[str, _Incoming]) -> DataFrame:
    """Everybody's decisions for the policy's purpose: the registry's, or made-up ones of the base's people."""
    policy = ctx.policy
    if policy.consent.simulated is None:
        return consent.registered(incoming[str(policy.consent.registry)].rows, policy.person, policy.purpose)
    person = F.col(policy.person).cast("string").alias("person")
    persons = incoming[policy.clean.base].rows.select(person).where(F.col("person").isNotNull()).distinct()
    return consent.simulated(persons, policy.consent.simulated)


def _people(ctx: Context, incoming: dict[str, _Incoming], decisions: DataFrame, as_of: datetime) -> tuple[DataFrame, DataFrame]:
    """How every known person stands, without those who were erased, and those."""
    everybody = lawful.standing(ctx.policy, {name: one.rows for name, one in incoming.items()}, decisions, as_of)
    marked = with_erased(ctx.store, ctx.policy, everybody, "person", _ERASED)
    return marked.where(~F.col(_ERASED)).drop(_ERASED), marked.where(_ERASED).drop(_ERASED)


def _usable(ctx: Context, one: _Incoming, people: DataFrame) -> DataFrame:
    """The source's rows with CONSENTS; people of a population, whose consent is not asked, may have been erased all the same."""
    rows = lawful.with_use(one.rows, ctx.policy, one.name, people, consent.in_utc(ctx.now))
    own = population_id(ctx.policy, one.name)
    if own is None:
        return rows
    marked = with_erased(ctx.store, ctx.policy, rows, own, _ERASED)
    return marked.withColumn(consent.CONSENTS, F.col(consent.CONSENTS) & ~F.col(_ERASED)).drop(_ERASED)


def _fate(ctx: Context, one: _Incoming, people: DataFrame) -> Fate:
    with ctx.step(f"rows of {one.name}") as note, _readable(one):
        rows = _usable(ctx, one, people)
        fate = counted(rows, ctx.policy.person, list(one.source.columns))
        note.text = f"{fate.read:,} read, {fate.quarantined:,} set aside, {fate.not_consented:,} without consent"
    check_row_count(ctx.spark, one.name, one.source, fate.read)
    check_fate(one.name, one.source, fate, one.name == ctx.policy.consent.registry)
    return fate


def _store_consent(ctx: Context, people: DataFrame, erased: DataFrame) -> DataFrame:
    with ctx.step("decisions") as note:
        ref = ctx.ref(CONSENT)
        made_up = F.lit(ctx.policy.consent.simulated is not None).alias("simulated")
        ctx.store.replace(ref, people.select(*lawful.STANDING, made_up), properties=NO_STATISTICS)
        ctx.store.forget_history(ref)
        stored = ctx.store.read(ref)
        counts = [row.asDict() for row in lawful.counts(stored, erased).collect()]
        ctx.store.replace_where(ctx.ref(LAW_LOG), ctx.rows(LAW_LOG, counts), policy=ctx.policy.name, build=ctx.build)
        note.rows(sum(count["people"] for count in counts), "people")
        return stored


def _store_raw(ctx: Context, one: _Incoming, decisions: DataFrame) -> int:
    with ctx.step(f"raw {one.name}") as note, _readable(one):
        ref = RAW.of(ctx.policy, one.name)
        rows = minimised(ctx.store, _usable(ctx, one, decisions).where(kept()), ctx.policy, one.name)
        with undone_if_changed(ctx, ref, one.name, one.source, one.files):
            ctx.store.replace(ref, rows, properties=NO_STATISTICS)
        ctx.store.forget_history(ref)
        written = ctx.store.read(ref).count()
        note.rows(written)
        return written


def _store_quarantine(ctx: Context, broken: list[_Incoming], decisions: DataFrame) -> None:
    with ctx.step("quarantine"):
        ref, mine = ctx.ref(QUARANTINE), {"policy": ctx.policy.name, "stage": "collect"}
        if not broken and ctx.store.exists(ref) and not ctx.store.has_rows(ref, **mine):
            return
        parts = [ctx.store.rows(QUARANTINE, []), *(_set_aside(ctx, one, decisions) for one in broken)]
        ctx.store.replace_where(ref, reduce(DataFrame.unionByName, parts), **mine)
        ctx.store.forget_history(ref)


def _set_aside(ctx: Context, one: _Incoming, decisions: DataFrame) -> DataFrame:
    rows = _usable(ctx, one, decisions)
    return rows.where(quarantined(rows, ctx.policy.person)).select(
        F.lit(ctx.policy.name).alias("policy"),
        F.lit("collect").alias("stage"),
        F.lit(one.name).alias("source"),
        F.col(REASON).alias("reason"),
        F.col(ROW).alias("row"),
    )


def _store_provenance(ctx: Context, incoming: dict[str, _Incoming], fates: dict[str, Fate], written: dict[str, int]) -> None:
    made_up = ctx.policy.consent.simulated is not None
    rows = [
        {"source": name, "uri": one.source.uri, "ignored_columns": ", ".join(one.ignored), "simulated_consent": made_up, **row}
        for name, one in incoming.items()
        for row in provenance_rows(one.files, fates[name], written[name])
    ]
    ctx.store.replace_where(ctx.ref(PROVENANCE), ctx.rows(PROVENANCE, rows), policy=ctx.policy.name, build=ctx.build)


def _next_change(ctx: Context, incoming: dict[str, _Incoming], decisions: DataFrame, as_of: datetime) -> datetime | None:
    keeper = incoming[ctx.policy.consent.registry or ctx.policy.clean.base]
    with ctx.step("next decision"), _readable(keeper):
        return consent.next_change(decisions, as_of)


@contextmanager
def _readable(one: _Incoming) -> Iterator[None]:
    """Turns a failure inside Spark while a source's files are read into one sentence."""
    try:
        yield
    except SPARK_ERRORS as error:
        raise unreadable(one.name, one.source, error) from None

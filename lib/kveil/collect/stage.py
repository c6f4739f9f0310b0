"""Stage 1: brings the sources' rows into the raw zone, of people who consented and as the contract declares them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.collect import consent, lawful
from kveil.collect.batches import Staged, leave_staging
from kveil.collect.collected import memory, replaced
from kveil.collect.growing import grow, known_rows, landed, prepared, recover, streamed, withdraw, withdraw_whole
from kveil.collect.growth import Growth, growth, mark_of_inputs
from kveil.collect.incoming import Incoming, candidates, incoming, readable
from kveil.collect.landing import landings_destroyed
from kveil.collect.locations import locate
from kveil.collect.minimised import minimised
from kveil.collect.provenance import (
    Fate,
    batch_provenance,
    check_fate,
    check_sum,
    counted,
    kept,
    of_batches,
    provenance_rows,
    quarantined,
    total,
)
from kveil.collect.quarantine import as_quarantine, store_quarantine
from kveil.collect.row_counts import check_row_count
from kveil.collect.stream import stream_in
from kveil.collect.undo import undone_if_changed
from kveil.context import Context, StageResult
from kveil.errors import ContractError
from kveil.settings.regimes import age_column
from kveil.shapes import shapes
from kveil.tables.people import with_erased
from kveil.tables.schema import CONSENT, LAW_LOG, PROVENANCE, RAW
from kveil.tables.store import NO_STATISTICS

_ERASED = "_kveil_erased"


@dataclass
class _Collected:
    """What a run brings in: sources read whole by name, and what is new in those that grow."""

    whole: dict[str, Incoming]
    grown: dict[str, Growth]
    fates: dict[str, Fate] = field(default_factory=dict)
    withdrawn: dict[str, int | None] = field(default_factory=dict)


def inputs(ctx: Context) -> str:
    """A hash of what decides the result outside tables and this stage's sections: every file's size and SHA-256, and what
    other sections make of a source: its used columns, the one that its age counts from, whether it is the base.

    Raises the ContractError that `run` would raise when files are missing.
    """
    policy = ctx.policy
    found = {
        name: {
            "files": mark_of_inputs(ctx, name),
            # A column that the policy begins to use is to be collected, though no file has changed.
            "columns": policy.used_columns(name),
            "age": age_column(policy.law, policy.clean, name),
            "base": name == policy.clean.base,
        }
        for name in policy.sources
    }
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()


def run(ctx: Context) -> StageResult:
    """Writes raw tables, consent, quarantine and provenance; nothing of it before every source read whole passed its contract.

    Sources that grow follow: rows of people who withdrew leave first, then each source's new rows are staged and checked,
    and only when all are within their contracts do they land.
    """
    with landings_destroyed(ctx):
        return _run(ctx)


def _run(ctx: Context) -> StageResult:
    for name in ctx.policy.sources:
        recover(ctx, name)
    fixed = ctx.policy.consent.as_of
    as_of = consent.in_utc(fixed or ctx.now)
    found = _Collected(
        {name: source_rows(ctx, name) for name in ctx.policy.sources if name not in grow(ctx)},
        {name: _growth(ctx, name) for name in grow(ctx)},
    )
    rows = {name: one.rows for name, one in found.whole.items()}
    rows |= {name: known_rows(ctx, name, grown) for name, grown in found.grown.items()}
    decisions = events(ctx, rows)
    people, erased = _people(ctx, rows, decisions, as_of)
    _judge_whole(ctx, found, people)

    stored = _store_consent(ctx, people, erased)
    batches = _prepared(ctx, found, stored)
    _store_whole(ctx, found, stored)
    for what in batches:
        _land(ctx, what, stored)
    for name in streamed(ctx):
        stream_in(ctx, name)
    _store_provenance(ctx, found)
    whole = total([*found.fates.values(), *[of_batches(memory(ctx, name, "done"), ctx.run_id) for name in streamed(ctx)]])
    return StageResult(whole.read, whole.kept, None if fixed else _next_change(ctx, decisions, as_of), balance=whole.balance)


def source_rows(ctx: Context, name: str) -> Incoming:
    """A source, read whole, whose files are there and fit its contract's columns; ContractError otherwise."""
    with ctx.step(f"contract of {name}") as note:
        files = locate(ctx.spark, name, ctx.policy.sources[name])
        one = incoming(ctx, name, files, at_rest=True)
        note.text = f"{len(one.source.columns)} columns, {len(files)} files, {sum(file.bytes for file in files):,} bytes"
        return one


def _growth(ctx: Context, name: str) -> Growth:
    with ctx.step(f"growth of {name}") as note:
        found = growth(ctx, name)
        late = f", {found.late:,} rows came too late and were not read" if found.late else ""
        note.text = ("new" if found.new else "nothing new") + late
        return found


def events(ctx: Context, rows: Mapping[str, DataFrame]) -> DataFrame:
    """Everybody's decisions for the policy's purpose: the registry's, or made-up ones of the base's people."""
    policy = ctx.policy
    if policy.consent.simulated is None:
        return consent.registered(rows[str(policy.consent.registry)], policy.person, policy.purpose)
    person = F.col(policy.person).cast("string").alias("person")
    persons = rows[policy.clean.base].select(person).where(F.col("person").isNotNull()).distinct()
    return consent.simulated(persons, policy.consent.simulated)


def _people(ctx: Context, rows: Mapping[str, DataFrame], decisions: DataFrame, as_of: datetime) -> tuple[DataFrame, DataFrame]:
    """How every known person stands, without those who were erased, and those."""
    everybody = lawful.standing(ctx.policy, rows, decisions, as_of)
    marked = with_erased(ctx.store, ctx.policy, everybody, "person", _ERASED)
    return marked.where(~F.col(_ERASED)).drop(_ERASED), marked.where(_ERASED).drop(_ERASED)


def _fate(ctx: Context, one: Incoming, people: DataFrame) -> Fate:
    with ctx.step(f"rows of {one.name}") as note, readable(one.name, one.source):
        rows = candidates(ctx, one, people)
        fate = counted(rows, ctx.policy.person, list(one.source.columns))
        note.text = _in_words(fate)
    check_row_count(ctx.spark, one.name, one.source, fate.read)
    check_fate(one.name, one.source, fate, one.name == ctx.policy.consent.registry, rows)
    return fate


def _judge_whole(ctx: Context, found: _Collected, people: DataFrame) -> None:
    """Fills in the fates of sources read whole, the registry's first.

    Where one breaks its contract, nothing is collected; but rows that an earlier run brought of people who now refuse go all
    the same, if the registry was right.
    """
    registry = ctx.policy.consent.registry
    try:
        for name in sorted(found.whole, key=lambda name: name != registry):
            found.fates[name] = _fate(ctx, found.whole[name], people)
    except ContractError:
        if registry is None or registry in found.grown or registry in found.fates:
            for name in found.whole:
                with ctx.step(f"withdrawn of {name}") as note:
                    note.rows(withdraw_whole(ctx, name, people))
        raise


def _in_words(fate: Fate) -> str:
    copies = f", {fate.duplicates:,} duplicates" if fate.duplicates else ""
    return f"{fate.read:,} read, {fate.quarantined:,} set aside{copies}, {fate.not_consented:,} without consent"


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


def _store_whole(ctx: Context, found: _Collected, decisions: DataFrame) -> None:
    """Makes the raw tables and the quarantine of sources read whole what their files now give."""
    written, aside = {}, {}
    for name, one in found.whole.items():
        rows = candidates(ctx, one, decisions)
        broken = as_quarantine(ctx, name, rows.where(quarantined(rows, ctx.policy.person)))
        aside[name] = broken if found.fates[name].quarantined else None
        written[name] = _store_raw(ctx, one, rows)
    with ctx.step("quarantine"):
        store_quarantine(ctx, aside)
    for name, rows_written in written.items():
        check_sum(name, found.fates[name], rows_written)


def _store_raw(ctx: Context, one: Incoming, rows: DataFrame) -> int:
    with ctx.step(f"raw {one.name}") as note, readable(one.name, one.source):
        replaced(ctx, one.name)
        ref = RAW.of(ctx.policy, one.name)
        with undone_if_changed(ctx, ref, one.name, one.source, one.files):
            ctx.store.replace(ref, minimised(ctx.store, rows.where(kept()), ctx.policy, one.name), properties=NO_STATISTICS)
        ctx.store.forget_history(ref)
        written = ctx.store.read(ref).count()
        note.rows(written)
        return written


def _prepared(ctx: Context, found: _Collected, decisions: DataFrame) -> list[Staged]:
    """Every growing source's next batch, staged; none is left in staging when one of them breaks its contract."""
    batches = []
    try:
        for name, grown in found.grown.items():
            with ctx.step(f"withdrawn of {name}") as note:
                found.withdrawn[name] = withdraw(ctx, name, decisions)
                note.rows(found.withdrawn[name] or 0)
            with ctx.step(f"rows of {name}") as note:
                what = prepared(ctx, name, grown, decisions)
                note.text = _in_words(what.fate) if what else "nothing to add"
            if what:
                batches.append(what)
                found.fates[name] = what.fate
    except BaseException:
        for name in found.grown:
            leave_staging(ctx, name)
        raise
    return batches


def _land(ctx: Context, what: Staged, decisions: DataFrame) -> None:
    with ctx.step(f"raw {what.one.name}") as note:
        note.rows(landed(ctx, what, decisions))


def _store_provenance(ctx: Context, found: _Collected) -> None:
    rows: list[dict[str, Any]] = []
    for name, one in found.whole.items():
        rows += [
            {**row, **_said(ctx, name, one.ignored)} for row in provenance_rows(one.files, found.fates[name], one.source.uri)
        ]
    for name, grown in found.grown.items():
        said = {**_said(ctx, name, grown.ignored), "rows_withdrawn": found.withdrawn[name], "rows_late": grown.late}
        rows += [{**said, **batch_provenance(row, ctx.policy.sources[name].uri)} for row in memory(ctx, name, "done")]
    ctx.store.replace_where(ctx.ref(PROVENANCE), ctx.rows(PROVENANCE, rows), policy=ctx.policy.name, build=ctx.build)


def _said(ctx: Context, name: str, ignored: list[str]) -> dict[str, Any]:
    made_up = ctx.policy.consent.simulated is not None
    uri = ctx.policy.sources[name].uri
    return {"source": name, "uri": uri, "ignored_columns": shapes(ignored) if ignored else "", "simulated_consent": made_up}


def _next_change(ctx: Context, decisions: DataFrame, as_of: datetime) -> datetime | None:
    keeper = ctx.policy.consent.registry or ctx.policy.clean.base
    with ctx.step("next decision"), readable(keeper, ctx.policy.sources[keeper]):
        return consent.next_change(decisions, as_of)

"""Quarantined rows are judged again: those that now fit enter the raw zone exactly once and leave the quarantine.

A row fits now because the contract was corrected, or because somebody corrected the row's JSON in the quarantine.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.collect.batches import AGAIN, REPLAY, land, leave_staging, staged
from kveil.collect.collected import memory, next_batch
from kveil.collect.contract import judged, of_json
from kveil.collect.found import FILE, POSITION
from kveil.collect.growing import check_same_columns, recover
from kveil.collect.incoming import Incoming, candidates, contract_of
from kveil.collect.provenance import batch_provenance
from kveil.collect.quarantine import quarantine_of
from kveil.context import Context, StageResult
from kveil.errors import ContractError
from kveil.tables.schema import CONSENT, PROVENANCE, RAW


def replay(ctx: Context) -> StageResult:
    """Judges what collect set aside of every source again; returns the rows judged and those that entered the raw zone.

    Consent is that of the last collect. A source that is read whole is made of its files again by the next collect, so there
    a row must be corrected at the source too.
    """
    taken = [_replayed(ctx, name) for name in ctx.policy.sources]
    _tell_provenance(ctx)
    return StageResult(rows_in=sum(seen for seen, _ in taken), rows_out=sum(entered for _, entered in taken))


def _replayed(ctx: Context, name: str) -> tuple[int, int]:
    recover(ctx, name)
    aside, raw, consents = quarantine_of(ctx, name), RAW.of(ctx.policy, name), ctx.ref(CONSENT)
    if aside is None:
        return 0, 0
    if not ctx.store.exists(consents) or not ctx.store.exists(raw):
        raise ContractError(f"sources.{name}: nothing was collected yet, so that nothing can be replayed; run collect first")
    with ctx.step(f"replay {name}") as note:
        one = _of_quarantine(ctx, name, aside)
        check_same_columns(ctx, one)
        rows = candidates(ctx, one, ctx.store.read(consents), ctx.store.read(raw) if one.source.key else None)
        what = staged(ctx, one, rows, next_batch(ctx, name, REPLAY, ()))
        entered = land(ctx, what, None) if what.fate.quarantined < what.fate.read else 0
        leave_staging(ctx, name)
        note.text = f"{what.fate.read:,} judged, {entered:,} entered, {what.fate.quarantined:,} stay"
    return what.fate.read, entered


def _of_quarantine(ctx: Context, name: str, aside: DataFrame) -> Incoming:
    source = contract_of(ctx, name)
    found = of_json(aside.withColumnsRenamed({"file": FILE, "position": POSITION}), source)
    return Incoming(name, source, (), judged(found, source).withColumn(AGAIN, F.lit(True)), [])


def _tell_provenance(ctx: Context) -> None:
    """Adds the replays to what the last collect told, so that its rows in are still what became of them together."""
    ref = ctx.ref(PROVENANCE)
    mine = ctx.store.read(ref).where(F.col("policy") == ctx.policy.name).orderBy(F.desc("written_at")).first()
    if mine is None:
        return
    for name, source in ctx.policy.sources.items():
        same = {"policy": ctx.policy.name, "build": mine["build"], "source": name, "path": REPLAY}
        rows = [
            {**batch_provenance(row, source.uri), **same, "uri": source.uri}
            for row in memory(ctx, name, "done")
            if row["way"] == REPLAY
        ]
        if rows:
            said = {"simulated_consent": mine["simulated_consent"], "ignored_columns": ""}
            ctx.store.replace_where(ref, ctx.rows(PROVENANCE, [{**row, **said} for row in rows]), **same)

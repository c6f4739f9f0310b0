"""The seven stages, declared once, and the one way they run.

The command line, jobs/*.py, make targets, Databricks tasks and the README's table are this tuple seen through
different doors; a contract test holds them together.
"""

import hashlib
import json
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from pyspark.sql import functions as F

import kveil.anonymize.population_rows
import kveil.anonymize.stage
import kveil.clean.stage
import kveil.collect.replay
import kveil.collect.stage
import kveil.deploy.stage
import kveil.evaluate.stage
import kveil.report.stage
import kveil.train.stage
from kveil.context import Context, StageResult
from kveil.errors import ContractError, KveilError
from kveil.log import Progress
from kveil.session import code_version, for_many_columns
from kveil.settings import Policy, fingerprint
from kveil.tables import schema as t
from kveil.tables.declaration import Table, TableRef
from kveil.tables.log_store import require_safe_log_store
from kveil.tables.store import TableStore


@dataclass(frozen=True)
class Stage:
    """One stage: what it does, which policy sections decide its result, which tables it reads and writes.

    `inputs`, where given, hashes what lies outside the lake (source files), so that a change there is noticed.
    `also_reads`, where given, names the raw tables that only some policies make the stage read.
    """

    name: str
    summary: str
    sections: tuple[str, ...]
    reads: tuple[Table, ...]
    writes: tuple[Table, ...]
    run: Callable[[Context], StageResult]
    inputs: Callable[[Context], str] | None = None
    also_reads: Callable[[Policy], list[TableRef]] | None = None

    def inputs_of(self, policy: Policy) -> list[tuple[Table, TableRef]]:
        """Every table that the stage reads for this policy."""
        always = [(table, ref) for table in self.reads for ref in table.all_of(policy)]
        return always + [(t.RAW, ref) for ref in (self.also_reads(policy) if self.also_reads else [])]

    def outputs_of(self, policy: Policy) -> list[TableRef]:
        """Every table that the stage writes for this policy."""
        return [ref for table in self.writes for ref in table.all_of(policy)]


STAGES: tuple[Stage, ...] = (
    Stage(
        "collect",
        "reads the sources, checks their contracts, keeps the rows of people who consented",
        ("person", "purpose", "sources", "consent", "law"),
        (),
        (t.RAW, t.CONSENT, t.QUARANTINE, t.COLLECTED, t.COVERED, t.PROVENANCE, t.LAW_LOG),
        kveil.collect.stage.run,
        kveil.collect.stage.inputs,
    ),
    Stage(
        "clean",
        "corrects, joins, converts to EUR cents, derives label and history, splits people",
        ("person", "sources", "law", "clean"),
        (t.RAW,),
        (t.CLEAN, t.CLEANING_LOG, t.CLEANED_CELLS, t.SUGGESTIONS, t.QUALITY_METRICS, t.PEOPLE, t.PEOPLE_PAIRS),
        kveil.clean.stage.run,
    ),
    Stage(
        "anonymize",
        "generalizes to k people, adds noise, measures the guarantee again, publishes",
        ("person", "purpose", "anonymize"),
        (t.CLEAN,),
        (
            t.RELEASE,
            t.GENERALIZER,
            t.RELEASES,
            t.RELEASE_SLICES,
            t.RELEASE_CLASSES,
            t.RELEASE_TREES,
            t.AGGREGATE,
            t.AGGREGATES,
            t.BUDGET_LEDGER,
            t.BUDGET_AUDIT,
            t.BUDGET_SOURCES,
            t.PRIVACY_METRICS,
        ),
        kveil.anonymize.stage.run,
        also_reads=kveil.anonymize.population_rows.population_reads,
    ),
    Stage(
        "train",
        "trains models on the release, and a baseline on clean rows that is never deployed",
        ("person", "anonymize", "train"),
        (t.CLEAN, t.RELEASE),
        (t.MODELS, t.BASELINES),
        kveil.train.stage.run,
    ),
    Stage(
        "evaluate",
        "judges the models on held-out people and measures the released table",
        ("person", "anonymize", "train", "evaluate"),
        (t.CLEAN, t.RELEASE, t.GENERALIZER, t.MODELS),
        (t.UTILITY_METRICS, t.PRIVACY_METRICS),
        kveil.evaluate.stage.run,
    ),
    Stage(
        "deploy",
        "lets the gate decide, registers the champion with its lineage, scores a batch",
        ("person", "anonymize", "deploy"),
        (t.CLEAN, t.GENERALIZER, t.MODELS, t.UTILITY_METRICS, t.PRIVACY_METRICS),
        (t.DEPLOYMENTS, t.SCORES),
        kveil.deploy.stage.run,
    ),
    Stage(
        "report",
        "writes what was asked, done, measured and not claimed",
        ("person", "purpose", "sources", "consent", "law", "clean", "anonymize", "train", "evaluate", "deploy", "report"),
        (
            t.PROVENANCE,
            t.LAW_LOG,
            t.PROFILE_COLUMNS,
            t.PROFILE_VALUES,
            t.PROFILE_DEPENDENCIES,
            t.CLEANING_LOG,
            t.QUALITY_METRICS,
            t.PEOPLE,
            t.PEOPLE_PAIRS,
            t.BUDGET_LEDGER,
            t.BUDGET_SOURCES,
            t.RELEASE,
            t.RELEASES,
            t.AGGREGATES,
            t.PRIVACY_METRICS,
            t.MODELS,
            t.UTILITY_METRICS,
            t.DEPLOYMENTS,
        ),
        (t.REPORTS,),
        kveil.report.stage.run,
    ),
)


@dataclass(frozen=True)
class Run:
    """How a run ended: its context, and the sentence of a gate that refused (empty when none did)."""

    context: Context
    refusal: str


def run(policy: Policy, store: TableStore, progress: Progress, names: Sequence[str] = (), force: bool = False) -> Run:
    """Runs the named stages (default: all) in order, skipping those that are up to date.

    A second run of the same policy in the same lake fails at once. A gate's refusal ends its own stage alone: the later
    ones (the report) run, and the refusal is in the result.
    """
    ctx = _context(policy, store, progress)
    refusal = ""
    if policy.anonymize.budget is not None:
        require_safe_log_store(store)
    with store.lake.alone(policy.name), for_many_columns(store.spark):
        for stage in STAGES:
            if not names or stage.name in names:
                refusal = _refusal(stage, ctx, force) or refusal
    return Run(ctx, refusal)


def replay_quarantine(policy: Policy, store: TableStore, progress: Progress) -> StageResult:
    """Judges the rows that collect set aside again, by the policy as it is now; logged as an outcome of stage collect."""
    stage, started = STAGES[0], time.monotonic()
    ctx = replace(_context(policy, store, progress), stage=stage.name)
    with store.lake.alone(policy.name), for_many_columns(store.spark):
        try:
            result = kveil.collect.replay.replay(ctx)
        except KveilError as error:
            _log(stage, ctx, "failed", StageResult(refusal=str(error)), started)
            raise
        _log(stage, ctx, "replayed", result, started)
    return result


def _context(policy: Policy, store: TableStore, progress: Progress) -> Context:
    now = datetime.now(timezone.utc)
    return Context(policy, store, f"{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}", now, progress)


def _refusal(stage: Stage, run_context: Context, force: bool) -> str:
    """Runs one stage unless it is up to date; returns the sentence of its gate's no, or nothing."""
    started = time.monotonic()
    ctx = replace(
        run_context, stage=stage.name, reads=_versions(run_context, [ref for _, ref in stage.inputs_of(run_context.policy)])
    )
    try:
        _require_inputs(stage, ctx)
        ctx = replace(ctx, build=_build(stage, ctx))
        last = _last_done(stage, ctx)
        if last is not None and not force:
            ctx.progress.line(f"{stage.name:<10} up to date")
            _log(stage, ctx, "up to date", StageResult(refusal=last), started)
            return last
        result = stage.run(ctx)
    except KveilError as error:
        _log(stage, ctx, "failed", StageResult(refusal=str(error)), started)
        raise
    _log(stage, ctx, "refused" if result.refusal else "done", result, started)
    return result.refusal


def _versions(ctx: Context, refs: Sequence[TableRef]) -> dict[str, int]:
    found = {str(ref): ctx.store.version(ref) for ref in refs}
    return {name: version for name, version in found.items() if version is not None}


def _require_inputs(stage: Stage, ctx: Context) -> None:
    for table, ref in stage.inputs_of(ctx.policy):
        if not table.shared and str(ref) not in ctx.reads and stage.name != "report":
            writer = next(other.name for other in STAGES if table in other.writes)
            raise ContractError(f"{stage.name}: table {ref} is missing; run stage {writer} first")


def _build(stage: Stage, ctx: Context) -> str:
    """The hash of everything that decides the stage's result."""
    outside = stage.inputs(ctx) if stage.inputs else ""
    parts = [ctx.policy.name, fingerprint(ctx.policy, stage.sections), code_version(), ctx.reads, outside]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _last_done(stage: Stage, ctx: Context) -> str | None:
    """None when the stage must run; else the refusal sentence it ended with (empty for a plain success)."""
    ref = t.RUN_LOG.of(ctx.policy)
    if not ctx.store.exists(ref):
        return None
    same = (F.col("policy") == ctx.policy.name) & (F.col("stage") == stage.name) & F.col("outcome").isin("done", "refused")
    row = (
        ctx.store.read(ref)
        .where(same)
        .withColumn("stale", F.col("valid_until") <= F.lit(ctx.now))
        .orderBy(F.desc("written_at"))
        .first()
    )
    if row is None or row["build"] != ctx.build or row["stale"]:
        return None
    shared = {str(table.of(ctx.policy)) for table in stage.writes if table.shared}
    current = _versions(ctx, stage.outputs_of(ctx.policy))
    for name, version in row["writes"].items():
        # Other policies move a shared table's version; this policy's own tables must be as this stage left them.
        if name not in current or (name not in shared and current[name] != version):
            return None
    return str(row["message"] or "")


def _log(stage: Stage, ctx: Context, outcome: str, result: StageResult, started: float) -> None:
    row = {
        "policy_hash": fingerprint(ctx.policy), "stage": stage.name, "outcome": outcome, "reads": ctx.reads,
        "writes": _versions(ctx, stage.outputs_of(ctx.policy)), "rows_in": result.rows_in, "rows_out": result.rows_out,
        "seconds": time.monotonic() - started, "valid_until": result.valid_until, "message": result.refusal or None,
        "balance": result.balance or None,
        "code_version": code_version(), "written_at": datetime.now(timezone.utc),
    }  # fmt: skip
    ctx.store.append(t.RUN_LOG.of(ctx.policy), ctx.rows(t.RUN_LOG, [row]))

"""Stage 6: lets the gate decide, registers what passed, and scores a batch with it."""

from pyspark.sql import functions as F

from kveil.context import Context, StageResult
from kveil.deploy.batch import batch_scores, latest_month
from kveil.deploy.gate import Decision, decision
from kveil.deploy.registry import Lineage, champion, registered
from kveil.model.columns import column_kinds, generalizer_inputs
from kveil.model.lineage import Release, current_models, current_release, frozen_generalizer, trained_models
from kveil.model.scoring import ScoringModel
from kveil.model.tracking import LAKE_TAG, Tracker
from kveil.settings import fingerprint
from kveil.tables.declaration import Table
from kveil.tables.heads import LEDGER_HEAD
from kveil.tables.schema import (
    CLEAN,
    DEPLOYMENTS,
    GENERALIZER,
    MODELS,
    PRIVACY_METRICS,
    RELEASE,
    RELEASES,
    SCORES,
    UTILITY_METRICS,
)
from kveil.tables.store import NO_STATISTICS


def run(ctx: Context) -> StageResult:
    """Records every check; a refusal leaves the champion and its scores as they were. One build registers one version."""
    release = current_release(ctx.store.read(ctx.ref(RELEASES)), ctx.policy)
    with ctx.step("decide at the gate") as note:
        decided = decision(ctx.policy, _metrics(ctx, UTILITY_METRICS, release), _metrics(ctx, PRIVACY_METRICS, release))
        note.text = f"{sum(check.met for check in decided.checks)} of {len(decided.checks)} checks met"
    if not decided.passed:
        _record(ctx, release, decided, None)
        return StageResult(refusal=decided.refusal(ctx.policy.deploy.model))
    tracker = Tracker(ctx.files, ctx.policy.name)
    with ctx.step("register the champion") as note:
        scoring = _scoring_model(ctx, release, str(decided.algorithm))
        version = registered(tracker, ctx.policy.deploy.model, scoring, _lineage(ctx, release, decided))
        note.text = f"{ctx.policy.deploy.model}, version {version}"
    _record(ctx, release, decided, version)
    return StageResult(rows_out=_score(ctx, tracker))


def _metrics(ctx: Context, table: Table, release: Release) -> list[dict[str, object]]:
    """A release's metrics: some dozens of rows."""
    of_release = (F.col("policy") == ctx.policy.name) & (F.col("release_id") == release.id)
    return [row.asDict() for row in ctx.read(table).where(of_release).collect()]


def _scoring_model(ctx: Context, release: Release, algorithm: str) -> ScoringModel:
    rows = current_models(ctx.read(MODELS), ctx.policy, release)
    chosen = [row for row in rows if row["trained_on"] == "release" and row["algorithm"] == algorithm]
    (trained,) = trained_models(chosen, "release")
    inputs = generalizer_inputs(ctx.policy.anonymize) | column_kinds(
        {each.name: each.kind for each in trained.features.encodings}
    )
    return ScoringModel(frozen_generalizer(ctx.read(GENERALIZER), ctx.policy, release), trained.features, trained.model, inputs)


def _lineage(ctx: Context, release: Release, decided: Decision) -> Lineage:
    head = ctx.store.property_of(ctx.ref(RELEASE), LEDGER_HEAD)
    tags = {
        "kveil.stage": "deploy", "kveil.policy": ctx.policy.name, "kveil.policy_hash": fingerprint(ctx.policy),
        "kveil.release_id": release.id, "kveil.run_id": ctx.run_id, "kveil.algorithm": str(decided.algorithm),
        "kveil.trained_on": "release", LAKE_TAG: ctx.store.lake.mark, **({LEDGER_HEAD: head} if head else {}),
    }  # fmt: skip
    return Lineage(ctx.build, tags, {check.name: check.measured for check in decided.checks if check.measured is not None})


def _record(ctx: Context, release: Release, decided: Decision, version: str | None) -> None:
    common = {
        "release_id": release.id, "model": ctx.policy.deploy.model, "algorithm": decided.algorithm, "registered_version": version,
    }  # fmt: skip
    rows = [
        {**common, "check": check.name, "measured": check.measured, "threshold": check.threshold, "met": check.met}
        for check in decided.checks
    ]
    ctx.store.replace_where(ctx.ref(DEPLOYMENTS), ctx.rows(DEPLOYMENTS, rows), policy=ctx.policy.name, build=ctx.build)


def _score(ctx: Context, tracker: Tracker) -> int:
    with ctx.step("score the latest month's held-out rows") as note:
        scoring, version = champion(tracker, ctx.policy.deploy.model)
        scores = batch_scores(latest_month(ctx.read(CLEAN)), ctx.policy.person, scoring, version)
        ctx.store.replace(ctx.ref(SCORES), scores, properties=NO_STATISTICS)
        ctx.store.forget_history(ctx.ref(SCORES))
        count = ctx.store.read(ctx.ref(SCORES)).count()
        note.rows(count)
    return count

"""Stage 4: learns from the release what may be deployed, and from raw rows what it is compared with."""

import json
import uuid
from dataclasses import dataclass
from datetime import datetime, timezone

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.context import Context, StageResult
from kveil.model.columns import column_kinds
from kveil.model.features import FeatureMap, Kind
from kveil.model.lineage import current_release
from kveil.model.rows import feature_kinds, model_rows
from kveil.model.tracking import Tracker
from kveil.model.trained import TrainedModel
from kveil.settings import fingerprint
from kveil.tables.schema import BASELINES, CLEAN, FEATURES, MODELS, RELEASE, RELEASES
from kveil.tables.store import NO_STATISTICS
from kveil.train.fitting import Algorithm, algorithms
from kveil.train.statistics import fitted
from kveil.train.vectors import vectors


@dataclass(frozen=True)
class Source:
    """One training set: its name in every table, its rows and the feature map fitted on them."""

    trained_on: str
    table: DataFrame
    features: FeatureMap
    rows: int


@dataclass(frozen=True)
class Result:
    """A trained model with when and how long it was learned."""

    model: TrainedModel
    source: Source
    algorithm: Algorithm
    started: datetime
    seconds: float


def run(ctx: Context) -> StageResult:
    """Trains every algorithm on the release and on raw rows; feature vectors, which are personal, do not outlive the stage."""
    release = current_release(ctx.store.read(ctx.ref(RELEASES)), ctx.policy)
    sources = _sources(ctx)
    tracker = Tracker(ctx.files, ctx.policy.name)
    try:
        with ctx.step("compute feature vectors") as note:
            tables = [vectors(source.table, source.features, source.trained_on) for source in sources]
            ctx.store.replace(ctx.ref(FEATURES), tables[0].unionByName(tables[1]), ["trained_on"], NO_STATISTICS)
            note.rows(sum(source.rows for source in sources))
        results = [_trained(ctx, source, algorithm) for source in sources for algorithm in algorithms(ctx.policy.train)]
    finally:
        ctx.store.destroy(ctx.ref(FEATURES))
    with ctx.step("record the models") as note:
        _record(ctx, results, release.id, tracker)
        note.rows(len(results), "models")
    return StageResult(rows_in=sum(source.rows for source in sources), rows_out=len(results))


def _sources(ctx: Context) -> list[Source]:
    clean, released = ctx.read(CLEAN), ctx.read(RELEASE)
    kinds = feature_kinds(ctx.policy, dict(clean.dtypes))
    label, columns = ctx.policy.train.label, column_kinds(kinds)
    tables = {
        "release": model_rows(released, label, columns, "train", ctx.policy.anonymize.quasi_identifiers),
        "baseline": model_rows(clean, label, columns, "train"),
    }
    return [_source(ctx, name, table, kinds) for name, table in tables.items()]


def _source(ctx: Context, name: str, table: DataFrame, kinds: dict[str, Kind]) -> Source:
    orders = {qi: declared.order for qi, declared in ctx.policy.anonymize.quasi_identifiers.items()}
    with ctx.step(f"fit the {name} feature map") as note:
        # A model that leaves the restricted zone names no category that certainly fewer than k people hold.
        least = ctx.policy.anonymize.k if name == "release" else 1
        features, rows = fitted(table, kinds, orders, ctx.policy.train.label, name, least=least)
        note.rows(rows)
    return Source(name, table, features, rows)


def _trained(ctx: Context, source: Source, algorithm: Algorithm) -> Result:
    started = datetime.now(timezone.utc)
    with ctx.step(f"train {algorithm.name} on the {source.trained_on} rows") as note:
        rows = ctx.store.read(ctx.ref(FEATURES)).where(F.col("trained_on") == source.trained_on)
        scratch = f"{ctx.store.lake.root}/restricted/scratch-{uuid.uuid4().hex}"
        model = algorithm.fitted(ctx.spark, rows, scratch)
        note.rows(source.rows)
    seconds = (datetime.now(timezone.utc) - started).total_seconds()
    trained = TrainedModel(algorithm.name, source.trained_on, source.features, model)
    return Result(trained, source, algorithm, started, seconds)


def _record(ctx: Context, results: list[Result], release_id: str, tracker: Tracker) -> None:
    """Baselines hold statistics of raw values: their documents stay in the restricted zone and out of MLflow."""
    baselines = [
        {"algorithm": result.model.algorithm, "document": result.model.to_json()} for result in results if not _is_public(result)
    ]
    ctx.store.replace(ctx.ref(BASELINES), ctx.store.rows(BASELINES, baselines), properties=NO_STATISTICS)
    ctx.store.forget_history(ctx.ref(BASELINES))
    rows = [
        {
            "release_id": release_id, "algorithm": result.model.algorithm, "trained_on": result.model.trained_on,
            "mlflow_run": _logged(ctx, result, release_id, tracker), "rows": result.source.rows,
            "features": ",".join(result.model.features.names), "parameters": json.dumps(result.algorithm.parameters),
            "document": result.model.to_json() if _is_public(result) else None, "seconds": result.seconds,
        }
        for result in results
    ]  # fmt: skip
    ctx.store.replace_where(ctx.ref(MODELS), ctx.rows(MODELS, rows), policy=ctx.policy.name, build=ctx.build)


def _is_public(result: Result) -> bool:
    return result.model.trained_on == "release"


def _logged(ctx: Context, result: Result, release_id: str, tracker: Tracker) -> str:
    tags = {
        "kveil.stage": "train", "kveil.policy": ctx.policy.name, "kveil.policy_hash": fingerprint(ctx.policy),
        "kveil.release_id": release_id, "kveil.build": ctx.build, "kveil.run_id": ctx.run_id,
        "kveil.trained_on": result.model.trained_on,
        "kveil.registration": "after the gate" if _is_public(result) else "never registered",
    }  # fmt: skip
    params = {"algorithm": result.model.algorithm, **result.algorithm.parameters, "features": len(result.model.features.names)}
    metrics = {"training_rows": float(result.source.rows), "training_seconds": result.seconds}
    return tracker.log_run(result.model.name, result.started, params, metrics, tags)

"""Stage 5: judges every model on held-out people, and measures the released table by itself."""

from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.context import Context, StageResult
from kveil.errors import GuaranteeError
from kveil.evaluate.certainty import category_domains, certainty_metrics
from kveil.evaluate.classes import class_metrics
from kveil.evaluate.recheck import recheck_metrics
from kveil.evaluate.suppressed import without_cells
from kveil.evaluate.utility import metric_rows, utility
from kveil.evaluate.views import scored
from kveil.model.columns import ColumnKind, column_kinds, generalizer_inputs
from kveil.model.lineage import Release, current_models, current_release, frozen_generalizer, trained_models
from kveil.model.rows import model_rows
from kveil.model.trained import TrainedModel
from kveil.privacy.frozen import largest_shares
from kveil.tables.schema import (
    BASELINES,
    CLEAN,
    GENERALIZER,
    MODELS,
    PREDICTIONS,
    PRIVACY_METRICS,
    PUBLISHED_AGAIN,
    RELEASE,
    RELEASE_SLICES,
    RELEASES,
    UTILITY_METRICS,
)
from kveil.tables.store import NO_STATISTICS


def run(ctx: Context) -> StageResult:
    """Scores, measures and records; the same models and release give the same rows."""
    release = current_release(ctx.store.read(ctx.ref(RELEASES)), ctx.policy)
    models = _models(ctx, release)
    scored_rows = _predict(ctx, release, models)
    _measure_utility(ctx, release)
    _measure_release(ctx, release)
    _recheck(ctx, release)
    return StageResult(rows_in=scored_rows, rows_out=scored_rows)


def _models(ctx: Context, release: Release) -> list[TrainedModel]:
    rows = current_models(ctx.read(MODELS), ctx.policy, release)
    of_release = [row for row in rows if row["trained_on"] == "release"]
    # A baseline's document is kept where personal data is; there is one per algorithm, of the latest training.
    baselines = ctx.store.read(ctx.ref(BASELINES)).orderBy("algorithm").collect()
    return [*trained_models(of_release, "release"), *trained_models(baselines, "baseline")]


def _predict(ctx: Context, release: Release, models: list[TrainedModel]) -> int:
    """Three views of the same people: raw, raw through the frozen generalizer (as served), and as released."""
    label, identifiers = ctx.policy.train.label, ctx.policy.anonymize.quasi_identifiers
    features: dict[str, ColumnKind] = column_kinds({each.name: each.kind for each in models[0].features.encodings})
    served = generalizer_inputs(ctx.policy.anonymize) | features
    with ctx.step("score held-out people") as note:
        clean, released = ctx.read(CLEAN), ctx.read(RELEASE)
        generalizer = frozen_generalizer(ctx.read(GENERALIZER), ctx.policy, release)
        views = [
            scored(model_rows(clean, label, features, "holdout"), "clean", models, features),
            scored(model_rows(clean, label, served, "holdout"), "generalized", models, served, generalizer),
            scored(model_rows(released, label, features, "holdout", identifiers), "released", models, features),
        ]
        ctx.store.replace(ctx.ref(PREDICTIONS), views[0].unionByName(views[1]).unionByName(views[2]), properties=NO_STATISTICS)
        ctx.store.forget_history(ctx.ref(PREDICTIONS))
        count = ctx.store.read(ctx.ref(PREDICTIONS)).count()
        note.rows(count, "scores")
    return count


def _measure_utility(ctx: Context, release: Release) -> None:
    with ctx.step("measure utility") as note:
        measured = utility(ctx.store.read(ctx.ref(PREDICTIONS)), ctx.policy.evaluate.threshold)
        rows = metric_rows(measured, release.id)
        ctx.store.replace_where(
            ctx.ref(UTILITY_METRICS), ctx.rows(UTILITY_METRICS, rows), policy=ctx.policy.name, release_id=release.id
        )
        note.rows(len(rows), "metrics")


def _measure_release(ctx: Context, release: Release) -> None:
    settings = ctx.policy.anonymize
    with ctx.step("measure the released table") as note:
        table = ctx.read(RELEASE)
        rows = class_metrics(table, settings, release.rows_in, release.rows_suppressed)
        splits = [row["split"] for row in table.select("split").distinct().collect()]
        known = [frozen_generalizer(ctx.read(GENERALIZER), ctx.policy, release, split) for split in splits]
        domains = category_domains(coding for each in known for coding in each.codings)
        rows += certainty_metrics(table, settings, domains, largest_shares(each.shares for each in known))
        _record(ctx, release, "release", rows)
        note.rows(len(rows), "metrics")


def _recheck(ctx: Context, release: Release) -> None:
    """Finds the people behind the published classes again; a mismatch is recorded and fails the stage."""
    with ctx.step("find the released classes in the clean table") as note:
        settings = ctx.policy.anonymize
        left_out = _changed_slices(ctx, release)
        slice_name = F.to_json(F.struct(*settings.slice_columns)) if settings.slice_columns else F.lit("{}")
        clean, released = (table.where(~slice_name.isin(left_out)) for table in (ctx.read(CLEAN), ctx.read(RELEASE)))
        in_classes = released.where(~without_cells(settings))
        splits = [row["split"] for row in in_classes.select("split").distinct().collect()]
        generalizers = {split: frozen_generalizer(ctx.read(GENERALIZER), ctx.policy, release, split) for split in splits}
        # Rows without cells cannot be told by slice.
        compared = in_classes if left_out else released
        rows = recheck_metrics(clean, compared, ctx.policy, generalizers, _shown_again(ctx, release))
        if left_out:
            rows.append({"metric": "recheck_slices_left_out", "scope": "", "value": float(len(left_out))})
        _record(ctx, release, "clean", rows)
        note.text = f"{rows[0]['value']:,.0f} classes, the smallest of {rows[1]['value']:.0f} people"
    if not all(row.get("met", True) for row in rows):
        raise GuaranteeError(
            f"evaluate: {ctx.ref(RELEASE)} is not what the clean table gives "
            f"({rows[2]['value']:,.0f} rows differ, the smallest class "
            f"holds {rows[1]['value']:.0f} people); withdraw the release and run stage anonymize again"
        )


def _shown_again(ctx: Context, release: Release) -> DataFrame | None:
    """What the classes show that the release shows as an earlier one did; None where it was compared with none."""
    ref, shown = ctx.ref(PUBLISHED_AGAIN), ctx.policy.anonymize.class_columns()
    if not release.compared:
        return None
    if not ctx.store.exists(ref):
        return ctx.read(RELEASE).select(*shown).limit(0)
    return ctx.store.read(ref).where(F.col("release_id").isin(list(release.lineage))).select(*shown)


def _changed_slices(ctx: Context, release: Release) -> list[str]:
    """Released slices whose clean rows are no longer what was released, as stage anonymize found and the policy accepts."""
    ref = ctx.ref(RELEASE_SLICES)
    if not ctx.store.exists(ref):
        return []
    of_release = (F.col("policy") == ctx.policy.name) & F.col("release_id").isin(list(release.lineage))
    return [row["slice"] for row in ctx.store.read(ref).where(of_release & F.col("changed")).select("slice").collect()]


def _record(ctx: Context, release: Release, measured_on: str, rows: list[dict[str, Any]]) -> None:
    common = {"release_id": release.id, "measured_on": measured_on}
    ctx.store.replace_where(
        ctx.ref(PRIVACY_METRICS),
        ctx.rows(PRIVACY_METRICS, [{**common, **row} for row in rows]),
        policy=ctx.policy.name,
        release_id=release.id,
        measured_on=measured_on,
    )

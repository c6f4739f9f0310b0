"""Stage 3: from clean rows to a release whose guarantee was measured on what was written."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.anonymize import aggregates, booking, ledger
from kveil.anonymize.agreement import require_agreement
from kveil.anonymize.columns import PERSON, TREE
from kveil.anonymize.combined import combined, measured_before
from kveil.anonymize.compose import (
    Comparison,
    compared,
    composition_metrics,
    described,
    forget_replaced,
    record_classes,
    rows_again,
)
from kveil.anonymize.contribution import bounded
from kveil.anonymize.domains import codings
from kveil.anonymize.earlier import require_not_shown, restored_version
from kveil.anonymize.identifiers import check_identifiers
from kveil.anonymize.identity import content, guarantee_id, used_columns
from kveil.anonymize.leftovers import cell_metrics
from kveil.anonymize.masking.arrow import Masks
from kveil.anonymize.masking.bounds import LOWER, UPPER, bound_metrics, with_bounds
from kveil.anonymize.masking.checks import check_people, value_metrics
from kveil.anonymize.masking.columns import check_types
from kveil.anonymize.masking.keys import current_use, masks_of, require_current
from kveil.anonymize.masking.metrics import mask_metrics
from kveil.anonymize.metric import Metric
from kveil.anonymize.noise_checks import check_noise
from kveil.anonymize.noise_metrics import noise_metrics, person_metrics
from kveil.anonymize.population import population_metrics
from kveil.anonymize.population_rows import population_of
from kveil.anonymize.publish import destroy_link, is_published, published_version
from kveil.anonymize.remeasure import measured
from kveil.anonymize.remeasure_models import model_metrics
from kveil.anonymize.remeasure_trajectories import trajectory_metrics
from kveil.anonymize.secret import can_be_drawn_again, swaps_of
from kveil.anonymize.slices import record_slices, slice_name, slices_of
from kveil.anonymize.staging import make_staging
from kveil.anonymize.unique_values import check_unique, unique_metrics
from kveil.anonymize.work import Work, planned, recorded
from kveil.context import Context, StageResult
from kveil.errors import ContractError, GuaranteeError, KveilError
from kveil.tables.heads import RELEASE_ID
from kveil.tables.same_people import note_sources, told_same_people
from kveil.tables.schema import CLEAN, PRIVACY_METRICS, RELEASE, RELEASES, STAGING


def run(ctx: Context) -> StageResult:
    """Publishes one release, once: a repeated run of the same data and guarantee spends, draws and publishes nothing."""
    clean = ctx.read(CLEAN).select(*used_columns(ctx.policy))
    check_noise(clean, ctx.policy.anonymize, ctx.policy.person)
    check_types(dict(clean.dtypes), ctx.policy.anonymize.mask)
    aggregates.check(ctx)
    with ctx.step("compare the ledger with what was published"):
        booked = require_agreement(ctx)
    with ctx.step("identify the release") as note:
        found = slices_of(ctx, clean)
        work = planned(ctx, found, _content_of_population(ctx))
        rows_in = sum(each.rows for each in found)
        note.text = f"{rows_in:,} rows, {work.rows:,} of them to anonymize, release {work.release_id}"
    if not rows_in:
        raise ContractError(f"anonymize: {ctx.ref(CLEAN)} holds no rows; check the sources and the rules of clean")
    plan = aggregates.planned(ctx)
    row = recorded(ctx, work.release_id)
    # What can be refused of the whole run is refused before any of it is booked, drawn or published.
    asked = booking.bookings(ctx.policy.anonymize, work.release_id, _paid_for(ctx, work)) if row is None else []
    ledger.require_room(ctx, [*asked, *plan.bookings])
    comparison = compared(ctx, work, lambda rows: _to_anonymize(ctx, work, rows), clean) if row is None else None
    _tell_same_people(ctx, [*asked, *plan.bookings])
    if row is None or comparison is not None:
        assert comparison is not None  # made where nothing is recorded
        with ctx.step("look for direct identifiers"):
            check_identifiers(clean, ctx.policy.anonymize)
        row = _published(ctx, work, clean, comparison)
    elif not is_published(ctx, row):
        row = _published_again(ctx, row)
    require_current(ctx)
    _destroy_and_record(ctx, row)
    forget_replaced(ctx, row["release_id"])
    aggregates.published(ctx, plan, booked)
    return StageResult(rows_in=rows_in, rows_out=row["rows_released"])


def _tell_same_people(ctx: Context, asked: Sequence[ledger.Booking]) -> None:
    """Notes whose people the account is about, and says where another account is about them too."""
    if ledger.has_cost(ctx.policy.anonymize):
        note_sources(ctx.store, ctx.policy)
    for sentence in told_same_people(ctx.store, ctx.policy) if asked else []:
        ctx.progress.line(sentence)


def _content_of_population(ctx: Context) -> tuple[int, int] | None:
    if ctx.policy.anonymize.population is None:
        return None
    people = population_of(ctx)
    return content(people, people.columns)


def _to_anonymize(ctx: Context, work: Work, rows: DataFrame) -> DataFrame:
    """Of clean rows, maybe with more columns than the release reads, those of the work's slices within each person's bound."""
    mine, most = _of_work(ctx, work, rows), ctx.policy.anonymize.contribution
    return bounded(ctx.store, mine, ctx.policy.person, most.rows, used_columns(ctx.policy)) if most else mine


def _of_work(ctx: Context, work: Work, rows: DataFrame) -> DataFrame:
    """The rows of the slices that are to be anonymized."""
    return rows.where(slice_name(ctx.policy.anonymize).isin([each.name for each in work.slices])) if work.parent else rows


def _published(ctx: Context, work: Work, clean: DataFrame, comparison: Comparison) -> dict[str, Any]:
    if work.parent is not None and not is_published(ctx, work.parent):
        work = replace(work, parent=_published_again(ctx, work.parent))
    settings = ctx.policy.anonymize
    if not can_be_drawn_again(ctx, work.release_id):
        require_not_shown(ctx, ctx.ref(RELEASE), work.release_id, f"anonymize: release {work.release_id}")
    masked = current_use(ctx.policy, work.first)
    if work.parent:
        require_current(ctx)
    masks = masks_of(ctx.policy, masked)
    check_people(clean, ctx.policy.person, masks, settings.k)
    with ctx.step("look for columns that are unique per person"):
        check_unique(clean, settings, ctx.policy.person)
    tokens = value_metrics(clean, masks)
    booking.reserve(ctx, work.release_id, _paid_for(ctx, work))
    made = _staged(ctx, work, comparison, clean, masks)
    metrics = _remeasured(ctx, work, clean, comparison, [*tokens, *bound_metrics(masks, made)])
    record_classes(ctx, work.release_id, comparison)
    by_name = {metric.name: metric for metric in metrics}
    before = work.parent or {"rows_in": 0, "release_id": None}
    total = before["rows_in"] + work.rows
    with ctx.step("publish") as note:
        more = rows_again(ctx, work.release_id, comparison.again) if comparison.again.classes else None
        version = published_version(ctx, work, masked, swaps_of(ctx, work.release_id), more)
        suppressed = int(by_name["suppressed_rows"].value)
        # Classes that are published again hold the rows that they held.
        kept = total - suppressed + comparison.again.rows - comparison.again.represented
        note.text = f"{kept:,} rows as {ctx.ref(RELEASE)}, version {version}"
    row = {
        "release_id": work.release_id, "purpose": ctx.policy.purpose, "table": str(ctx.ref(RELEASE)), "version": version,
        "k": settings.k, "rows_in": total, "rows_released": kept, "rows_suppressed": suppressed,
        "smallest_class": int(by_name["class_people_min"].value), "epsilon": ledger.epsilon_of(settings),
        "parent": before["release_id"], "guarantee": guarantee_id(ctx.policy), **described(ctx.policy),
        "compared_with": [each.name for each in comparison.known],
    }  # fmt: skip
    record_slices(ctx, work.release_id, work.slices)
    _record(ctx, row)
    return row


def _paid_for(ctx: Context, work: Work) -> Sequence[str]:
    """The slices whose rows the noise is charged for; none stands for all rows."""
    return work.paid_for if ctx.policy.anonymize.slice_columns else ()


def _staged(ctx: Context, work: Work, comparison: Comparison, clean: DataFrame, masks: Masks) -> Masks:
    """Makes staging and notes that its noise is drawn; the masks with the bounds that were found for them.

    Gives back what was reserved when a user's error came before the draw.
    """
    try:
        found = with_bounds(ctx, work.release_id, comparison.rows, masks)
        make_staging(ctx, work.release_id, comparison, clean, found)
    except KveilError:
        if ctx.store.property_of(ctx.ref(STAGING), RELEASE_ID) != work.release_id:
            booking.cancelled(ctx, work.release_id)
        raise
    booking.drawn(ctx, work.release_id)
    return found


def _remeasured(ctx: Context, work: Work, clean: DataFrame, comparison: Comparison, masks: list[Metric]) -> list[Metric]:
    """Measures staging and records it beside what the `masks` told; a threshold not met destroys staging and fails.

    The metrics of a release that extends another are those of both together. Bounds that masks bought are told of published
    releases alone: trying again may find others, and they are paid for once.
    """
    with ctx.step("measure the guarantee again") as note:
        metrics = _of_staging(ctx, work, clean, comparison) + masks
        if work.parent is not None and all(metric.met is not False for metric in metrics):
            metrics = _of_both(ctx, work, metrics, clean)
        broken = [metric for metric in metrics if metric.met is False]
        if broken:
            metrics = [metric for metric in metrics if metric.name not in (LOWER, UPPER)]
        ctx.store.replace_where(
            ctx.ref(PRIVACY_METRICS), ctx.rows(PRIVACY_METRICS, [metric.row(work.release_id) for metric in metrics]),
            policy=ctx.policy.name, release_id=work.release_id, measured_on="staging",
        )  # fmt: skip
        smallest = next((metric.value for metric in metrics if metric.name == "class_people_min"), 0)
        note.text = f"smallest class holds {smallest:.0f} people"
    if broken:
        destroy_link(ctx)
        raise GuaranteeError(_sentence(broken))
    return metrics


def _of_staging(ctx: Context, work: Work, clean: DataFrame, comparison: Comparison) -> list[Metric]:
    settings = ctx.policy.anonymize
    staging = ctx.store.read(ctx.ref(STAGING)).where(F.col(TREE).isNull())
    metrics = measured(staging, settings, work.rows, comparison.again.represented)
    if any(metric.name == "classes" for metric in metrics):
        metrics += _of_models(ctx, staging, clean) + mask_metrics(staging, settings) + unique_metrics(staging, settings)
        metrics += composition_metrics(staging, comparison, ctx.policy.person, settings)
    metrics += noise_metrics(_of_work(ctx, work, clean), settings, ctx.policy.person)
    if settings.suppress == "cell":
        suppressed = next(int(metric.value) for metric in metrics if metric.name == "suppressed_rows")
        metrics += cell_metrics(staging, settings, work.rows, suppressed)
    return metrics


def _of_models(ctx: Context, staging: DataFrame, clean: DataFrame) -> list[Metric]:
    """What the policy asks beyond people and distinct values, measured on staging's classes."""
    settings = ctx.policy.anonymize
    metrics = model_metrics(staging, clean, ctx.policy.person, settings)
    if settings.population:
        metrics += population_metrics(staging, population_of(ctx), settings, codings(clean, settings, ctx.policy.person))
    if settings.trajectory:
        metrics += trajectory_metrics(staging, settings.trajectory, settings.trajectory.k or settings.k)
    return metrics


def _of_both(ctx: Context, work: Work, new: list[Metric], clean: DataFrame) -> list[Metric]:
    """With the parent's metrics. A person may have rows in both, so rows per person are counted in the clean table as well."""
    assert work.parent is not None  # the caller's condition
    both = combined(measured_before(ctx, work.parent["release_id"]), new, work.parent, work.rows)
    people = clean.select(F.col(ctx.policy.person).alias(PERSON)).where(F.col(PERSON).isNotNull())
    counted = {metric.name: metric.value for metric in person_metrics(people, ctx.policy.anonymize)}
    return [replace(metric, value=max(metric.value, counted.get(metric.name, metric.value))) for metric in both]


def _sentence(broken: list[Metric]) -> str:
    found = "; ".join(
        f"{' of '.join(filter(None, [metric.name, metric.scope]))} is {metric.value:.4g} where {metric.threshold:.4g} is demanded"
        for metric in broken
    )
    return f"anonymize: nothing was published because {found}; {_advice([metric.name for metric in broken])}"


def _advice(broken: list[str]) -> str:
    if all(name.startswith("mask_") for name in broken):
        return "mask these columns more coarsely, or say linkable: true where a person's rows may be told from others' by them"
    if all(name.startswith("value_") for name in broken):
        return "coarsen these columns in clean.derive, or write in anonymize.accepted.COLUMN why they may tell people apart"
    return "bring more people per partition (fewer anonymize.partition_by, lower k) or raise anonymize.suppression_limit"


def _published_again(ctx: Context, row: dict[str, Any]) -> dict[str, Any]:
    """Brings an earlier release back as it was, files and all, since drawing again would spend without booking."""
    with ctx.step("publish an earlier release again") as note:
        what = f"anonymize: release {row['release_id']}"
        version = restored_version(ctx, ctx.ref(RELEASE), row["version"], row["release_id"], what)
        note.text = f"{row['rows_released']:,} rows as {ctx.ref(RELEASE)}, version {version}"
    again = {**row, "version": version, "run_id": ctx.run_id, "written_at": ctx.now}
    _record(ctx, again)
    return again


def _record(ctx: Context, row: dict[str, Any]) -> None:
    ctx.store.replace_where(ctx.ref(RELEASES), ctx.rows(RELEASES, [row]), policy=ctx.policy.name, release_id=row["release_id"])


def _destroy_and_record(ctx: Context, row: dict[str, Any]) -> None:
    if row.get("link_files_left") == 0:
        return
    booking.committed(ctx, row["release_id"], row["version"])
    with ctx.step("destroy the link to people") as note:
        left = destroy_link(ctx)
        note.rows(left, "files left")
    if left:
        raise GuaranteeError(f"anonymize: {left} files of staging remain in the restricted zone; delete them and run again")
    _record(ctx, {**row, "link_files_left": left})

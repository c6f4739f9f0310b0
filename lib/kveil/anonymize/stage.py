"""Stage 3: from clean rows to a release whose guarantee was measured on what was written."""

from decimal import Decimal
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from kveil.anonymize import ledger
from kveil.anonymize.columns import TREE, ddl, of_staging
from kveil.anonymize.domains import codings
from kveil.anonymize.hiding import hidden_rows
from kveil.anonymize.identity import content, release_id, used_columns
from kveil.anonymize.kernel import Kernel
from kveil.anonymize.metric import Metric
from kveil.anonymize.population import population, population_metrics
from kveil.anonymize.publish import RELEASE_ID, destroy_link, published_version, restored_version
from kveil.anonymize.remeasure import measured
from kveil.anonymize.remeasure_models import model_metrics
from kveil.anonymize.remeasure_trajectories import trajectory_metrics
from kveil.context import Context, StageResult
from kveil.errors import ContractError, GuaranteeError
from kveil.settings import Policy
from kveil.tables.declaration import TableRef
from kveil.tables.schema import CLEAN, PRIVACY_METRICS, RAW, RELEASE, RELEASES, STAGING
from kveil.tables.store import NO_STATISTICS


def run(ctx: Context) -> StageResult:
    """Publishes one release, once: a repeated run of the same data and guarantee spends, draws and publishes nothing."""
    clean = ctx.read(CLEAN).select(*used_columns(ctx.policy))
    _check_noise_columns(clean, ctx)
    with ctx.step("identify the release") as note:
        identity = content(clean, clean.columns)
        this = release_id(ctx.policy, identity, _content_of_population(ctx))
        note.text = f"{identity[0]:,} rows, release {this}"
    if not identity[0]:
        raise ContractError(f"anonymize: {ctx.ref(CLEAN)} holds no rows; check the sources and the rules of clean")
    row = _recorded(ctx, this)
    if row is None:
        row = _published(ctx, this, clean, identity[0])
    elif ctx.store.property_of(ctx.ref(RELEASE), RELEASE_ID) != this:
        row = _published_again(ctx, row)
    _destroy_and_record(ctx, row)
    return StageResult(rows_in=identity[0], rows_out=row["rows_released"])


def population_read(policy: Policy) -> list[TableRef]:
    """The raw table of the policy's population, where it has one: read beside the clean table."""
    asked = policy.anonymize.population
    return [RAW.of(policy, asked.source)] if asked else []


def _population(ctx: Context, source: str) -> DataFrame:
    return population(ctx.read(RAW, source), ctx.policy.person, ctx.policy.anonymize)


def _content_of_population(ctx: Context) -> tuple[int, int] | None:
    asked = ctx.policy.anonymize.population
    if asked is None:
        return None
    people = _population(ctx, asked.source)
    return content(people, people.columns)


def _published(ctx: Context, this: str, clean: DataFrame, rows_in: int) -> dict[str, Any]:
    spent = ledger.book(ctx, this)
    _make_staging(ctx, this, clean)
    _hide(ctx, this, clean)
    metrics = _remeasured(ctx, this, clean, rows_in)
    by_name = {metric.name: metric for metric in metrics}
    with ctx.step("publish") as note:
        version = published_version(ctx, this)
        kept = rows_in - int(by_name["suppressed_rows"].value)
        note.text = f"{kept:,} rows as {ctx.ref(RELEASE)}, version {version}"
    row = {
        "release_id": this, "purpose": ctx.policy.purpose, "table": str(ctx.ref(RELEASE)), "version": version,
        "k": ctx.policy.anonymize.k, "rows_in": rows_in, "rows_released": kept,
        "rows_suppressed": rows_in - kept, "smallest_class": int(by_name["class_people_min"].value), "epsilon": spent,
    }  # fmt: skip
    _record(ctx, row)
    return row


def _make_staging(ctx: Context, this: str, clean: DataFrame) -> None:
    """Generalizes and draws the noise, in one Delta commit; a committed staging of this release is used as it is."""
    ref = ctx.ref(STAGING)
    if ctx.store.property_of(ref, RELEASE_ID) == this:
        return
    ctx.store.destroy(ref)
    settings = ctx.policy.anonymize
    schema = StructType.fromDDL(ddl(of_staging(settings, dict(clean.dtypes))))
    assert isinstance(schema, StructType)  # a list of columns parses to nothing else
    with ctx.step("generalize and add noise") as note:
        kernel = Kernel(settings, codings(clean, settings), ctx.policy.person, to_arrow_schema(schema))
        by = [F.col(name) for name in settings.partition_by] or [F.lit(0)]
        rows = clean.groupBy(*by).applyInArrow(kernel.function(), schema)
        ctx.store.replace(ref, rows, properties={RELEASE_ID: this, **NO_STATISTICS})
        partitions = ctx.store.read(ref).where(F.col(TREE).isNotNull()).count()
        note.text = f"{partitions:,} partitions"


def _hide(ctx: Context, this: str, clean: DataFrame) -> None:
    """Suppresses what would let a history be recognised; nothing where the policy has no trajectory."""
    if ctx.policy.anonymize.trajectory is not None:
        with ctx.step("hide histories") as note:
            note.rows(hidden_rows(ctx, this, clean), "rows suppressed")


def _remeasured(ctx: Context, this: str, clean: DataFrame, rows_in: int) -> list[Metric]:
    """Measures staging and records it; a threshold that is not met destroys staging and fails the job."""
    settings = ctx.policy.anonymize
    with ctx.step("measure the guarantee again") as note:
        staging = ctx.store.read(ctx.ref(STAGING)).where(F.col(TREE).isNull())
        metrics = measured(staging, settings, rows_in, _clamped_shares(clean, ctx))
        if any(metric.name == "classes" for metric in metrics):
            metrics += model_metrics(staging, clean, ctx.policy.person, settings)
            if settings.population:
                people = _population(ctx, settings.population.source)
                metrics += population_metrics(staging, people, settings, codings(clean, settings))
            if settings.trajectory:
                metrics += trajectory_metrics(staging, settings.trajectory, settings.trajectory.k or settings.k)
        rows = [metric.row(this) for metric in metrics]
        ctx.store.replace_where(
            ctx.ref(PRIVACY_METRICS), ctx.rows(PRIVACY_METRICS, rows),
            policy=ctx.policy.name, release_id=this, measured_on="staging",
        )  # fmt: skip
        smallest = next((metric.value for metric in metrics if metric.name == "class_people_min"), 0)
        note.text = f"smallest class holds {smallest:.0f} people"
    broken = [metric for metric in metrics if metric.met is False]
    if broken:
        destroy_link(ctx)
        raise GuaranteeError(_sentence(broken))
    return metrics


def _sentence(broken: list[Metric]) -> str:
    found = "; ".join(
        f"{' of '.join(filter(None, [metric.name, metric.scope]))} is {metric.value:.4g} where {metric.threshold:.4g} is demanded"
        for metric in broken
    )
    return (
        f"anonymize: nothing was published because {found}; "
        "bring more people per partition (fewer anonymize.partition_by, lower k) or raise anonymize.suppression_limit"
    )


def _check_noise_columns(clean: DataFrame, ctx: Context) -> None:
    types = dict(clean.dtypes)
    for name in ctx.policy.anonymize.noise:
        if types[name] not in ("tinyint", "smallint", "int", "bigint"):
            raise ContractError(
                f"anonymize.noise.{name}: the clean table's column is {types[name]}; exact noise needs whole numbers; "
                "make it a whole number of its smallest unit in clean.money or clean.derive"
            )


def _clamped_shares(clean: DataFrame, ctx: Context) -> dict[str, float]:
    noise = ctx.policy.anonymize.noise
    if not noise:
        return {}
    outside = [
        F.coalesce(F.avg((~F.col(name).between(role.lower, role.upper)).cast("double")), F.lit(0.0)).alias(name)
        for name, role in noise.items()
    ]
    row = clean.agg(*outside).first()
    assert row is not None  # an aggregation without groups has one row
    return {name: float(row[name]) for name in noise}


def _recorded(ctx: Context, this: str) -> dict[str, Any] | None:
    """The release's row, when it was published before."""
    ref = ctx.ref(RELEASES)
    if not ctx.store.exists(ref):
        return None
    row = ctx.store.read(ref).where((F.col("release_id") == this) & (F.col("policy") == ctx.policy.name)).first()
    return {**row.asDict(), "epsilon": Decimal(row["epsilon"])} if row else None


def _published_again(ctx: Context, row: dict[str, Any]) -> dict[str, Any]:
    """Brings an earlier release back as it was: its rows are copied, since drawing again would spend without booking."""
    with ctx.step("publish an earlier release again") as note:
        version = restored_version(ctx, row["release_id"], row["version"])
        note.text = f"{row['rows_released']:,} rows as {ctx.ref(RELEASE)}, version {version}"
    again = {**row, "version": version, "run_id": ctx.run_id, "written_at": ctx.now}
    _record(ctx, again)
    return again


def _record(ctx: Context, row: dict[str, Any]) -> None:
    ctx.store.replace_where(ctx.ref(RELEASES), ctx.rows(RELEASES, [row]), policy=ctx.policy.name, release_id=row["release_id"])


def _destroy_and_record(ctx: Context, row: dict[str, Any]) -> None:
    if row.get("link_files_left") == 0:
        return
    with ctx.step("destroy the link to people") as note:
        left = destroy_link(ctx)
        note.rows(left, "files left")
    if left:
        raise GuaranteeError(f"anonymize: {left} files of staging remain in the restricted zone; delete them and run again")
    _record(ctx, {**row, "link_files_left": left})

"""Staging without the rows by which a history could be recognised, and without the classes that their going breaks."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.columns import PERSON, TREE, of_class
from kveil.anonymize.masking.keys import MASK_KEY
from kveil.anonymize.remeasure_models import CLASS, class_measures, meets
from kveil.anonymize.trajectories import POINT, histories, point, safe_histories
from kveil.context import Context
from kveil.settings.anonymize import Anonymize
from kveil.settings.disclosure import Trajectory
from kveil.tables.declaration import TableRef
from kveil.tables.heads import RELEASE_ID
from kveil.tables.schema import STAGING, TRAJECTORIES
from kveil.tables.store import NO_STATISTICS


def hidden_rows(ctx: Context, release_id: str, clean: DataFrame) -> int:
    """Suppresses rows in staging until the policy's trajectory holds and every class meets its models; how many that were.

    Staging is only ever replaced by fewer of its own rows under the same release id: noise that was drawn stays drawn.
    Staging that is safe already is left as it is, so a repeated run finishes what an interrupted one began. The population
    is not looked at here; measuring again does.
    """
    asked, settings = ctx.policy.anonymize.trajectory, ctx.policy.anonymize
    assert asked is not None  # called where the policy has one
    before = left = _rows(ctx).count()
    while True:
        recognisable = _left(ctx, release_id, _of_safe_histories(ctx, asked, asked.k or settings.k), left)
        left = _left(ctx, release_id, _of_safe_classes(_rows(ctx), clean, ctx.policy.person, settings), recognisable)
        # Histories stay safe where no class had to go.
        if left == recognisable:
            ctx.store.destroy(ctx.ref(TRAJECTORIES))
            return before - left


def _rows(ctx: Context) -> DataFrame:
    return _as_it_is(ctx, ctx.ref(STAGING)).where(F.col(TREE).isNull())


def _as_it_is(ctx: Context, ref: TableRef) -> DataFrame:
    """The table at the version that it has now, since it is replaced by what is made of it."""
    return ctx.store.read(ref, ctx.store.version(ref))


def _left(ctx: Context, release_id: str, kept: DataFrame, rows: int) -> int:
    """Makes `kept` staging's rows where that changes anything; how many they are."""
    left = kept.count()
    if left < rows:
        trees = _as_it_is(ctx, ctx.ref(STAGING)).where(F.col(TREE).isNotNull())
        key = ctx.store.property_of(ctx.ref(STAGING), MASK_KEY)
        named = {RELEASE_ID: release_id, **({MASK_KEY: key} if key else {})}
        ctx.store.replace(ctx.ref(STAGING), kept.unionByName(trees), properties={**named, **NO_STATISTICS})
    return left


def _of_safe_histories(ctx: Context, asked: Trajectory, k: int) -> DataFrame:
    def keep(found: DataFrame) -> DataFrame:
        ctx.store.replace(ctx.ref(TRAJECTORIES), found, properties=NO_STATISTICS)
        return _as_it_is(ctx, ctx.ref(TRAJECTORIES))

    rows = _rows(ctx)
    safe = safe_histories(histories(rows, asked), asked, k, keep).select(PERSON, POINT).distinct()
    return rows.withColumn(POINT, point(asked.points)).join(safe, [PERSON, POINT], "left_semi").drop(POINT)


def _of_safe_classes(rows: DataFrame, clean: DataFrame, person: str, settings: Anonymize) -> DataFrame:
    """The rows whose class still holds k people and what is asked of each sensitive column."""
    keyed = rows.withColumn(CLASS, F.struct(*of_class(settings)))
    enough = F.count_distinct(PERSON) >= settings.k
    for name, role in settings.sensitive.items():
        # A struct is never null, so that null counts as a value.
        enough = enough & (F.count_distinct(F.struct(name)) >= role.distinct)
    safe = keyed.groupBy(CLASS).agg(enough.alias("enough")).where("enough").select(CLASS)
    for name, role in settings.sensitive.items():
        if role.has_models:
            safe = safe.join(class_measures(rows, clean, person, settings, name).where(meets(role)), CLASS, "left_semi")
    return keyed.join(safe, CLASS, "left_semi").drop(CLASS)

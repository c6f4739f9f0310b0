"""What is kept of a release for later ones to be compared with: its classes' sizes and marks, and its trees."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.columns import CLASS, MARK, PERSON, TREE, before
from kveil.anonymize.compose.again import record_again
from kveil.anonymize.compose.comparison import Comparison
from kveil.anonymize.compose.kept import trees_of
from kveil.anonymize.compose.known import this_release
from kveil.anonymize.compose.label import class_id, with_classes
from kveil.context import Context
from kveil.tables.keys import with_keyed_hash, with_keyed_number
from kveil.tables.schema import RELEASE_CLASSES, RELEASE_TREES, STAGING

_KEY = "classes of releases"
_SUM = "kveil_sum"


def with_marks(ctx: Context, rows: DataFrame, columns: Sequence[str], name: str = MARK) -> DataFrame:
    """The rows with a keyed number of these columns: another one as soon as a value is another one."""
    return with_keyed_number(ctx.store, rows, _KEY, columns, name)


def marked(ctx: Context, rows: DataFrame, class_: Column, mark: str, *more: Column) -> DataFrame:
    """Per class its rows and their mark, of the rows' marks; null classes are left out."""
    summed = F.sum(F.col(mark).cast("decimal(20,0)")).cast("string").alias(_SUM)
    each = rows.withColumn("class", class_).where("class IS NOT NULL")
    found = each.groupBy("class").agg(F.count(F.lit(1)).alias("rows"), summed, *more)
    # The sum alone would tell, beside the rows that are left, which one has gone.
    told = F.concat_ws(" ", F.col("class").cast("string"), F.col("rows").cast("string"), _SUM)
    return with_keyed_hash(ctx.store, found, _KEY, told, "mark").drop(_SUM)


def record_classes(ctx: Context, release_id: str, comparison: Comparison) -> None:
    """Writes the classes and trees of staging, and the classes that are published again, under the release's id, in the
    restricted zone; writing twice is writing once.
    """
    staging, by = ctx.store.read(ctx.ref(STAGING)), ctx.policy.anonymize.partition_by
    partition = F.to_json(F.struct(*by)) if by else F.lit("{}")
    trees = staging.where(F.col(TREE).isNotNull()).select(partition.alias("partition"), F.col(TREE).alias("tree"))
    classes = marked(ctx, *_classified(ctx, staging, release_id, comparison))
    for table, made in ((RELEASE_CLASSES, classes), (RELEASE_TREES, trees)):
        common = {"policy": ctx.policy.name, "release_id": release_id, "run_id": ctx.run_id, "written_at": ctx.now}
        filled = made.withColumns({name: F.lit(value) for name, value in common.items()}).select(*table.names)
        ctx.store.replace_where(ctx.ref(table), filled, policy=ctx.policy.name, release_id=release_id)
    if comparison.again.classes:
        record_again(ctx, release_id)


def _classified(
    ctx: Context, staging: DataFrame, release_id: str, comparison: Comparison
) -> tuple[DataFrame, Column, str, Column]:
    """Rows with their class, mark and people, as `marked` takes them: staging's where its classes are those that trees tell.

    Boxes overlap and levels are numbered anew when they are published: there the published trees tell each row's class, as they
    will when a later release is compared.
    """
    settings = ctx.policy.anonymize
    if settings.algorithm == "mondrian":
        rows, class_, person = staging.where(F.col(TREE).isNull()), class_id(settings.partition_by, F.col(CLASS)), PERSON
    else:
        found = staging.where(F.col(TREE).isNotNull()).select(*settings.partition_by, TREE).toArrow()
        this = this_release(ctx.policy, release_id, trees_of(found, settings.partition_by))
        own = comparison.rows.where(F.col(ctx.policy.person).isNotNull()).drop(before(0))
        rows, class_, person = with_classes(own, [this]), F.col(before(0)), ctx.policy.person
    return rows, class_, MARK, F.countDistinct(person).alias("people")

"""What is kept of a release for later ones to be compared with: its classes' sizes and marks, and its trees."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.columns import CLASS, MARK, PERSON, TREE
from kveil.anonymize.compose.again import Again, record_again
from kveil.anonymize.compose.label import class_id
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


def record_classes(ctx: Context, release_id: str, again: Again) -> None:
    """Writes the classes and trees of staging, and the classes that are published again, under the release's id, in the
    restricted zone; writing twice is writing once.
    """
    staging, by = ctx.store.read(ctx.ref(STAGING)), ctx.policy.anonymize.partition_by
    rows = staging.where(F.col(TREE).isNull())
    classes = marked(ctx, rows, class_id(by, F.col(CLASS)), MARK, F.countDistinct(PERSON).alias("people"))
    partition = F.to_json(F.struct(*by)) if by else F.lit("{}")
    trees = staging.where(F.col(TREE).isNotNull()).select(partition.alias("partition"), F.col(TREE).alias("tree"))
    for table, made in ((RELEASE_CLASSES, classes), (RELEASE_TREES, trees)):
        common = {"policy": ctx.policy.name, "release_id": release_id, "run_id": ctx.run_id, "written_at": ctx.now}
        filled = made.withColumns({name: F.lit(value) for name, value in common.items()}).select(*table.names)
        ctx.store.replace_where(ctx.ref(table), filled, policy=ctx.policy.name, release_id=release_id)
    if again.classes:
        record_again(ctx, release_id)

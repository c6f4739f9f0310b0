"""Classes that changed, published again as the last release showed them: who holds both releases learns nothing from them.

Only the policy's last release, with the same guarantee, can lend its rows: same columns, same noise, same masks. They are copied
and not drawn again, and cost nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from kveil.anonymize.columns import CLASS, before, ddl, of_class
from kveil.anonymize.compose.known import Known
from kveil.anonymize.compose.label import class_id
from kveil.anonymize.compose.overlaps import NEW, ROWS, Verdict
from kveil.anonymize.identity import guarantee_id
from kveil.anonymize.shown import shown_columns
from kveil.context import Context
from kveil.privacy.frozen import FrozenPartition, leaf_numbers
from kveil.session import SPARK_ERRORS
from kveil.settings.anonymize import Anonymize
from kveil.tables.schema import PUBLISHED_AGAIN, RELEASE, RELEASE_CLASSES

_NOW = "rows_now"


@dataclass(frozen=True)
class Again:
    """What is published again: how many classes, how many rows they hold, how many of today's rows they stand for, the people in
    the smallest, and the released table's version that lends the rows.
    """

    classes: int = 0
    rows: int = 0
    represented: int = 0
    people_min: int = 0
    version: int = 0


def choose_again(ctx: Context, release_id: str, known: Sequence[Known], verdict: Verdict) -> Again:
    """Writes down which held classes are published again, with what they show; none where no release can lend its rows."""
    source = _source(ctx, known)
    if source is None:
        return Again()
    number, release = source
    held = verdict.held.where(F.col(before(number)).isNotNull()).groupBy(F.col(before(number)).alias(NEW))
    now = held.agg(F.sum(ROWS).alias(_NOW))
    found = release.classes(ctx).select(NEW, ROWS, "people", "mark").join(now, NEW).join(_shown(ctx, release), NEW)
    ref = ctx.ref(PUBLISHED_AGAIN)
    ctx.store.replace_where(ref, found.withColumn("release_id", F.lit(release_id)), release_id=release_id)
    represented = F.sum(F.least(F.col(ROWS), F.col(_NOW))).alias("represented")
    row = _chosen(ctx, release_id).agg(
        F.count(F.lit(1)).alias("classes"), F.sum(ROWS).alias("rows"), represented, F.min("people").alias("people_min")
    ).first()  # fmt: skip
    if row is None or not row["classes"]:
        return Again()
    again = Again(**{name: int(value) for name, value in row.asDict().items()}, version=release.version)
    if _rows_there(ctx, release_id, again) == again.rows:
        return again
    ctx.store.delete_where(ref, release_id=release_id)
    return Again()


def rows_again(ctx: Context, release_id: str, again: Again) -> DataFrame:
    """The rows of the classes that are published again, as the last release showed them."""
    shown = of_class(ctx.policy.anonymize)
    chosen = _chosen(ctx, release_id).select(*[F.col(f"`{name}`").alias(f"kveil_{i}") for i, name in enumerate(shown)])
    rows = ctx.store.read(ctx.ref(RELEASE), again.version)
    same = [rows[name].eqNullSafe(chosen[f"kveil_{i}"]) for i, name in enumerate(shown)]
    return rows.join(chosen, reduce(Column.__and__, same), "left_semi")


def record_again(ctx: Context, release_id: str) -> None:
    """Adds the classes that are published again to the release's classes, as large as they were."""
    common = {"policy": ctx.policy.name, "run_id": ctx.run_id, "written_at": ctx.now}
    rows = _chosen(ctx, release_id).withColumns({name: F.lit(value) for name, value in common.items()})
    ctx.store.append(ctx.ref(RELEASE_CLASSES), rows.select(*RELEASE_CLASSES.names))


def _chosen(ctx: Context, release_id: str) -> DataFrame:
    return ctx.store.read(ctx.ref(PUBLISHED_AGAIN)).where(F.col("release_id") == release_id)


def _rows_there(ctx: Context, release_id: str, again: Again) -> int | None:
    try:
        return rows_again(ctx, release_id, again).count()
    except SPARK_ERRORS:
        return None  # its files are gone, as after a vacuum


def _source(ctx: Context, known: Sequence[Known]) -> tuple[int, Known] | None:
    promised = guarantee_id(ctx.policy)
    mine = [(i, each) for i, each in enumerate(known) if each.policy == ctx.policy.name]
    if ctx.policy.anonymize.algorithm != "mondrian" or not mine or mine[0][1].guarantee != promised:
        return None
    return mine[0]


def _shown(ctx: Context, release: Known) -> DataFrame:
    """Per class of a release its id and what it shows, but for classes that show the same: their rows cannot be told apart."""
    settings = ctx.policy.anonymize
    names = of_class(settings)
    kinds = {name: kind for name, kind in ctx.store.read(ctx.ref(RELEASE), release.version).dtypes if name in names}
    schema = StructType.fromDDL(ddl({**kinds, CLASS: "bigint"}))
    assert isinstance(schema, StructType)  # a list of columns parses to nothing else
    tables = [
        _classes_of(key, FrozenPartition.from_bytes(tree), settings, to_arrow_schema(schema))
        for key, trees in release.trees.items()
        for tree in trees
    ]
    classes = ctx.spark.createDataFrame(pa.concat_tables(tables), schema)
    single = classes.groupBy(*names).agg(F.count(F.lit(1)).alias("same"), F.first(CLASS).alias(CLASS)).where("same = 1")
    return single.select(class_id(settings.partition_by, F.col(CLASS)).alias(NEW), *names)


def _classes_of(key: Sequence[str], partition: FrozenPartition, settings: Anonymize, schema: pa.Schema) -> pa.Table:
    leaves = np.arange(partition.tree.classes, dtype=np.int32)
    made = {CLASS: pa.array(leaf_numbers(leaves, partition.fragment))}
    made |= {name: pa.array([text] * len(leaves), pa.string()) for name, text in zip(settings.partition_by, key, strict=True)}
    shown = partition.columns()
    for coding in partition.codings:
        made |= shown_columns(coding, shown[coding.name], pa.array(leaves), schema.names)
    return pa.table({field.name: made[field.name].cast(field.type) for field in schema}, schema=schema)

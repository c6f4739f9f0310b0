"""What a replaced release leaves behind in the zone that recipients read."""

from pyspark.sql import functions as F

from kveil.context import Context
from kveil.model.lineage import lineage_of
from kveil.tables.schema import GENERALIZER, RELEASE, RELEASES


def forget_replaced(ctx: Context, release_id: str) -> None:
    """Destroys the versions and trees of earlier releases that the current one replaced, unless the policy keeps them.

    A release that others grew from is part of the current one and stays. Doing it again does nothing.
    """
    if ctx.policy.anonymize.replaced == "keep":
        return
    rows = [row.asDict() for row in ctx.store.read(ctx.ref(RELEASES)).select("release_id", "parent").collect()]
    standing = list(lineage_of(rows, release_id))
    trees = ctx.ref(GENERALIZER)
    if not ctx.store.read(trees).where(~F.col("release_id").isin(standing)).isEmpty():
        ctx.store.replace(trees, ctx.store.read(trees, ctx.store.version(trees)).where(F.col("release_id").isin(standing)))
        ctx.store.forget_history(trees)
    if any(row["release_id"] not in standing for row in rows):
        ctx.store.forget_history(ctx.ref(RELEASE))

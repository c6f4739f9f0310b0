"""The stage run on a small table, and what was measured of its release."""

import pandas as pd
from kveil.anonymize import stage
from kveil.context import Context
from kveil.evaluate.recheck import recheck_metrics
from kveil.model.lineage import current_release, frozen_generalizer
from kveil.tables.schema import CLEAN, GENERALIZER, PRIVACY_METRICS, RELEASE, RELEASES
from kveil.tables.store import TableStore
from pyspark.sql import DataFrame

from tests.builders import clean_rows, context, shop


def anonymized(store: TableStore, rows: pd.DataFrame, **changes: object) -> Context:
    """The context in which `shop`, with changes, released these clean rows."""
    ctx = context(store, shop(**changes), "anonymize")
    store.replace(ctx.ref(CLEAN), clean_rows(store.spark, rows))
    stage.run(ctx)
    return ctx


def found(ctx: Context) -> tuple[dict[str, float], dict[str, float]]:
    """What was measured on staging, and what sending the clean table through the frozen generalizer finds."""
    measured = ctx.store.read(ctx.ref(PRIVACY_METRICS)).toPandas()
    assert not (measured.met == False).any()  # noqa: E712 - null means that nothing was asked
    return measured.set_index("metric").value.to_dict(), found_again(ctx)


def found_again(ctx: Context, clean: DataFrame | None = None, published: DataFrame | None = None) -> dict[str, float]:
    """What evaluate finds of the classes in the clean table, or in others in the place of the two."""
    release = current_release(ctx.store.read(ctx.ref(RELEASES)), ctx.policy)
    clean = ctx.store.read(ctx.ref(CLEAN)) if clean is None else clean
    published = ctx.store.read(ctx.ref(RELEASE)) if published is None else published
    trees = ctx.store.read(ctx.ref(GENERALIZER))
    generalizers = {split: frozen_generalizer(trees, ctx.policy, release, split) for split in ("train", "holdout")}
    return {row["metric"]: row["value"] for row in recheck_metrics(clean, published, ctx.policy, generalizers)}

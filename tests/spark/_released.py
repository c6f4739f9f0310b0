"""The stage run on a small table, and what was measured of its release."""

import pandas as pd
from kveil.anonymize import stage
from kveil.context import Context
from kveil.evaluate.recheck import recheck_metrics
from kveil.model.lineage import current_release, frozen_generalizer
from kveil.tables.schema import CLEAN, GENERALIZER, PRIVACY_METRICS, RELEASE, RELEASES
from kveil.tables.store import TableStore

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
    release = current_release(ctx.store.read(ctx.ref(RELEASES)), ctx.policy)
    trees, published = ctx.store.read(ctx.ref(GENERALIZER)), ctx.store.read(ctx.ref(RELEASE))
    generalizers = {split: frozen_generalizer(trees, ctx.policy, release, split) for split in ("train", "holdout")}
    again = recheck_metrics(ctx.store.read(ctx.ref(CLEAN)), published, ctx.policy, generalizers)
    return measured.set_index("metric").value.to_dict(), {row["metric"]: row["value"] for row in again}

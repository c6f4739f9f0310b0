"""Anonymizes a small table in a session of its own and prints what was measured: `python -m tests.e2e.one_release LAKE`."""

import json
import sys

from kveil.anonymize import fragments, stage
from kveil.session import session
from kveil.tables.lake import Lake
from kveil.tables.schema import CLEAN, PRIVACY_METRICS, RELEASE
from kveil.tables.store import TableStore

from tests.builders import clean_rows, context, purchases, shop


def main(folder: str) -> None:
    """One release without noise, in fragments; its metrics and the number of rows per class, as JSON."""
    fragments.ROWS_PER_FRAGMENT, fragments.SAMPLED_PER_FRAGMENT = 600, 300
    spark = session("kveil-one-release")
    store = TableStore(spark, Lake.at(folder))
    document = shop(anonymize__partition_by=["split"], anonymize__noise={}, anonymize__budget=None)
    ctx = context(store, document, "anonymize")
    # Spark samples by partition, so the same rows must lie in the same partition everywhere.
    store.replace(ctx.ref(CLEAN), clean_rows(spark, purchases()).repartition(1))
    stage.run(ctx)
    metrics = {f"{row.metric} {row.scope}": row.value for row in ctx.store.read(ctx.ref(PRIVACY_METRICS)).collect()}
    classes = store.read(ctx.ref(RELEASE)).groupBy("split", "age", "town", "date").count().collect()
    print(json.dumps([metrics, sorted(map(str, classes))]))


if __name__ == "__main__":
    main(sys.argv[1])

"""Anonymizes a small table in a session of its own and prints what was measured: `python -m tests.e2e.one_release LAKE`.

With KVEIL_TEST_STUMBLE=FILE the first task that makes rows fails, and Spark tries it again.
With KVEIL_TEST_LINGER=FOLDER the first ends when another has made the same; the folder has what each attempt made.
"""

import json
import os
import sys
import time
import uuid
from pathlib import Path

from kveil.anonymize import fragments, stage, staging
from kveil.anonymize.kernel import Kernel
from kveil.session import session
from kveil.tables.lake import Lake
from kveil.tables.schema import CLEAN, PRIVACY_METRICS, RELEASE
from kveil.tables.store import TableStore
from pyspark.sql import SparkSession

from tests.builders import clean_rows, context, purchases, shop


class Stumbling(Kernel):
    """Fails once, then works."""

    def function(self):
        released, marker = super().function(), Path(os.environ["KVEIL_TEST_STUMBLE"])

        def once(table):
            if not marker.exists():
                marker.touch()
                raise RuntimeError("a worker is lost")
            return released(table)

        return once


class Lingering(Kernel):
    """Notes what every attempt at a fragment makes; the very first does not end before another attempt made it too."""

    def function(self):
        released, folder = super().function(), Path(os.environ["KVEIL_TEST_LINGER"])

        def noted(table):
            made = released(table)
            place = "-".join(map(str, self._place(table)))
            (folder / f"{place}.{uuid.uuid4().hex}").write_text("\n".join(sorted(map(str, made.to_pylist()))))
            try:
                (folder / "lingering").touch(exist_ok=False)
            except FileExistsError:
                return made
            for _ in range(600):
                if len(list(folder.glob(f"{place}.*"))) > 1:
                    break
                time.sleep(0.1)
            return made

        return noted


Released = tuple[dict[str, float], list[str], list[str]]
"""Metrics, the rows per class and the noisy values."""

NOISE_KEY = ("KVEIL_TEST_NOISE", "0123456789abcdef" * 4)
SMALL_FRAGMENTS = {"ROWS_PER_FRAGMENT": 600, "SAMPLED_PER_FRAGMENT": 300}


def released(spark: SparkSession, folder: str) -> Released:
    """One release in fragments whose noise repeats, where NOISE_KEY and SMALL_FRAGMENTS are set."""
    store = TableStore(spark, Lake.at(folder))
    document = shop(
        sources__sales__columns__receipt="bigint",
        anonymize__partition_by=["split"],
        anonymize__noise_row=["receipt"],
        anonymize__noise_key={"env": "KVEIL_TEST_NOISE"},
    )
    ctx = context(store, document, "anonymize")
    rows = purchases()
    # Spark samples by partition, so the same rows must lie in the same partition everywhere.
    store.replace(ctx.ref(CLEAN), clean_rows(spark, rows.assign(receipt=range(len(rows)))).repartition(1))
    stage.run(ctx)
    metrics = {f"{row.metric} {row.scope}": row.value for row in ctx.store.read(ctx.ref(PRIVACY_METRICS)).collect()}
    classes = store.read(ctx.ref(RELEASE)).groupBy("split", "age", "town", "date").count().collect()
    noisy = store.read(ctx.ref(RELEASE)).select("split", "item", "cents").collect()
    return metrics, sorted(map(str, classes)), sorted(map(str, noisy))


def main(folder: str) -> None:
    """Prints what was released, as JSON."""
    if "KVEIL_TEST_STUMBLE" in os.environ:
        staging.Kernel = Stumbling
    if "KVEIL_TEST_LINGER" in os.environ:
        staging.Kernel = Lingering
    os.environ.update([NOISE_KEY])
    vars(fragments).update(SMALL_FRAGMENTS)
    print(json.dumps(released(session("kveil-one-release"), folder)))


if __name__ == "__main__":
    main(sys.argv[1])

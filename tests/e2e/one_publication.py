"""Publishes a noisy release and aggregates in a process and a JVM of its own: `python -m tests.e2e.one_publication LAKE`.

Says `ready` before the stage and `done` after it. The clean table is there already.
"""

import sys

from kveil.anonymize import stage
from kveil.session import session
from kveil.tables.lake import Lake
from kveil.tables.store import TableStore

from tests.builders import context, shop
from tests.e2e.one_booker import LIGHT

TOWNS = {"values": ["east", "north", "south", "west"]}
MONTHS = {"every": "month", "first": "2024-01-01", "last": "2024-03-31"}
COUNT = {"purchases": {"kind": "count"}}
POLICY = shop(
    anonymize__partition_by=["split"],
    anonymize__budget={"epsilon": 10, "delta": "1e-5"},
    anonymize__aggregates={
        "monthly": {
            "group_by": {"town": TOWNS, "date": MONTHS}, "levels": [[], ["town"]], "measures": COUNT, "epsilon": 1,
            "contribution": {"rows": 20},
        },
        "towns": {
            "group_by": {"town": "unknown"}, "measures": COUNT, "epsilon": 2,
            "contribution": {"rows": 20, "groups": 2}, "selection": {"epsilon": 4, "delta": "1e-6"},
        },
    },
)  # fmt: skip


def main(folder: str) -> None:
    """One run of the stage."""
    spark = session("kveil-one-publication")
    for key, value in LIGHT.items():
        spark.conf.set(key, value)
    store = TableStore(spark, Lake.at(folder))
    print("ready", flush=True)
    stage.run(context(store, POLICY, "anonymize"))
    print("done", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])

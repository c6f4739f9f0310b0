"""What it costs to encrypt what a local session writes aside: `python -m bench.encryption on` or `off`, one of them a process.

Anonymizes 1,000,000 rows of 100,000 people, k = 10, with noise; says wall and CPU seconds of the process tree. Compare several
runs of both: the setting is one of the session's start.
"""

import sys
import tempfile
from pathlib import Path

from kveil import session
from kveil.anonymize import stage
from kveil.tables.lake import Lake
from kveil.tables.schema import CLEAN
from kveil.tables.store import TableStore

from bench.measure import measured
from tests.builders import context, shop

ENCRYPTION = "spark.io.encryption.enabled"
ROWS = (
    "hash(id, 1) % 100000 + 100000L AS customer", "18 + abs(hash(id % 100000, 2)) % 70 AS age",
    "element_at(array('north', 'south', 'east', 'west'), 1 + abs(hash(id % 100000, 3)) % 4) AS town",
    "date_add(date'2024-01-01', abs(hash(id, 4)) % 360) AS date", "'2024-01' AS month",
    "CASE WHEN abs(hash(id % 100000, 5)) % 4 = 0 THEN 'holdout' ELSE 'train' END AS split",
    "element_at(array('milk', 'bread', 'wine'), 1 + abs(hash(id, 6)) % 3) AS item",
    "abs(hash(id, 7)) % 3000L AS cents", "abs(hash(id, 8)) % 10 < 3 AS reduced",
)  # fmt: skip


def main(which: str) -> None:
    """One run with the setting on or off."""
    session._LOCAL[ENCRYPTION] = {"on": "true", "off": "false"}[which]
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.at(str(Path(folder) / "lake"))
        store = TableStore(session.session("kveil-bench", files=lake.files), lake)
        ctx = context(store, shop(anonymize__k=10, anonymize__partition_by=["split"]), "anonymize")
        store.replace(ctx.ref(CLEAN), store.spark.range(1_000_000).selectExpr(*ROWS))
        with measured() as cost:
            stage.run(ctx)
    print(f"encryption {which}: {cost.wall:.1f} s wall, {cost.cpu:.1f} s CPU")


if __name__ == "__main__":
    main(sys.argv[1])

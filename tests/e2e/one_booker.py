"""Books releases in a process and a JVM of its own: `python -m tests.e2e.one_booker LAKE NAME RELEASES CAP`.

Says `ready`, waits for a line, then says for every release `ask ID` and `granted ID` or `refused ID`.
"""

import sys

from kveil.anonymize import ledger
from kveil.errors import BudgetError
from kveil.session import session
from kveil.tables.lake import Lake
from kveil.tables.store import TableStore

from tests.builders import context, shop

LIGHT = {
    # Small tables in eight cold JVMs: compiling queries would cost more than running them.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.shuffle.partitions": "1",
    "spark.databricks.delta.snapshotPartitions": "1",
}


def main(folder: str, name: str, releases: str, cap: str) -> None:
    """Asks for so many releases of one epsilon each, draws and commits what is granted."""
    spark = session("kveil-booker")
    for key, value in LIGHT.items():
        spark.conf.set(key, value)
    ctx = context(TableStore(spark, Lake.at(folder)), shop(anonymize__budget={"epsilon": cap}), "anonymize", run_id=name)
    charges = ledger.row_charges(ctx.policy.anonymize)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(releases)):
        release = f"{name}-{number}"
        print("ask", release, flush=True)
        try:
            ledger.reserve(ctx, release, charges)
            print("granted", release, flush=True)
        except BudgetError:
            print("refused", release, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

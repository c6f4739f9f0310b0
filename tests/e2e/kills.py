"""make kills: a run with noise and aggregates is killed with -9 at random moments, over and over, and started again.

python -m tests.e2e.kills [--kills N] [--seed N]

After each kill: what is visible under the name of a release, or was after an earlier kill, never changes, and nothing is booked
twice. A run that was let through ends with what was visible, its cost booked once, and no secret, staging or exact row left.
The moments lie between a stage's start and its usual end; a lake is new after each run that came through.
"""

import argparse
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from kveil.anonymize.ledger.statement import verification
from kveil.context import Context
from kveil.session import session
from kveil.tables.lake import Lake
from kveil.tables.schema import (
    AGGREGATE,
    AGGREGATE_GROUPS,
    AGGREGATE_SECRET,
    BUDGET_LEDGER,
    CLEAN,
    RELEASE,
    RELEASE_SECRET,
    STAGING,
)  # fmt: skip
from kveil.tables.store import TableStore

from tests.builders import booked, clean_rows, context, purchases
from tests.e2e.one_publication import POLICY

SMALL_JVM = {
    "PYSPARK_SUBMIT_ARGS": "--driver-memory 1g pyspark-shell",
    "JAVA_TOOL_OPTIONS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
}
COSTS = {"row": Decimal(1), "person": Decimal(7)}
PERSONAL = (RELEASE_SECRET, STAGING, AGGREGATE_SECRET, AGGREGATE_GROUPS)
LONGEST = 900.0


class Trial:
    """One lake, and what was visible in it so far: rows by table, as texts."""

    def __init__(self, store: TableStore) -> None:
        self.ctx: Context = context(store, POLICY, "anonymize")
        self.seen: dict[str, list[str]] = {}
        store.replace(self.ctx.ref(CLEAN), clean_rows(store.spark, purchases(rows=1500)))

    def check(self) -> str:
        """What is visible now; AssertionError where it is not what it was, or where more is booked than was asked."""
        released = [self.ctx.ref(RELEASE), *AGGREGATE.all_of(self.ctx.policy)]
        for ref in released:
            if self.ctx.store.exists(ref):
                rows = sorted(map(str, self.ctx.store.read(ref).collect()))
                assert self.seen.setdefault(str(ref), rows) == rows, f"{ref} changed after it was visible"
            else:
                assert str(ref) not in self.seen, f"{ref} was visible and is gone"
        spent = self._spent()
        assert all(spent[unit] <= cost for unit, cost in COSTS.items()), f"spent {spent}"
        assert verification(self.ctx)[1] == []
        states = ", ".join(entry.state for entry in self._entries())
        return f"{len(self.seen)} of {len(released)} tables visible; booked: {states or 'nothing'}"

    def check_end(self) -> None:
        """After a run that was not killed."""
        self.check()
        assert len(self.seen) == 3
        assert self._spent() == COSTS
        assert [entry.state for entry in self._entries()] == ["committed"] * 3
        left = [str(self.ctx.ref(table)) for table in PERSONAL if self.ctx.store.exists(self.ctx.ref(table))]
        assert not left, f"left: {left}"

    def _entries(self) -> list[Any]:
        return booked(self.ctx) if self.ctx.store.exists(self.ctx.ref(BUDGET_LEDGER)) else []

    def _spent(self) -> dict[str, Decimal]:
        ref = self.ctx.ref(BUDGET_LEDGER)
        rows = self.ctx.store.read(ref).collect() if self.ctx.store.exists(ref) else []
        return {**dict.fromkeys(COSTS, Decimal(0)), **{row["unit"]: row["spent_epsilon"] for row in rows}}


class Run:
    """The stage in a process group of its own, JVM included."""

    def __init__(self, lake: Path) -> None:
        self.trace = lake.parent / "trace.txt"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.one_publication", str(lake)],
            stdout=subprocess.PIPE, stderr=self.trace.open("w"), text=True, start_new_session=True,
            env={**os.environ, **SMALL_JVM},
        )  # fmt: skip
        assert self.says("ready", LONGEST), "did not start"
        self.started = time.monotonic()

    def says(self, word: str, seconds: float) -> bool:
        """Whether the next line comes in time, and is this word."""
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        if not ready:
            return False
        line = self.process.stdout.readline().strip()
        assert line == word, f"ended before it said {word}: {self.trace.read_text()[-6000:]}"
        return True

    def kill(self) -> None:
        """Python, its workers and the JVM at one instant."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def end(self) -> float:
        """Waits for it; returns how long the stage took."""
        assert self.says("done", LONGEST)
        took = time.monotonic() - self.started
        assert self.process.wait(LONGEST) == 0
        return took


def main() -> None:
    """Kills so many runs and says what was found."""
    parser = argparse.ArgumentParser(prog="tests.e2e.kills")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    moments, spark = random.Random(asked.seed), session("kveil-kills")
    killed, usual = 0, LONGEST
    while killed < asked.kills:
        with tempfile.TemporaryDirectory() as folder:
            lake = Path(folder) / "lake"
            trial, killed_here = Trial(TableStore(spark, Lake.at(str(lake)))), 0
            # The first run tells how long one takes that is let through; it may have to compile, so a later one may correct it.
            while usual < LONGEST and killed + killed_here < asked.kills:
                run, moment = Run(lake), moments.uniform(0, usual)
                if run.says("done", moment):
                    run.process.wait(LONGEST)
                    usual = usual if killed_here else min(usual, moment)
                    break
                run.kill()
                killed_here += 1
                print(f"kill {killed + killed_here} after {moment:.1f} s: {trial.check()}", flush=True)
            took = Run(lake).end()
            if usual == LONGEST:
                usual = took
                print(f"a run that is let through takes {usual:.1f} s", flush=True)
            trial.check_end()
            killed += killed_here
            print("came through: what was visible stayed, everything is booked once, nothing personal is left", flush=True)


if __name__ == "__main__":
    main()

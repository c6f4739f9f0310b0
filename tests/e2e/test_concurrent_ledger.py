"""Eight processes, each with a JVM of its own, book on one account of a local lake at once, and some are killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from decimal import Decimal
from pathlib import Path

import pytest
from kveil.anonymize import ledger
from kveil.anonymize.ledger.statement import verification
from kveil.errors import BudgetError
from kveil.tables.lake import Lake
from kveil.tables.schema import BUDGET_LEDGER
from kveil.tables.store import TableStore

from tests.builders import booked, context, shop

PROCESSES, KILLED, RELEASES, CAP = 8, 2, 2, 10
# Spark refuses less than 450 MB.
SMALL_JVM = {
    "KVEIL_MASTER": "local[1]",
    "PYSPARK_SUBMIT_ARGS": "--driver-memory 512m pyspark-shell",
    "JAVA_TOOL_OPTIONS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
}


class Booker:
    """One process, and what it has said so far."""

    def __init__(self, lake: Path, name: str, releases: int = RELEASES, cap: int = CAP) -> None:
        self.said: list[tuple[str, str]] = []
        self.trace = lake.parent / f"{name}.txt"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.one_booker", str(lake), name, str(releases), str(cap)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.trace.open("w"), text=True, start_new_session=True,
            env={**os.environ, **SMALL_JVM},
        )  # fmt: skip
        self.reader = threading.Thread(target=self._listen, daemon=True)
        self.reader.start()

    def _listen(self) -> None:
        for line in self.process.stdout:
            word, _, what = line.strip().partition(" ")
            self.said.append((word, what))

    def releases(self, word: str) -> set[str]:
        return {what for said, what in self.said if said == word}

    def until(self, *words: str, seconds: float = 300) -> None:
        deadline = time.monotonic() + seconds
        while not any(said in words for said, _ in self.said):
            assert self.process.poll() is None, f"ended before it said {words}: {self.trace.read_text()[-800:]}"
            assert time.monotonic() < deadline, f"did not say {words}"
            time.sleep(0.01)

    def go(self) -> None:
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def end(self) -> None:
        self.process.wait(timeout=300)
        self.reader.join(timeout=10)


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    """The lake after all have ended: two were killed with -9 while they booked, one of them with its JVM."""
    lake = tmp_path_factory.mktemp("ledger") / "lake"
    Lake.at(str(lake)).prepare()
    # Those to be killed have more to ask for than they will get to.
    bookers = [Booker(lake, f"p{n}", 99 if n < KILLED else RELEASES) for n in range(PROCESSES)]
    try:
        for booker in bookers:
            booker.until("ready")
        for booker in bookers:
            booker.go()
        with_jvm, alone = bookers[0], bookers[1]
        with_jvm.until("ask")
        time.sleep(0.7)
        os.killpg(with_jvm.process.pid, signal.SIGKILL)
        alone.until("granted", "refused")
        time.sleep(0.3)
        os.kill(alone.process.pid, signal.SIGKILL)
        for booker in bookers:
            booker.end()
    finally:
        for booker in bookers:
            if booker.process.poll() is None:
                os.killpg(booker.process.pid, signal.SIGKILL)
    return lake, bookers


@pytest.mark.long
def test_eight_processes_never_overspend_and_lose_nothing(spark, trial):
    folder, bookers = trial
    ctx = context(TableStore(spark, Lake.at(str(folder))), shop(anonymize__budget={"epsilon": CAP}), "anonymize")
    said = {word: set().union(*(booker.releases(word) for booker in bookers)) for word in ("ask", "granted", "refused")}
    entries = [entry.release_id for entry in booked(ctx)]
    assert [booker.process.returncode for booker in bookers] == [-9] * KILLED + [0] * (PROCESSES - KILLED)
    assert len(entries) == len(set(entries)) <= CAP
    assert said["granted"] <= set(entries) <= said["ask"], "a grant was lost, or one was booked that nobody asked for"
    assert not said["refused"] & set(entries)
    # Beyond what was granted aloud, only what a killed process was about to hear can be booked.
    assert len(set(entries) - said["granted"]) <= KILLED
    assert not said["refused"] or len(entries) == CAP
    looked, wrong = verification(ctx)
    assert (len(looked), wrong) == (1, [])
    # Retrying everything that was asked for spends what is left and not a bit more; what is booked is not booked again.
    refused = 0
    for release in sorted(said["ask"]):
        try:
            ledger.reserve(ctx, release, ledger.row_charges(ctx.policy.anonymize))
        except BudgetError:
            refused += 1
    account = ctx.store.read(ctx.ref(BUDGET_LEDGER)).first()
    assert account.spent_epsilon == min(Decimal(CAP), Decimal(len(said["ask"])))
    assert refused == max(len(said["ask"]) - CAP, 0)
    assert account.sequence == len(account.entries) == account.spent_epsilon
    assert verification(ctx)[1] == []

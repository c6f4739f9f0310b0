"""Two collects of one policy at once, and the one that works killed with -9 while its rows land: nothing is lost or doubled."""

import os
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pytest
from kveil.log import Progress
from kveil.pipeline import run
from kveil.settings import load
from kveil.tables.lake import Lake
from kveil.tables.schema import COLLECTED, QUARANTINE, RAW
from kveil.tables.store import TableStore

from bench.kills import deliver

ROWS = 20_000
JOB = Path(__file__).parents[2] / "jobs" / "collect.py"
SMALL_JVM = {"KVEIL_MASTER": "local[1]", "JAVA_TOOL_OPTIONS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"}


@pytest.fixture
def collects(tmp_path):
    """Two processes, each with a JVM of its own, on one lake, and what they say."""
    policy = deliver(tmp_path, ROWS, "file")
    said = [tmp_path / f"said {n}" for n in range(2)]
    command = [sys.executable, str(JOB), str(policy), "--lake", str(tmp_path / "lake")]
    processes = [
        subprocess.Popen(command, stderr=path.open("w"), env={**os.environ, **SMALL_JVM}, start_new_session=True) for path in said
    ]
    yield policy, processes, said
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.long
def test_one_of_two_wins_and_killed_it_is_finished_by_the_next(collects, spark, tmp_path):
    policy, processes, said = collects
    deadline = time.monotonic() + 300
    # The line about the source's rows is written when they are staged; the batch lands next.
    while not any("rows of base: " in path.read_text() for path in said):
        assert time.monotonic() < deadline and any(process.poll() is None for process in processes)
        time.sleep(0.01)
    winner = next(n for n, path in enumerate(said) if "rows of base: " in path.read_text())
    loser = 1 - winner
    if processes[loser].poll() is None and "collect " not in said[loser].read_text():
        processes[loser].wait(timeout=300)
    os.killpg(processes[winner].pid, signal.SIGKILL)
    processes[winner].wait()
    assert processes[loser].returncode == 1
    assert said[loser].read_text().splitlines()[-1] == (
        "kveil: policy kills: another run is working in this lake, or an erasure or retention; wait until it is done"
    )

    store = TableStore(spark, Lake.at(str(tmp_path / "lake")))
    for _ in range(2):
        run(load(policy), store, Progress(StringIO()), ["collect"], force=True)
    ids = [row["id"] for row in store.read(RAW.of(load(policy), "base")).select("id").collect()]
    good = [i for i in range(ROWS) if i % 5000 % 10 != 3]
    assert sorted(ids) == [i for i in good if i % 100 != 7]
    aside = store.read(QUARANTINE.of(load(policy))).count()
    assert aside == sum(1 for i in good if i % 100 == 7)
    assert store.read(COLLECTED.of(load(policy))).where("state = 'planned'").isEmpty()

"""The same guarantee in local mode, on a standalone cluster and over Spark Connect."""

import json
import os
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyspark
import pytest
from kveil.anonymize import fragments
from kveil.session import jar_folder

from tests.e2e.one_release import NOISE_KEY, SMALL_FRAGMENTS, Released, released

ROOT = Path(__file__).parents[2]
SPARK = Path(pyspark.__file__).parent


def released_elsewhere(lake: Path, **environment: str) -> Released:
    """What one_release tells in a process of its own, in a session made by this environment."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.e2e.one_release", str(lake)],
        cwd=ROOT,
        env={**os.environ, "PYSPARK_PYTHON": sys.executable, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    metrics, classes, noisy = json.loads(run.stdout.splitlines()[-1])
    return metrics, classes, noisy


@contextmanager
def cluster(folder: Path, workers: int = 1) -> Iterator[str]:
    """A standalone master and workers of two cores together, in processes and at hosts of their own; the master's address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"spark://127.0.0.1:{port}"
    deploy = "org.apache.spark.deploy"
    master = ["master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0"]
    worker = [
        "worker.Worker",
        address,
        "--cores",
        str(2 // workers),
        "--memory",
        "2g",
        "--webui-port",
        "0",
        "--work-dir",
        str(folder),
    ]
    started = []
    try:
        hosts = [[*worker, "--host", f"127.0.0.{i + 1}"] for i in range(workers)]
        for i, (name, *arguments) in enumerate([master, *hosts]):
            log = (folder / f"{name}{i}.log").open("w")
            command = [str(SPARK / "bin" / "spark-class"), f"{deploy}.{name}", *arguments]
            started.append(subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "SPARK_HOME": str(SPARK)}))
            time.sleep(4)
        yield address
    finally:
        for process in started:
            process.terminate()
            process.wait(30)


def check(metrics: dict[str, float]) -> None:
    assert metrics["class_people_min "] >= 5
    assert metrics["distinct_min item"] >= 2
    assert metrics["suppressed_rows "] == 0


@pytest.mark.long
def test_local_mode_a_standalone_cluster_and_connect_keep_the_same_guarantee(spark, tmp_path, monkeypatch):
    monkeypatch.setenv(*NOISE_KEY)
    for name, value in SMALL_FRAGMENTS.items():
        monkeypatch.setattr(fragments, name, value)
    local, classes, noisy = released(spark, str(tmp_path / "local"))
    check(local)
    with cluster(tmp_path) as address:
        stumbled = tmp_path / "a task failed"
        standalone, _, again = released_elsewhere(tmp_path / "standalone", KVEIL_MASTER=address, KVEIL_TEST_STUMBLE=str(stumbled))
    check(standalone)
    # A Connect server is the platform's: here one of pyspark's own, which is given Delta as a cluster would have it.
    jars = ",".join(map(str, sorted(jar_folder().glob("*.jar"))))
    (tmp_path / "spark-defaults.conf").write_text(f"spark.jars {jars}\nspark.sql.shuffle.partitions 8\n")
    connect, _, elsewhere = released_elsewhere(tmp_path / "connect", SPARK_REMOTE="local[2]", SPARK_CONF_DIR=str(tmp_path))
    check(connect)
    # One key, the same rows: whatever failed and wherever rows lay, each drew the same noise.
    assert stumbled.exists()
    assert len(set(noisy)) > 2000
    assert noisy == again == elsewhere
    assert len(classes) > 100
    for other in (standalone, connect):
        # Sampling depends on how rows lie in partitions, so fragments may be cut elsewhere; detail must not suffer.
        assert other["classes "] >= 0.9 * local["classes "]


@pytest.mark.long
def test_a_speculative_copy_of_a_task_draws_what_the_task_draws(spark, tmp_path, monkeypatch):
    monkeypatch.setenv(*NOISE_KEY)
    for name, value in SMALL_FRAGMENTS.items():
        monkeypatch.setattr(fragments, name, value)
    _, _, noisy = released(spark, str(tmp_path / "local"))
    made = tmp_path / "made"
    made.mkdir()
    # Spark copies a slow task to another host only, so there are two.
    (tmp_path / "spark-defaults.conf").write_text(
        "spark.speculation true\nspark.speculation.quantile 0.1\nspark.speculation.task.duration.threshold 3s\n"
    )
    with cluster(tmp_path, workers=2) as address:
        metrics, _, again = released_elsewhere(
            tmp_path / "cluster", KVEIL_MASTER=address, KVEIL_TEST_LINGER=str(made), SPARK_CONF_DIR=str(tmp_path)
        )
    check(metrics)
    attempts = defaultdict(list)
    for file in made.glob("*.*"):
        attempts[file.stem].append(file.read_text())
    twice = [texts for texts in attempts.values() if len(texts) > 1]
    assert twice and all(len(set(texts)) == 1 for texts in twice)
    assert noisy == again

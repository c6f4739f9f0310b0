"""Train, evaluate, deploy and report are killed with -9, one after the other, in one lake, and then run through."""

import os
import random
import signal
import time
from pathlib import Path

import pytest
from kveil.model.tracking import Tracker
from kveil.settings import load
from kveil.tables import schema
from kveil.tables.lake import Lake
from kveil.tables.store import TableStore

from tests.e2e.conftest import SMALL_JVM, start
from tests.e2e.small import shop_files

KILLED_AFTER = [
    "anonymize  destroy the link",
    "train      fit the release",
    "train      compute feature vectors",
    "train      train logistic_regression on the release",
    "train      record the models",
    "evaluate   score held-out people",
    "evaluate   measure the released table",
    "deploy     decide at the gate",
    "deploy     register the champion",
    "report     facts",
]
LENIENT = {"min_auc": 0.01, "max_auc_loss": 0.9, "max_prosecutor_risk": 0.2}


def killed_after(line: str, seconds: float, arguments: list[str]) -> None:
    """Runs kveil, and kills it and its JVM so long after it said that a step is done."""
    process = start(arguments, **SMALL_JVM)
    said = []
    for each in process.stdout:
        said.append(each)
        if each.startswith(line):
            break
    else:
        pytest.fail(f"ended before it said {line!r}: {''.join(said)}")
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.long
def test_what_is_killed_after_the_release_is_done_once(spark, tmp_path):
    policy = shop_files(tmp_path, deploy__gate=LENIENT)
    arguments, moments = ["run", policy, "--lake", str(tmp_path / "lake")], random.Random(7)
    for line in KILLED_AFTER:
        killed_after(line, moments.uniform(0, 3), arguments)
    last = start(arguments, **SMALL_JVM)
    said, _ = last.communicate(timeout=900)
    assert last.returncode == 0, said
    require_once(TableStore(spark, Lake.at(str(tmp_path / "lake"))), policy, tmp_path / "lake")


def require_once(store: TableStore, policy_file: str, lake: Path) -> None:
    policy = load(policy_file)

    def rows(table):
        return store.read(table.of(policy)).toPandas()

    assert len(rows(schema.RELEASES)) == 1
    assert [entry["state"] for account in rows(schema.BUDGET_LEDGER).entries for entry in account] == ["committed"]
    assert not rows(schema.MODELS).duplicated(["build", "algorithm", "trained_on"]).any()
    assert not rows(schema.UTILITY_METRICS).duplicated(["release_id", "algorithm", "trained_on", "view", "metric"]).any()
    deployments = rows(schema.DEPLOYMENTS)
    assert deployments.met.all() and set(deployments.registered_version) == {"1"}
    registry = Tracker(lake, policy.name).client
    (version,) = registry.search_model_versions("name = 'refunds'")
    assert registry.get_model_version_by_alias("refunds", "champion").version == version.version
    assert (lake / "reports" / "latest" / "index.html").is_file()
    assert not [path.name for path in (lake / "restricted").iterdir() if path.name.endswith(("staging", "secret"))]

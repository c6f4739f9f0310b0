"""A generated bank goes through all stages of conf/bank.yml; a generator that is killed leaves nothing that looks like a bank."""

import json
import os
import signal
from pathlib import Path

import pytest
import yaml
from kveil.settings import load
from kveil.tables import schema
from kveil.tables.lake import Lake
from kveil.tables.store import TableStore

from tests.builders import bank
from tests.e2e.conftest import finished, start

ASKED = ["generate", "bank", "--customers", "1500", "--transactions", "24000", "--seed", "1"]
DIRECT = {"first_name", "last_name", "national_id", "email", "phone", "street", "postcode", "iban", "bic", "merchant"}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A bank, made at the second attempt: the first was killed with -9 after its first table."""
    out = tmp_path_factory.mktemp("generated") / "bank"
    process = start([*ASKED, "--out", str(out)])
    for line in process.stdout:
        if line.startswith("generate   customers"):
            break
    else:
        pytest.fail("the generator ended before it could be killed")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not out.exists()
    told = finished([*ASKED, "--out", str(out)])
    assert told.splitlines()[-1] == f"the bank is in {out}"
    return out


@pytest.fixture(scope="module")
def policy(made, tmp_path_factory) -> Path:
    """The policy that is shipped, for fewer people and a small model."""
    folder = tmp_path_factory.mktemp("policy")
    document = bank(
        made,
        anonymize__k=4,
        anonymize__partition_by=["split"],
        anonymize__suppression_limit=0.3,
        train__gradient_boosted_trees={"trees": 3, "depth": 3},
        deploy__gate={"min_auc": 0, "max_auc_loss": 1, "max_prosecutor_risk": 0.25},
    )
    (folder / "bank.yml").write_text(yaml.safe_dump(document, sort_keys=False))
    return folder / "bank.yml"


def test_a_finished_bank_is_alone_and_says_what_it_is(made):
    assert [path.name for path in made.parent.iterdir()] == ["bank"]
    told = json.loads((made / "bank.json").read_text())
    assert {name: told[name] for name in ("customers", "transactions", "seed", "dirt", "format")} == {
        "customers": 1500, "transactions": 24000, "seed": 1, "dirt": 0.02, "format": "parquet",
    }  # fmt: skip
    assert sorted(path.name for path in made.iterdir()) == sorted([*told["rows"], "bank.json"])
    assert told["rows"]["customers"] == 1500 + 7
    assert 24000 < told["rows"]["transactions"] < 24000 * 1.01


def test_the_bank_runs_through_all_stages_and_releases_no_direct_identifier(spark, made, policy, tmp_path):
    finished(["run", str(policy), "--lake", str(tmp_path / "lake")])
    store, asked = TableStore(spark, Lake.at(str(tmp_path / "lake"))), load(policy)
    log = store.read(schema.RUN_LOG.of(asked)).select("stage", "outcome").collect()
    assert [(row.stage, row.outcome) for row in log if row.outcome != "done"] == []
    assert len(log) == 7
    released = store.read(schema.RELEASE.of(asked))
    assert not DIRECT & set(released.columns)
    assert "customer_id" not in released.columns
    assert released.where("is_fraud").count() > 0
    consents = store.read(schema.CONSENT.of(asked)).groupBy("decision").count().collect()
    assert {row.decision for row in consents} >= {"grant", "refuse", "withdraw"}
    stood = {(row.regulation, row.outcome) for row in store.read(schema.LAW_LOG.of(asked)).collect()}
    assert stood >= {(law, outcome) for law in ("gdpr", "ccpa") for outcome in ("used", "refused or withdrawn")}

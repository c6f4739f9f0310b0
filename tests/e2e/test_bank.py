"""A generated bank goes through all stages of conf/bank.yml, and nothing that names a person comes out."""

import json
from pathlib import Path

import pytest
import yaml
from kveil.settings import load
from kveil.tables import schema
from kveil.tables.lake import Lake
from kveil.tables.store import TableStore

from tests.builders import bank
from tests.e2e.conftest import kveil

pytestmark = pytest.mark.long
CUSTOMERS, TRANSACTIONS = 1600, 16_000
DIRECT = {"first_name", "last_name", "national_id", "email", "phone", "street", "postcode", "iban", "bic", "merchant"}


@pytest.fixture(scope="module")
def made(spark, tmp_path_factory) -> Path:
    """A bank as the command makes it."""
    out = tmp_path_factory.mktemp("generated") / "bank"
    kveil(
        "generate", "bank", "--customers", str(CUSTOMERS), "--transactions", str(TRANSACTIONS), "--seed", "1", "--out", str(out)
    )
    return out


@pytest.fixture(scope="module")
def policy(made, tmp_path_factory) -> Path:
    """The policy that is shipped, for fewer people and one small model.

    Half are held out: with few frauds a fifth might hold none.
    """
    folder = tmp_path_factory.mktemp("policy")
    document = bank(
        made,
        clean__split={"holdout": 0.5},
        anonymize__k=4,
        anonymize__partition_by=["split"],
        anonymize__suppression_limit=0.3,
        train__gradient_boosted_trees=None,
        deploy__gate={"min_auc": 0, "max_auc_loss": 1, "max_prosecutor_risk": 0.25},
    )
    (folder / "bank.yml").write_text(yaml.safe_dump(document, sort_keys=False))
    return folder / "bank.yml"


def test_a_finished_bank_is_alone_and_says_what_it_is(made):
    assert [path.name for path in made.parent.iterdir()] == ["bank"]
    told = json.loads((made / "bank.json").read_text())
    assert {name: told[name] for name in ("customers", "transactions", "seed", "dirt", "format")} == {
        "customers": CUSTOMERS, "transactions": TRANSACTIONS, "seed": 1, "dirt": 0.02, "format": "parquet",
    }  # fmt: skip
    assert sorted(path.name for path in made.iterdir()) == sorted([*told["rows"], "bank.json"])
    assert told["rows"]["customers"] == CUSTOMERS + 8
    assert TRANSACTIONS < told["rows"]["transactions"] < TRANSACTIONS * 1.01


def test_the_bank_runs_through_all_stages_and_releases_no_direct_identifier(spark, made, policy, tmp_path):
    kveil("run", str(policy), "--lake", str(tmp_path / "lake"))
    store, asked = TableStore(spark, Lake.at(str(tmp_path / "lake"))), load(policy)
    log = store.read(schema.RUN_LOG.of(asked)).select("stage", "outcome").collect()
    assert [(row.stage, row.outcome) for row in log if row.outcome != "done"] == []
    assert len(log) == 7
    released = store.read(schema.RELEASE.of(asked))
    assert not DIRECT & set(released.columns)
    assert "customer_id" not in released.columns
    assert released.where("is_fraud").count() > 0
    masked = {name: {row[name] for row in released.select(name).distinct().collect()} - {None} for name in ("mail", "reachable")}
    assert masked == {"mail": {f"***@example.{end}" for end in ("org", "com", "net")}, "reachable": {"***"}}
    consents = store.read(schema.CONSENT.of(asked)).groupBy("decision").count().collect()
    assert {row.decision for row in consents} >= {"grant", "refuse", "withdraw"}
    stood = {(row.regulation, row.outcome) for row in store.read(schema.LAW_LOG.of(asked)).collect()}
    assert stood >= {(law, outcome) for law in ("gdpr", "ccpa") for outcome in ("used", "refused or withdrawn")}

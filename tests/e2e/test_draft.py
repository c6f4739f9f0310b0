"""A policy that kveil drafted from a generated bank goes through all stages as it was written."""

from pathlib import Path

import pytest
from kveil.classify.masks import OFFER
from kveil.settings import load
from kveil.tables import schema
from kveil.tables.lake import Lake
from kveil.tables.store import TableStore

from tests.e2e.conftest import kveil
from tests.e2e.test_bank import DIRECT

pytestmark = pytest.mark.long
TABLES = ("transactions", "customers", "accounts", "loans", "merchants", "consents")


@pytest.fixture(scope="module")
def draft(spark, tmp_path_factory) -> Path:
    """What `kveil classify` writes about a small bank; nothing is told to it."""
    folder = tmp_path_factory.mktemp("drafted")
    size = ("--customers", "500", "--transactions", "20000", "--seed", "1")
    kveil("generate", "bank", *size, "--out", str(folder / "bank"))
    kveil("classify", *(str(folder / "bank" / name) for name in TABLES), "-o", str(folder / "draft.yml"))
    return folder / "draft.yml"


@pytest.fixture(scope="module")
def ran(spark, draft):
    """The store of the draft's lake, after all stages."""
    lake = str(draft.parent / "lake")
    kveil("run", str(draft), "--lake", lake)
    return TableStore(spark, Lake.at(lake))


def test_all_stages_end_well(draft, ran):
    log = ran.read(schema.RUN_LOG.of(load(draft))).select("stage", "outcome").collect()
    assert [(row.stage, row.outcome) for row in log if row.outcome != "done"] == []
    assert len(log) == 7


def test_no_direct_identifier_is_collected_or_released(draft, ran):
    policy = load(draft)
    assert not (DIRECT - {"postcode", "bic", "merchant"}) & {name for one in policy.sources.values() for name in one.columns}
    released = ran.read(schema.RELEASE.of(policy))
    assert "customer_id" not in released.columns and released.count() > 10_000
    metrics = ran.read(schema.PRIVACY_METRICS.of(policy)).where("metric = 'class_people_min' AND measured_on = 'staging'")
    assert metrics.first().value >= policy.anonymize.k == 10


def test_the_purpose_is_one_that_people_were_asked_for(draft, ran):
    policy = load(draft)
    assert policy.purpose == "fraud_model"
    decisions = {row.decision for row in ran.read(schema.CONSENT.of(policy)).select("decision").distinct().collect()}
    assert decisions >= {"grant", "refuse", "withdraw"}


def test_every_offered_mask_can_be_taken_in(draft):
    text = draft.read_text(encoding="utf-8")
    masked = draft.with_name("masked.yml")
    masked.write_text(text.replace(OFFER, ""), encoding="utf-8")
    kveil("check", str(masked))
    made = {name: mask.technique for name, mask in load(masked).anonymize.mask.items()}
    assert made["email"] == "partial" and made["iban"] == "encrypt" and made["first_name"] == "fake"
    assert "national_id" not in made

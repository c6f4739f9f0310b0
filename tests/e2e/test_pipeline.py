"""The seven stages on real purchases: killed, resumed, repeated, and searched for people."""

import os
import re
import signal
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from kveil.errors import KveilError
from kveil.pipeline import STAGES
from kveil.settings import load
from kveil.tables import schema
from kveil.tables.declaration import Table
from kveil.tables.lake import Lake
from kveil.tables.store import TableStore

from tests.e2e.conftest import kveil, start

NAMES = [stage.name for stage in STAGES]


@pytest.fixture(scope="module")
def lake(spark, cut, tmp_path_factory) -> Path:
    """A lake whose first run was killed with -9 in stage 3, right after the noise was drawn and booked, and then resumed."""
    folder = tmp_path_factory.mktemp("kill") / "lake"
    process = start(["run", str(cut), "--lake", str(folder)])
    for line in process.stdout:
        if line.startswith("anonymize  measure the guarantee again"):
            break
    else:
        pytest.fail("the run ended before it could be killed")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kveil("run", str(cut), "--lake", str(folder))
    return folder


def rows(spark, lake: Path, cut: Path, table: Table) -> pd.DataFrame:
    store = TableStore(spark, Lake.at(str(lake)))
    return store.read(table.of(load(cut))).toPandas()


def test_a_killed_run_resumes_to_one_release_and_one_ledger_entry(spark, lake, cut):
    assert len(rows(spark, lake, cut, schema.RELEASES)) == 1
    accounts = rows(spark, lake, cut, schema.BUDGET_LEDGER).itertuples()
    states = {(account.unit, *(entry["state"] for entry in account.entries)) for account in accounts}
    assert states == {("row", "committed"), ("person", "committed")}
    log = rows(spark, lake, cut, schema.RUN_LOG)
    assert (log[log.stage.isin(["collect", "clean"])].outcome.value_counts().to_dict()) == {"done": 2, "up to date": 2}
    release = rows(spark, lake, cut, schema.RELEASE)
    record = rows(spark, lake, cut, schema.RELEASES).iloc[0]
    clean = rows(spark, lake, cut, schema.CLEAN)
    assert len(release) == record.rows_released == len(clean) - record.rows_suppressed
    assert record.smallest_class >= 5
    assert record.link_files_left == 0


def test_running_again_does_nothing(spark, lake, cut, capsys):
    before = {name: count(spark, lake, cut, table) for name, table in named_tables().items()}
    kveil("run", str(cut), "--lake", str(lake))
    output = capsys.readouterr().err
    assert [line.split()[0] for line in output.splitlines() if line.endswith("up to date")] == NAMES
    after = {name: count(spark, lake, cut, table) for name, table in named_tables().items()}
    assert after == {**before, "RUN_LOG": before["RUN_LOG"] + 7}


def named_tables() -> dict[str, Table]:
    return {name: value for name, value in vars(schema).items() if isinstance(value, Table) and "{source}" not in value.pattern}


def count(spark, lake: Path, cut: Path, table: Table) -> int:
    store = TableStore(spark, Lake.at(str(lake)))
    return store.read(table.of(load(cut))).count() if store.exists(table.of(load(cut))) else 0


def test_rows_in_are_raw_and_quarantined_and_not_consented(spark, lake, cut):
    provenance = rows(spark, lake, cut, schema.PROVENANCE)
    assert (provenance.rows_in == provenance.rows_out + provenance.rows_quarantined + provenance.rows_not_consented).all()
    consent = rows(spark, lake, cut, schema.CONSENT)
    granted = set(consent[consent.decision == "grant"].person)
    clean = rows(spark, lake, cut, schema.CLEAN)
    assert set(clean.household_id.astype(str)) <= granted < set(consent.person)


def test_nobody_is_in_both_parts_of_the_split(spark, lake, cut):
    clean = rows(spark, lake, cut, schema.CLEAN)
    assert (clean.groupby("household_id").split.nunique() == 1).all()


def test_no_id_is_anywhere_outside_the_personal_zones(spark, lake, cut):
    """Files, Delta logs, statistics, reports and MLflow's store are searched for column names and basket ids."""
    assert "basket_id" not in rows(spark, lake, cut, schema.CLEAN).columns  # nothing uses it, so it is not even collected
    baskets = set(pq.read_table(load(cut).sources["transactions"].uri)["basket_id"].to_pandas().astype(str))
    ids = {"household_id", "basket_id", "product_id", "store_id", "kveil_person", "kveil_tree"}
    searched = 0
    for zone in ("release", "control", "reports", "mlflow"):
        for path in (lake / zone).rglob("*"):
            if path.suffix == ".parquet" and path.is_file():
                found = pq.read_table(path)
                assert not ids & set(found.column_names), path
                for column in found.columns:
                    if zone == "release" and "int" in str(column.type):
                        assert not baskets & {str(value) for value in column.unique().to_pylist()}, path
            elif path.is_file():
                text = path.read_bytes().decode("utf-8", "replace")
                assert not baskets & set(re.findall(r"\d{11}", text)), path
                if zone == "release":
                    assert not any(name in text for name in ids), path
            searched += path.is_file()
    assert searched > 50
    assert not baskets & set(re.findall(r"\d{11}", (lake / "mlflow.db").read_bytes().decode("latin-1")))


def test_personal_zones_are_closed_to_others(lake):
    assert [(lake / zone).stat().st_mode & 0o777 for zone in ("raw", "clean", "restricted")] == [0o700] * 3


def test_the_model_is_judged_on_the_held_out_and_registered(spark, lake, cut):
    utility = rows(spark, lake, cut, schema.UTILITY_METRICS)
    assert set(utility.trained_on) == {"release", "baseline"}
    assert set(utility.view) == {"clean", "generalized", "released"}
    assert utility[utility.metric == "auc_roc"].value.min() > 0.5
    gate = rows(spark, lake, cut, schema.DEPLOYMENTS)
    assert gate.met.all()
    assert (gate.registered_version == "1").all()
    scores = rows(spark, lake, cut, schema.SCORES)
    assert scores.score.between(0, 1).all()
    assert len(scores) > 0


def test_every_published_class_was_found_again_in_the_clean_table(spark, lake, cut):
    privacy = rows(spark, lake, cut, schema.PRIVACY_METRICS)
    again = privacy[privacy.measured_on == "clean"].set_index("metric")
    assert again.value["recheck_rows_mismatch"] == 0
    assert again.value["recheck_people_min"] >= 5
    assert (
        again.value["recheck_classes"]
        == privacy[(privacy.measured_on == "staging") & (privacy.metric == "classes")].value.iloc[0]
    )


def test_the_report_is_there_and_says_simulated(lake):
    html = (lake / "reports" / "latest" / "index.html").read_text()
    assert "simulated" in html
    assert re.search(r"\d+ classes of 2017-0\d, train over ", html)
    assert "<script" not in html
    assert "http://" not in html.replace("http://www.w3.org", "")


@pytest.mark.usefixtures("spark")
def test_two_runs_at_once_one_waits_for_nobody(cut, lake):
    holder = Lake.at(str(lake))
    with holder.locked("run-journey"), pytest.raises(KveilError, match="another run is working in this lake"):
        kveil("run", str(cut), "--lake", str(lake))

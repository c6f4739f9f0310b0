"""MLflow stays in the lake it is opened for, and at home."""

import os
from datetime import datetime, timezone

import pytest
from kveil.model.tracking import Tracker


@pytest.fixture(autouse=True)
def own_store(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_two_lakes_in_one_process_keep_their_runs_apart(tmp_path):
    ids = {}
    for lake in ("one", "two"):
        tracker = Tracker(tmp_path / lake, "policy")
        ids[lake] = tracker.log_run("run", datetime.now(timezone.utc), {"trees": 3}, {"rows": 2.0}, {"tag": "yes"})
        assert (tmp_path / lake / "mlflow.db").exists()
        assert tracker.client.get_experiment(tracker.experiment).artifact_location == (tmp_path / lake / "mlflow").as_uri()
    tracker = Tracker(tmp_path / "one", "policy")
    (found,) = tracker.client.search_runs([tracker.experiment])
    assert found.info.run_id == ids["one"] != ids["two"]
    assert (found.data.params, found.data.metrics, found.data.tags["tag"]) == ({"trees": "3"}, {"rows": 2.0}, "yes")
    assert "MLFLOW_TRACKING_URI" not in os.environ


def test_a_given_tracking_uri_wins(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/given.db")
    Tracker(tmp_path / "lake", "policy").log_run("run", datetime.now(timezone.utc), {})
    assert (tmp_path / "given.db").exists()
    assert not (tmp_path / "lake").exists()
    assert os.environ["MLFLOW_TRACKING_URI"] == f"sqlite:///{tmp_path}/given.db"


def test_telemetry_is_off():
    import mlflow.telemetry.utils

    assert mlflow.telemetry.utils.is_telemetry_disabled()

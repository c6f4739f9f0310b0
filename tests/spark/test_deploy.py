"""Deployment: what the gate lets through, what is registered, and that it serves by itself."""

import json
import os
import subprocess
import sys

import mlflow
import numpy as np
import pandas as pd
import pytest
from kveil.deploy.registry import champion
from kveil.deploy.stage import run
from kveil.evaluate.stage import run as evaluate
from kveil.model.tracking import Tracker, registered_tags
from kveil.settings import fingerprint
from kveil.tables.heads import LEDGER_HEAD
from kveil.tables.schema import DEPLOYMENTS, RELEASE, SCORES, UTILITY_METRICS
from kveil.train.stage import run as train

from tests.spark._models_fixture import clean_rows, context, filled_lake, policy

HEAD = '{"small/row/anyone": [2, "0123456789abcdef0123456789abcdef"]}'


@pytest.fixture(scope="module")
def lake(spark, tmp_path_factory):
    """A lake in which the first deployment has passed."""
    store = filled_lake(spark, tmp_path_factory.mktemp("lake"))
    store.set_properties(context(store, "deploy").ref(RELEASE), {LEDGER_HEAD: HEAD})
    train(context(store, "train"))
    evaluate(context(store, "evaluate"))
    result = run(context(store, "deploy", "passes"))
    assert result.refusal == ""
    return store


def versions(ctx):
    tracker = Tracker(ctx.files, ctx.policy.name)
    found = tracker.client.search_model_versions("name = 'small_model'")
    return {int(version.version): version for version in found}, tracker.client.get_model_version_by_alias(
        "small_model", "champion"
    )


def deployments(ctx, build):
    return {row["check"]: row for row in ctx.read(DEPLOYMENTS).where(f"build = '{build}'").collect()}


def test_what_passes_is_registered_with_its_lineage(lake):
    ctx = context(lake, "deploy", "passes")
    found, alias = versions(ctx)
    assert list(found) == [1] and str(alias.version) == "1"
    rows = deployments(ctx, "passes")
    assert set(rows) == {"min_auc", "max_auc_loss", "max_prosecutor_risk", "k"}
    assert all(row["met"] and row["registered_version"] == "1" for row in rows.values())
    tags = found[1].tags
    assert tags["kveil.release_id"] == "r1" and tags["kveil.trained_on"] == "release"
    assert tags["kveil.policy_hash"] == fingerprint(ctx.policy)
    # Without the lake's tables the registry still says how far the budget's audit was.
    assert registered_tags(ctx.files, ctx.store.lake.mark, LEDGER_HEAD) == {"model small_model, version 1,": HEAD}
    assert tags["kveil.lake"] == ctx.store.lake.mark
    assert float(tags["kveil.metric.min_auc"]) == pytest.approx(rows["min_auc"]["measured"], rel=1e-5)
    best = ctx.read(UTILITY_METRICS).where("metric = 'auc_roc' AND view = 'generalized' AND trained_on = 'release'").toPandas()
    assert rows["min_auc"]["measured"] == best["value"].max()
    assert rows["min_auc"]["algorithm"] == best.loc[best["value"].idxmax(), "algorithm"] == tags["kveil.algorithm"]


def test_the_same_build_registers_once_and_records_once(lake):
    ctx = context(lake, "deploy", "passes")
    run(ctx)
    found, alias = versions(ctx)
    assert list(found) == [1] and str(alias.version) == "1"
    assert ctx.read(DEPLOYMENTS).where("build = 'passes'").count() == 4


def test_scores_are_the_champions_of_the_latest_months_held_out_rows(lake):
    ctx = context(lake, "deploy", "passes")
    scoring, version = champion(Tracker(ctx.files, ctx.policy.name), "small_model")
    clean = clean_rows().to_pandas()
    clean = clean[(clean["split"] == "holdout") & (clean["month"] == "2017-02")]
    columns = {
        **{
            name: clean[name].where(clean[name].notna(), None).to_numpy(dtype=object)
            for name in ("age", "shop", "product", "month")
        },
        "date": clean["date"].to_numpy(dtype="datetime64[D]"),
        "spend": clean["spend"].to_numpy(dtype=float),
    }
    expected = sorted(zip(clean["person"].astype(str), clean["date"], np.round(scoring.score(columns), 9), strict=True))
    found = ctx.read(SCORES).toPandas()
    assert sorted(zip(found["person"], found["date"], np.round(found["score"], 9), strict=True)) == expected
    assert set(found["model_version"]) == {version}


SERVE = """
import json, sys
sys.modules["pyspark"] = None  # importing it fails, as where it is not installed
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
import kveil
frame = pd.read_json(sys.argv[2], orient="table")
frame["date"] = frame["date"].dt.tz_localize(None)
print(json.dumps({"where": kveil.__file__, "scores": list(model.predict(frame))}))
"""


def test_the_registered_model_serves_without_kveil_or_spark(lake, tmp_path):
    ctx = context(lake, "deploy", "passes")
    tracker = Tracker(ctx.files, ctx.policy.name)
    scoring, _ = champion(tracker, "small_model")
    frame = clean_rows().to_pandas()[list(scoring.inputs)].head(200).reset_index(drop=True)
    frame["date"] = pd.to_datetime(frame["date"])
    folder = tracker.mlflow.artifacts.download_artifacts("models:/small_model@champion", dst_path=str(tmp_path / "model"))
    frame.to_json(tmp_path / "rows.json", orient="table", index=False)
    bare = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-I", "-c", SERVE, folder, str(tmp_path / "rows.json")]
    served = json.loads(subprocess.run(command, env=bare, cwd=tmp_path, check=True, stdout=subprocess.PIPE, text=True).stdout)
    assert served["where"].startswith(folder)
    expected = tracker.mlflow.pyfunc.load_model("models:/small_model@champion").predict(frame)
    np.testing.assert_allclose(served["scores"], expected, rtol=1e-12)
    assert len(set(served["scores"])) > 10


def test_the_package_holds_no_pickle_and_no_value_of_the_raw_rows(lake):
    ctx = context(lake, "deploy", "passes")
    packed = [path for path in (ctx.files / "mlflow").rglob("*") if path.is_file()]
    assert packed and not [path for path in packed if path.suffix in (".pkl", ".pickle", ".pyc")]
    document = json.loads(next(path for path in packed if path.name == "model.json").read_text())
    released = clean_rows().to_pandas()
    products = {*released["product"].dropna()}
    (product,) = (each for each in document["features"]["encodings"] if each["name"] == "product")
    assert set(product["values"]) <= products
    spend = next(each for each in document["features"]["encodings"] if each["name"] == "spend")
    raw_mean = released[(released["split"] == "train") & released["bought"].notna()]["spend"].mean()
    assert abs(spend["missing"] - raw_mean) > 1e-9, "the deployed statistics must be the release's, not those of raw rows"


def test_a_refusal_names_check_and_numbers_and_leaves_the_champion(lake):
    ctx = context(lake, "deploy", "refused", policy(min_auc=0.999))
    scores = lake.version(ctx.ref(SCORES))
    result = run(ctx)
    measured = deployments(ctx, "refused")["min_auc"]["measured"]
    assert result.refusal == (
        "deploy: small_model was not registered because deploy.gate.min_auc: auc_roc of the best model "
        f"is {measured:.6g} where at least 0.999 is demanded"
    )
    rows = deployments(ctx, "refused")
    assert {name: row["met"] for name, row in rows.items()} == {
        "min_auc": False,
        "max_auc_loss": True,
        "max_prosecutor_risk": True,
        "k": True,
    }
    assert {row["registered_version"] for row in rows.values()} == {None}
    found, alias = versions(ctx)
    assert list(found) == [1] and str(alias.version) == "1"
    assert lake.version(ctx.ref(SCORES)) == scores


def test_other_work_becomes_the_next_version(lake):
    run(context(lake, "deploy", "passes again"))
    found, alias = versions(context(lake, "deploy"))
    assert sorted(found) == [1, 2] and str(alias.version) == "2"
    # The first build, run again, is the champion again, and still no third version.
    run(context(lake, "deploy", "passes"))
    found, alias = versions(context(lake, "deploy"))
    assert sorted(found) == [1, 2] and str(alias.version) == "1"


class Killed(BaseException):
    """The process is gone: nothing after it runs."""


def test_a_version_that_was_cut_off_from_its_alias_gets_it_by_the_next_run(lake, monkeypatch):
    ctx = context(lake, "deploy", "cut off")
    before, champion_before = versions(ctx)

    def killed(*_):
        raise Killed

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(mlflow.MlflowClient, "set_registered_model_alias", killed)
        with pytest.raises(Killed):
            run(ctx)
    half, alias = versions(ctx)
    assert len(half) == len(before) + 1 and alias.version == champion_before.version
    run(ctx)
    after, alias = versions(ctx)
    assert set(after) == set(half) and int(alias.version) == max(after)
    assert {row["registered_version"] for row in deployments(ctx, "cut off").values()} == {str(alias.version)}


def test_a_lake_without_measurements_is_refused(spark, tmp_path):
    store = filled_lake(spark, tmp_path)
    ctx = context(store, "deploy", "unmeasured")
    store.append(ctx.ref(UTILITY_METRICS), store.rows(UTILITY_METRICS, []))
    result = run(ctx)
    assert "auc_roc of the best model was not measured" in result.refusal
    assert not (ctx.files / "mlflow.db").exists()
    assert not store.exists(ctx.ref(SCORES))

"""Training: feature maps against pandas, portable models against MLlib, and what is kept where."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from kveil.errors import ContractError
from kveil.model.rows import LABEL
from kveil.model.trained import TrainedModel
from kveil.tables.schema import BASELINES, FEATURES, MODELS
from kveil.train.extract import linear_model, tree_ensemble
from kveil.train.stage import run
from kveil.train.statistics import fitted
from pyspark.ml.classification import GBTClassifier, LogisticRegression
from pyspark.ml.functions import array_to_vector, vector_to_array
from pyspark.sql import functions as F

from tests.spark._models_fixture import AGES, RARE, clean_rows, context, filled_lake

KINDS = {"spend": "number", "day": "date", "age": "ordered", "shop": "category"}


def table(spark, **columns):
    rows = len(next(iter(columns.values())))
    given = {
        LABEL: pa.array([1.0, 0.0] * (rows // 2), pa.float64()),
        "spend": pa.array([None] * rows, pa.float64()),
        "day": pa.array([None] * rows, pa.date32()),
        "age": pa.array([None] * rows, pa.string()),
        "shop": pa.array([None] * rows, pa.string()),
        **columns,
    }
    return spark.createDataFrame(pa.table(given))


def test_the_feature_map_is_what_pandas_computes(spark):
    frame = pd.DataFrame(
        {
            LABEL: [1.0, 0.0, 0.0, 1.0, 1.0, None],
            "spend": [1.0, None, 4.0, 7.5, 0.0, 1000.0],
            "day": pd.to_datetime(["2017-01-31", "2017-02-03", None, "2017-03-03", "2017-12-01", "2017-01-20"]).date,
            "age": ["old", "middle", None, "unlisted", "young", "old"],
            "shop": ["east", "east", None, "west", None, "moon"],
        }
    )
    rows = table(spark, **{name: pa.array(frame[name], from_pandas=True) for name in frame})
    features, count = fitted(rows, KINDS, {"age": AGES}, "bought", "release")
    known = frame[frame[LABEL].notna()]
    spend, day, age, shop = features.encodings
    assert count == 5
    assert spend.missing == known["spend"].mean()
    assert day.missing == pytest.approx((31 + 3 + 3 + 1) / 4)
    assert (age.values, age.missing) == ({"young": 0.0, "middle": 1.0, "old": 2.0}, (2 + 1 + 0) / 3)
    prior = known[LABEL].mean()
    groups = known.groupby("shop", dropna=False)[LABEL]
    expected = {
        text: (positives + 20 * prior) / (rows + 20)
        for text, positives, rows in zip(groups.sum().index, groups.sum(), groups.count(), strict=True)
    }
    assert shop.values == pytest.approx({text: value for text, value in expected.items() if isinstance(text, str)})
    assert shop.missing == pytest.approx((1 + 20 * prior) / 22)
    assert shop.unseen == pytest.approx(prior)


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ([None, None, None, None], "holds no value"),
        ([1.0, 1.0, None, 1.0], "holds only the label 1"),
        ([0.0, 0.0, 0.0, 0.0], "holds only the label 0"),
        ([0.0, 1.0, 2.0, 1.0], "holds 1 values that are neither 0 nor 1"),
    ],
)
def test_a_label_that_teaches_nothing_is_one_sentence(spark, labels, sentence):
    rows = table(spark, **{LABEL: pa.array(labels, pa.float64())})
    with pytest.raises(ContractError, match=sentence) as error:
        fitted(rows, KINDS, {"age": AGES}, "bought", "baseline")
    assert str(error.value).startswith("train.label: column 'bought' of the 4 baseline training rows")


@pytest.fixture(scope="module")
def tied(spark):
    """Random rows of few distinct values, so that thresholds are met exactly, and rows on the very thresholds."""
    random = np.random.default_rng(5)
    matrix = np.column_stack([random.integers(0, 6, (2000, 3)) / 4, random.normal(size=(2000, 2))])
    label = (random.random(2000) < 1 / (1 + np.exp(-(matrix[:, 0] * 2 - matrix[:, 1] + matrix[:, 3] ** 2 - 1)))).astype(float)
    return matrix, label


def vectors(spark, matrix, label):
    rows = pa.table({"at": np.arange(len(matrix)), "array": pa.array(list(matrix)), "label": label})
    return spark.createDataFrame(rows).withColumn("features", array_to_vector("array"))


def mllib_probability(model, df):
    scored = model.transform(df).select("at", vector_to_array("probability")[1].alias("p")).orderBy("at")
    return np.array([row["p"] for row in scored.collect()])


def test_portable_models_are_mllibs_own_to_the_billionth(spark, tied, tmp_path):
    matrix, label = tied
    df = vectors(spark, matrix, label)
    linear = LogisticRegression(maxIter=20, regParam=0.01).fit(df)
    np.testing.assert_allclose(linear_model(linear).probability(matrix), mllib_probability(linear, df), atol=1e-9)

    trees = GBTClassifier(maxIter=6, maxDepth=4, seed=1, subsamplingRate=0.8).fit(df)
    scratch = tmp_path / "scratch"
    portable = tree_ensemble(spark, trees, str(scratch))
    assert not scratch.exists()
    inner = portable.left != np.arange(len(portable.left))
    # A row on every threshold of the ensemble, and one a hair above it.
    on = np.repeat(matrix[:1], 2 * inner.sum(), axis=0)
    on[np.arange(inner.sum()), portable.feature[inner]] = portable.threshold[inner]
    on[inner.sum() + np.arange(inner.sum()), portable.feature[inner]] = np.nextafter(portable.threshold[inner], np.inf)
    probes = np.vstack([matrix, on])
    expected = mllib_probability(trees, vectors(spark, probes, np.zeros(len(probes))))
    np.testing.assert_allclose(portable.probability(probes), expected, atol=1e-9)
    assert len(portable.roots) == 6 and portable.depth <= 4


def test_scratch_on_another_file_system_is_left_empty(spark, tied, tmp_path):
    model = GBTClassifier(maxIter=1, maxDepth=1, seed=1).fit(vectors(spark, *tied))
    tree_ensemble(spark, model, f"file://{tmp_path}/scratch")
    assert spark.read.schema("nothing int").parquet(f"file://{tmp_path}/scratch").count() == 0
    assert not (tmp_path / "scratch" / "data").exists()


@pytest.fixture(scope="module")
def trained(spark, tmp_path_factory):
    store = filled_lake(spark, tmp_path_factory.mktemp("lake"))
    ctx = context(store, "train")
    return ctx, run(ctx)


def models(ctx):
    return {(row["algorithm"], row["trained_on"]): row for row in ctx.read(MODELS).collect()}


def test_every_algorithm_is_trained_on_both_and_only_the_release_is_documented(trained):
    ctx, result = trained
    rows = models(ctx)
    assert sorted(rows) == [
        ("gradient_boosted_trees", "baseline"),
        ("gradient_boosted_trees", "release"),
        ("logistic_regression", "baseline"),
        ("logistic_regression", "release"),
    ]
    assert result.rows_out == 4
    clean = clean_rows().to_pandas()
    labelled = int((clean["bought"].notna() & (clean["split"] == "train")).sum())
    for (algorithm, trained_on), row in rows.items():
        assert (row["document"] is None) == (trained_on == "baseline")
        assert json.loads(row["parameters"])["seed"] == 7
        assert row["release_id"] == "r1" and row["build"] == "build-1" and row["seconds"] > 0
        if trained_on == "release":
            model = TrainedModel.from_json(algorithm, trained_on, row["document"])
            assert model.features.names == row["features"].split(",")
        else:
            assert row["rows"] == labelled
    baselines = ctx.read(BASELINES).collect()
    assert {row["algorithm"] for row in baselines} == {"gradient_boosted_trees", "logistic_regression"}


def test_feature_rows_and_scratch_are_gone(trained):
    ctx, _ = trained
    assert not ctx.store.exists(ctx.ref(FEATURES))
    restricted = sorted(path.name for path in (ctx.files / "restricted").iterdir())
    assert restricted == ["small_baselines"]


def test_mlflow_knows_the_runs_and_nothing_personal(trained):
    from mlflow import MlflowClient

    ctx, _ = trained
    client = MlflowClient(f"sqlite:///{ctx.files}/mlflow.db")
    for (algorithm, trained_on), row in models(ctx).items():
        found = client.get_run(row["mlflow_run"])
        assert found.info.status == "FINISHED"
        assert found.data.params["algorithm"] == algorithm
        assert found.data.metrics["training_rows"] == row["rows"]
        assert found.data.tags["kveil.release_id"] == "r1"
        assert found.data.tags["kveil.registration"] == ("never registered" if trained_on == "baseline" else "after the gate")
        assert client.list_artifacts(row["mlflow_run"]) == []
    assert client.search_registered_models() == []
    (document, *_) = [row["document"] for row in ctx.read(BASELINES).collect()]
    assert RARE in document, "the probe must be a value that a leak would show"
    tracked = [path for path in [ctx.files / "mlflow.db", *(ctx.files / "mlflow").rglob("*")] if path.is_file()]
    assert not [path for path in tracked if RARE.encode() in path.read_bytes()]


@pytest.mark.long
def test_a_second_run_gives_the_same_rows(trained):
    ctx, _ = trained
    before = models(ctx)
    run(context(ctx.store, "train"))
    after = models(ctx)
    assert ctx.read(MODELS).count() == 4 and ctx.read(BASELINES).count() == 2
    assert {key: row["document"] for key, row in after.items()} == {key: row["document"] for key, row in before.items()}


def test_a_failed_training_leaves_no_feature_rows(spark, tmp_path, monkeypatch):
    store = filled_lake(spark, tmp_path)
    ctx = context(store, "train")

    def broken(*args):
        assert ctx.read(FEATURES).count() > 0
        raise RuntimeError("injected")

    monkeypatch.setattr("kveil.train.fitting.Algorithm.fitted", broken)
    with pytest.raises(RuntimeError, match="injected"):
        run(ctx)
    assert not store.exists(ctx.ref(FEATURES))
    assert not store.exists(ctx.ref(MODELS))


def test_a_text_label_is_refused(spark, tmp_path):
    from kveil.model.rows import model_rows

    df = spark.createDataFrame([("train", "yes", 1.0)], "split string, bought string, spend double")
    with pytest.raises(ContractError, match=r"train\.label: column 'bought' is string; allowed: boolean"):
        model_rows(df, "bought", {"spend": "number"}, "train")
    with pytest.raises(ContractError, match="no column spend_rep"):
        model_rows(df.withColumn("bought", F.lit(True)), "bought", {"spend": "number"}, "train", ["spend"])

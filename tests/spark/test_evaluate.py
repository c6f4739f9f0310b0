"""Evaluation: metrics against scikit-learn, views against a hand-made scoring, the table's measures against pandas."""

import json
from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from kveil.evaluate.certainty import category_domains, certainty_metrics
from kveil.evaluate.classes import class_metrics
from kveil.evaluate.stage import run
from kveil.evaluate.utility import utility
from kveil.model.generalizer import Generalizer
from kveil.model.trained import TrainedModel
from kveil.privacy.coding import Coding
from kveil.settings.anonymize import Anonymize
from kveil.tables.schema import BASELINES, GENERALIZER, MODELS, PREDICTIONS, PRIVACY_METRICS, RELEASE, UTILITY_METRICS
from kveil.train.stage import run as train
from sklearn import metrics as sk

from tests.spark._models_fixture import clean_rows, context, filled_lake


def predictions(spark, **models):
    parts = [
        pa.table(
            {"view": ["v"] * len(label), "model": [name] * len(label), "label": pa.array(label, pa.float64()), "score": score}
        )
        for name, (label, score) in models.items()
    ]
    return spark.createDataFrame(pa.concat_tables(parts))


def test_metrics_are_scikit_learns_with_many_ties(spark):
    random = np.random.default_rng(2)
    label = (random.random(3000) < 0.3).astype(float)
    tied = np.round(np.clip(0.25 + 0.2 * label + random.normal(0, 0.2, 3000), 0, 1), 1)
    fine = random.random(3000)
    found = {row["model"]: row for row in utility(predictions(spark, tied=(label, tied), fine=(label, fine)), 0.5).collect()}
    for name, score in {"tied": tied, "fine": fine}.items():
        called, row = score >= 0.5, found[name]
        assert row["rows"] == 3000
        assert row["accuracy"] == pytest.approx(sk.accuracy_score(label, called), abs=1e-12)
        assert row["precision"] == pytest.approx(sk.precision_score(label, called), abs=1e-12)
        assert row["recall"] == pytest.approx(sk.recall_score(label, called), abs=1e-12)
        assert row["f1"] == pytest.approx(sk.f1_score(label, called), abs=1e-12)
        assert row["auc_roc"] == pytest.approx(sk.roc_auc_score(label, score), abs=1e-12)
        assert row["auc_pr"] == pytest.approx(sk.average_precision_score(label, score), abs=1e-12)


def test_what_is_undefined_is_null(spark):
    low, high = [0.1, 0.2], [0.8, 0.9]
    cases = predictions(spark, no_positives=([0, 0], high), no_negatives=([1, 1], high), none_called=([0, 1], low))
    found = {row["model"]: row.asDict() for row in utility(cases, 0.5).collect()}
    nulls = {name: {metric for metric, value in row.items() if value is None} for name, row in found.items()}
    assert nulls == {
        "no_positives": {"precision", "recall", "f1", "auc_roc", "auc_pr"},
        "no_negatives": {"auc_roc"},
        "none_called": {"precision"},
    }
    assert found["no_positives"]["accuracy"] == 0.0
    assert (found["none_called"]["recall"], found["none_called"]["f1"]) == (0.0, 0.0)


SETTINGS = Anonymize.model_validate(
    {
        "release": "r",
        "k": 2,
        "partition_by": ["split"],
        "release_columns": ["label", "bounds"],
        "quasi_identifiers": {
            "age": {"kind": "ordered", "order": ["a", "b", "c", "d", "e"]},
            "shop": {"kind": "category"},
            "day": {"kind": "date"},
            "spend": {"kind": "number", "step": 10},
        },
    }
)
D = [date(2017, 1, day) for day in range(1, 32)]


def released_table():
    """Five rows in two classes: {0, 1, 2} and {3, 4}; the last two differ from the first in the split alone but for labels."""
    return pa.table(
        {
            "split": ["train"] * 3 + ["holdout"] * 2,
            "age": ["b .. d"] * 3 + ["*", "*"],
            "shop": ["{x, y}"] * 3 + [None, None],
            "day": ["whole"] * 3 + ["one day"] * 2,
            "day_lo": pa.array([D[0]] * 3 + [D[20]] * 2, pa.date32()),
            "day_hi": pa.array([D[30]] * 3 + [D[20]] * 2, pa.date32()),
            "spend": ["0 .. 49"] * 3 + [None] * 2,
            "spend_lo": pa.array([0] * 3 + [None] * 2, pa.int64()),
            "spend_hi": pa.array([49] * 3 + [None] * 2, pa.int64()),
        }
    )


def test_class_measures_known_answer(spark):
    found = {row["metric"]: row["value"] for row in class_metrics(spark.createDataFrame(released_table()), SETTINGS, 7, 2)}
    assert found == {
        "classes": 2,
        "classes_rows_min": 2,
        "classes_rows_mean": 2.5,
        "classes_rows_max": 3,
        "discernibility": 9 + 4 + 2 * 7,
        "c_avg": 1.25,
    }


def test_equal_labels_of_different_partitions_are_different_classes(spark):
    table = released_table().slice(0, 2).set_column(0, "split", [["train", "holdout"]])
    (classes, *_) = class_metrics(spark.createDataFrame(table), SETTINGS, 2, 0)
    assert classes["value"] == 2


def test_certainty_penalty_known_answer(spark):
    found = {
        (row["metric"], row["scope"]): row["value"]
        for row in certainty_metrics(spark.createDataFrame(released_table()), SETTINGS, {"shop": 4})
    }
    expected = {
        "age": (3 * (3 - 1) / 4 + 2 * 1) / 5,
        "shop": 3 * (2 - 1) / 3 / 5,
        "day": 3 * 1 / 5,
        "spend": 3 * 1 / 5,
    }
    assert found == pytest.approx(
        {**{("ncp", name): value for name, value in expected.items()}, ("ncp_mean", ""): sum(expected.values()) / 4}
    )


def test_category_domains_count_what_any_partition_names():
    codings = [
        Coding("shop", "category", values=("x", "...")),
        Coding("shop", "category", values=("x", "y")),
        Coding("age", "number"),
    ]
    assert category_domains(codings) == {"shop": 3}


@pytest.fixture(scope="module")
def evaluated(spark, tmp_path_factory):
    store = filled_lake(spark, tmp_path_factory.mktemp("lake"))
    train(context(store, "train"))
    ctx = context(store, "evaluate", "build-2")
    run(ctx)
    return ctx


def all_models(ctx):
    released = [row for row in ctx.read(MODELS).collect() if row["document"]]
    pairs = [("release", row) for row in released] + [("baseline", row) for row in ctx.read(BASELINES).collect()]
    return [TrainedModel.from_json(row["algorithm"], trained_on, row["document"]) for trained_on, row in pairs]


def held_out(ctx):
    """Per view the columns and labels, by pandas and numpy alone."""
    clean = clean_rows().to_pandas()
    clean = clean[(clean["split"] == "holdout") & clean["bought"].notna()]

    def columns(frame, suffix=""):
        return {
            **{
                name: frame[name + suffix].where(frame[name + suffix].notna(), None).to_numpy(dtype=object)
                for name in ("age", "shop")
            },
            "date": frame["date" + suffix].to_numpy(dtype="datetime64[D]"),
            "spend": frame["spend" + suffix].to_numpy(dtype=float),
            "product": frame["product"].where(frame["product"].notna(), None).to_numpy(dtype=object),
        }

    raw = {**columns(clean), "month": clean["month"].to_numpy(dtype=object)}
    rows = [(json.loads(row["partition"]), bytes(row["tree"])) for row in ctx.read(GENERALIZER).collect()]
    reps = Generalizer.from_rows(ctx.policy.anonymize, rows).representatives(raw)
    released = ctx.read(RELEASE).where("split = 'holdout' AND bought IS NOT NULL").toPandas()
    return {
        "clean": (raw, clean["bought"]),
        "generalized": ({**raw, **reps}, clean["bought"]),
        "released": (columns(released, "_rep"), released["bought"]),
    }


def test_every_view_is_scored_by_every_model(evaluated):
    found = evaluated.read(PREDICTIONS).toPandas()
    models = all_models(evaluated)
    assert len(models) == 4
    for view, (columns, label) in held_out(evaluated).items():
        for model in models:
            rows = found[(found["view"] == view) & (found["model"] == model.name)]
            expected = np.sort(model.probability(columns) + 10 * label.to_numpy(dtype=float))
            np.testing.assert_allclose(np.sort(rows["score"] + 10 * rows["label"]), expected, atol=1e-12)
    assert found.groupby(["view", "model"]).ngroups == 12
    scores = [set(found[found["view"] == view]["score"]) for view in ("clean", "generalized", "released")]
    assert scores[0] != scores[1] != scores[2], "the views must differ for this test to say anything"


def test_utility_rows_are_of_the_predictions(evaluated):
    rows = evaluated.read(UTILITY_METRICS).toPandas()
    found = evaluated.read(PREDICTIONS).toPandas()
    assert len(rows) == 3 * 4 * 6
    assert set(rows["release_id"]) == {"r1"}
    for (view, model), group in found.groupby(["view", "model"]):
        algorithm, trained_on = model.split("/")
        of_model = rows[(rows["view"] == view) & (rows["algorithm"] == algorithm) & (rows["trained_on"] == trained_on)]
        auc = of_model[of_model["metric"] == "auc_roc"].iloc[0]
        assert auc["value"] == pytest.approx(sk.roc_auc_score(group["label"], group["score"]), abs=1e-12)
        assert auc["rows"] == len(group)


def test_the_released_table_is_measured_as_pandas_does(evaluated):
    rows = evaluated.read(PRIVACY_METRICS).where("measured_on = 'release'").toPandas()
    found = {(row["metric"], row["scope"]): row["value"] for _, row in rows.iterrows()}
    released = evaluated.read(RELEASE).toPandas()
    sizes = released.groupby(["month", "split", "age", "shop", "date", "spend"], dropna=False).size()
    suppressed = clean_rows().num_rows - len(released)
    assert found["classes", ""] == len(sizes)
    assert found["classes_rows_min", ""] == sizes.min() >= 5
    assert found["c_avg", ""] == pytest.approx(sizes.mean() / 5)
    assert found["discernibility", ""] == (sizes**2).sum() + suppressed * clean_rows().num_rows
    width = (released["spend_hi"] - released["spend_lo"]).fillna(0)
    assert found["ncp", "spend"] == pytest.approx(width.mean() / (released["spend_hi"].max() - released["spend_lo"].min()))
    assert all(0 < found["ncp", name] < 1 for name in ("age", "shop", "date", "spend"))


@pytest.mark.long
def test_a_second_run_gives_the_same_rows_and_leaves_what_others_measured(evaluated):
    def tables():
        utility_rows = evaluated.read(UTILITY_METRICS).drop("written_at").toPandas()
        privacy_rows = evaluated.read(PRIVACY_METRICS).drop("written_at").toPandas()
        predicted = evaluated.read(PREDICTIONS).count()
        return sorted(map(str, utility_rows.to_numpy().tolist())), sorted(map(str, privacy_rows.to_numpy().tolist())), predicted

    before = tables()
    run(context(evaluated.store, "evaluate", "build-2"))
    assert tables() == before
    assert evaluated.read(PRIVACY_METRICS).where("measured_on = 'staging'").count() == 2

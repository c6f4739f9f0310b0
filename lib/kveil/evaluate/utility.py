"""Classification metrics in SQL, exact: rows of equal score are one step, nothing is binned."""

from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

METRICS = ("accuracy", "precision", "recall", "f1", "auc_roc", "auc_pr")


def utility(predictions: DataFrame, threshold: float) -> DataFrame:
    """Per view and model: `rows` and METRICS; null where a metric is undefined.

    AUC-ROC is the chance that a positive outscores a negative, ties counting half (Mann-Whitney). AUC-PR is average
    precision, the step-wise sum of precision over recall, without interpolation. A row is called positive from
    `threshold` on. Without positives only accuracy is defined; precision needs a row called positive, AUC-ROC a negative.
    """
    group = ["view", "model"]
    steps = predictions.groupBy(*group, "score").agg(
        F.sum("label").alias("positives"), F.sum(1 - F.col("label")).alias("negatives")
    )
    from_the_top = Window.partitionBy(*group).orderBy(F.desc("score")).rowsBetween(Window.unboundedPreceding, Window.currentRow)
    ranked = steps.withColumns(
        {
            "positives_so_far": F.sum("positives").over(from_the_top),
            "negatives_so_far": F.sum("negatives").over(from_the_top),
        }
    )
    sums = ranked.groupBy(*group).agg(*_sums(threshold))
    return sums.select(*group, (F.col("p") + F.col("n")).cast("bigint").alias("rows"), *_metrics())


def metric_rows(measured: DataFrame, release_id: str) -> list[dict[str, Any]]:
    """The utility metrics' rows: one per view, model and metric, some dozens."""
    rows = []
    for row in measured.orderBy("view", "model").collect():
        algorithm, trained_on = row["model"].split("/")
        common = {
            "release_id": release_id, "algorithm": algorithm, "trained_on": trained_on, "view": row["view"], "rows": row["rows"],
        }  # fmt: skip
        rows += [{**common, "metric": name, "value": row[name]} for name in METRICS]
    return rows


def _sums(threshold: float) -> list[Column]:
    positives, negatives = F.col("positives"), F.col("negatives")
    above = F.col("positives_so_far") - positives
    precision = F.col("positives_so_far") / (F.col("positives_so_far") + F.col("negatives_so_far"))
    called = F.col("score") >= threshold
    return [
        F.sum(positives).alias("p"),
        F.sum(negatives).alias("n"),
        F.sum(F.when(called, positives).otherwise(0.0)).alias("tp"),
        F.sum(F.when(called, negatives).otherwise(0.0)).alias("fp"),
        F.sum(negatives * (above + positives / 2)).alias("pairs_won"),
        F.sum(positives * precision).alias("precision_sum"),
    ]


def _metrics() -> list[Column]:
    p, n, tp, fp = (F.col(name) for name in ("p", "n", "tp", "fp"))
    defined = {
        "accuracy": F.try_divide(tp + n - fp, p + n),
        "precision": F.when(p > 0, F.try_divide(tp, tp + fp)),
        "recall": F.try_divide(tp, p),
        "f1": F.when(p > 0, 2 * tp / (p + tp + fp)),
        "auc_roc": F.try_divide(F.col("pairs_won"), p * n),
        "auc_pr": F.try_divide(F.col("precision_sum"), p),
    }
    return [defined[name].alias(name) for name in METRICS]

"""MLlib's trained models as portable ones, by public means only: model attributes and the saved model's own format."""

import shutil

import numpy as np
from pyspark.ml.classification import GBTClassificationModel, LogisticRegressionModel
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from kveil.model.portable import Ints, LinearModel, TreeEnsemble


def linear_model(model: LogisticRegressionModel) -> LinearModel:
    """The logistic regression; MLlib's coefficients are already in the features' own units."""
    return LinearModel(model.coefficients.toArray().astype(np.float64), float(model.intercept))


def tree_ensemble(spark: SparkSession, model: GBTClassificationModel, scratch: str) -> TreeEnsemble:
    """The boosted trees, read back from the model saved at `scratch`, which is emptied afterwards."""
    try:
        model.write().overwrite().save(scratch)
        node = F.col("nodeData")
        nodes = spark.read.parquet(f"{scratch}/data").select(
            F.col("treeID").alias("tree"),
            node["id"].alias("id"),
            node["prediction"].alias("value"),
            node["leftChild"].alias("left"),
            node["rightChild"].alias("right"),
            node["split"]["featureIndex"].alias("feature"),
            F.get(node["split"]["leftCategoriesOrThreshold"], F.lit(0)).alias("threshold"),
        )
        # As many rows as the policy's trees have nodes, whatever the data.
        return ensemble_of(nodes.collect(), list(model.treeWeights))
    finally:
        _remove(spark, scratch)


def ensemble_of(nodes: list[Row], weights: list[float]) -> TreeEnsemble:
    """From one row per node (tree, id, value, left, right, feature, threshold); leaves have no children (-1)."""
    nodes = sorted(nodes, key=lambda node: (node["tree"], node["id"]))
    place = {(node["tree"], node["id"]): index for index, node in enumerate(nodes)}
    leaf = np.array([node["left"] < 0 for node in nodes])
    own = np.arange(len(nodes), dtype=np.int32)

    def children(side: str) -> Ints:
        return np.array([place.get((node["tree"], node[side]), own[i]) for i, node in enumerate(nodes)], dtype=np.int32)

    left, right = children("left"), children("right")
    roots = np.array([place[tree, 0] for tree in range(len(weights))], dtype=np.int32)
    return TreeEnsemble(
        feature=np.where(leaf, 0, [node["feature"] for node in nodes]).astype(np.int32),
        threshold=np.where(leaf, 0.0, [0.0 if node["threshold"] is None else node["threshold"] for node in nodes]),
        left=left,
        right=right,
        value=np.array([node["value"] for node in nodes], dtype=np.float64),
        roots=roots,
        weights=np.array(weights, dtype=np.float64),
        depth=_depth(left, right, roots),
    )


def _depth(left: Ints, right: Ints, roots: Ints) -> int:
    depth, level = 0, roots[left[roots] != roots]
    while level.size:
        depth += 1
        below = np.concatenate([left[level], right[level]])
        level = below[left[below] != below]
    return depth


def _remove(spark: SparkSession, path: str) -> None:
    """Deletes a local folder; elsewhere Spark replaces its content by nothing."""
    if "://" in path:
        spark.createDataFrame([], "nothing int").write.mode("overwrite").parquet(path)
    else:
        shutil.rmtree(path, ignore_errors=True)

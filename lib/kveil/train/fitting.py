"""The catalogue of algorithms: MLlib estimators by the policy's settings."""

from dataclasses import dataclass
from typing import Any

from pyspark.ml.classification import GBTClassifier, LogisticRegression
from pyspark.ml.functions import array_to_vector
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from kveil.model.portable import PortableModel
from kveil.settings.models import GradientBoostedTrees, Train
from kveil.settings.models import LogisticRegression as LogisticRegressionSettings
from kveil.train.extract import linear_model, tree_ensemble


@dataclass(frozen=True)
class Algorithm:
    """One algorithm of the policy: its name in every table, and its parameters as they are recorded."""

    name: str
    settings: LogisticRegressionSettings | GradientBoostedTrees
    seed: int

    @property
    def parameters(self) -> dict[str, Any]:
        """What decides the result beside the data."""
        return {**self.settings.model_dump(mode="json"), "seed": self.seed}

    def fitted(self, spark: SparkSession, features: DataFrame, scratch: str) -> PortableModel:
        """The model learned from rows of the features table; `scratch` is a free path for MLlib's own files.

        MLlib keeps the rows in memory for as long as it learns, by itself.
        """
        rows = features.select(array_to_vector(F.col("features")).alias("features"), "label")
        if isinstance(self.settings, LogisticRegressionSettings):
            return linear_model(self._logistic_regression(self.settings).fit(rows))
        return tree_ensemble(spark, self._boosted_trees(self.settings).fit(rows), scratch)

    def _logistic_regression(self, settings: LogisticRegressionSettings) -> LogisticRegression:
        return LogisticRegression(family="binomial", maxIter=settings.iterations, regParam=settings.regularization)

    def _boosted_trees(self, settings: GradientBoostedTrees) -> GBTClassifier:
        # On 1.06 million rows of 13 features neither more memory per pass, fewer bins, subsampling nor other partitions than
        # the table's own saved more than a twentieth of the CPU time; eight partitions on two cores cost a quarter more.
        return GBTClassifier(maxIter=settings.trees, maxDepth=settings.depth, subsamplingRate=settings.subsample, seed=self.seed)


def algorithms(settings: Train) -> list[Algorithm]:
    """The algorithms that the policy asks for."""
    asked = {
        "logistic_regression": settings.logistic_regression,
        "gradient_boosted_trees": settings.gradient_boosted_trees,
    }
    return [Algorithm(name, chosen, settings.seed) for name, chosen in asked.items() if chosen is not None]

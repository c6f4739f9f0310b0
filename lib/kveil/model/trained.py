"""A trained model with the encoding it was trained through."""

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kveil.model.columns import Columns
from kveil.model.features import FeatureMap
from kveil.model.portable import PortableModel, model_from_dict


@dataclass(frozen=True)
class TrainedModel:
    """An algorithm's result on the released rows (may be deployed) or on raw rows (baseline, never is)."""

    algorithm: str
    trained_on: str
    features: FeatureMap
    model: PortableModel

    @property
    def name(self) -> str:
        """What tables call it: algorithm/trained_on."""
        return f"{self.algorithm}/{self.trained_on}"

    def probability(self, rows: Columns) -> NDArray[np.float64]:
        """Probability of label 1, float64 [n], of columns named like the features, not generalized here."""
        return self.model.probability(self.features.matrix(rows))

    def to_json(self) -> str:
        """Feature map and model as a JSON document."""
        return json.dumps({"feature_map": self.features.to_dict(), "model": self.model.to_dict()})

    @classmethod
    def from_json(cls, algorithm: str, trained_on: str, document: str) -> "TrainedModel":
        """The model whose `to_json` is `document`."""
        values = json.loads(document)
        return cls(algorithm, trained_on, FeatureMap.from_dict(values["feature_map"]), model_from_dict(values["model"]))

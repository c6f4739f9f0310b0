"""What is deployed: raw rows in, probabilities out, generalized on the way as the training rows were."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kveil.model.columns import ColumnKind, Columns
from kveil.model.features import FeatureMap
from kveil.model.generalizer import Generalizer
from kveil.model.portable import PortableModel, model_from_dict

_TREES = "generalizer.bin"
_REST = "model.json"


@dataclass(frozen=True)
class ScoringModel:
    """A model trained on a release, behind that release's frozen generalizer. `inputs` names the raw columns it takes."""

    generalizer: Generalizer
    features: FeatureMap
    model: PortableModel
    inputs: dict[str, ColumnKind]

    def score(self, rows: Columns) -> NDArray[np.float64]:
        """Probability of label 1, float64 [n], of raw clean rows: representatives, then features, then the model."""
        return self.model.probability(self.features.matrix({**rows, **self.generalizer.representatives(rows)}))

    def save(self, folder: Path) -> None:
        """Writes the model as JSON beside the generalizer's own bytes: data only, nothing that runs when it is read."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _TREES).write_bytes(self.generalizer.to_bytes())
        document = {"features": self.features.to_dict(), "model": self.model.to_dict(), "inputs": self.inputs}
        (folder / _REST).write_text(json.dumps(document), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "ScoringModel":
        """The model that `save` wrote."""
        document = json.loads((folder / _REST).read_text(encoding="utf-8"))
        return cls(
            Generalizer.from_bytes((folder / _TREES).read_bytes()),
            FeatureMap.from_dict(document["features"]),
            model_from_dict(document["model"]),
            document["inputs"],
        )

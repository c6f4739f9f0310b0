"""The face MLflow loads: `kveil.model.serving` is the loader module of every registered model."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kveil.model.columns import from_pandas
from kveil.model.scoring import ScoringModel

if TYPE_CHECKING:
    import pandas as pd


class ServedModel:
    """A scoring model that takes pandas frames."""

    def __init__(self, scoring: ScoringModel) -> None:
        self._scoring = scoring

    def predict(self, frame: "pd.DataFrame", params: dict[str, Any] | None = None) -> NDArray[np.float64]:
        """Probability of label 1, float64 [n], of a frame with the columns that the signature names."""
        return self._scoring.score(from_pandas(frame, self._scoring.inputs))

    def get_raw_model(self) -> ScoringModel:
        """The scoring model itself, as `mlflow.pyfunc.PyFuncModel.get_raw_model` asks for it."""
        return self._scoring


def _load_pyfunc(path: str) -> ServedModel:
    """What MLflow calls with the folder that `ScoringModel.save` wrote."""
    return ServedModel(ScoringModel.load(Path(path)))

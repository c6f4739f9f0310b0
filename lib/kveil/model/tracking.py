"""MLflow, spoken to in one place: where runs are kept, silently and without telemetry."""

import io
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from datetime import datetime, timezone
from pathlib import Path
from types import ModuleType
from typing import Any

from kveil.modes import close_to_others

_NO_TELEMETRY = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
_URI = "MLFLOW_TRACKING_URI"


def quiet_mlflow() -> ModuleType:
    """MLflow, imported when first needed (it takes a second), sending nothing home and saying only errors."""
    for key, value in _NO_TELEMETRY.items():
        os.environ.setdefault(key, value)
    import mlflow

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return mlflow


@contextmanager
def quietly() -> Iterator[None]:
    """Keeps MLflow's advice and announcements, which it prints past any logger, from between the progress lines."""
    with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


LAKE_TAG = "kveil.lake"
"""The tag that says in which lake a registered model was made; its value is the lake's mark."""


def registered_tags(files: Path, lake: str, tag: str) -> dict[str, str]:
    """The tag's value of every registered model version that was made in the lake, by model and version.

    Nothing where there is no registry yet; one is not made to be asked. A lake's own registry holds its own models alone.
    """
    given, own = os.environ.get(_URI), files / "mlflow.db"
    if not given and not own.is_file():
        return {}
    client = quiet_mlflow().MlflowClient(given or f"sqlite:///{own}", given or f"sqlite:///{own}")
    found, token = {}, None
    while True:
        page = client.search_model_versions(max_results=1000, page_token=token)
        for version in page:
            if tag in version.tags and (not given or version.tags.get(LAKE_TAG) == lake):
                found[f"model {version.name}, version {version.version},"] = str(version.tags[tag])
        token = page.token
        if not token:
            return found


class Tracker:
    """One policy's experiment: at MLFLOW_TRACKING_URI where that is set, else in the lake's own files.

    Nothing personal may be logged: names, counts, settings, hashes and metrics only.
    """

    def __init__(self, files: Path, policy: str) -> None:
        self.mlflow = quiet_mlflow()
        given = os.environ.get(_URI)
        self._own_store = not given
        if self._own_store:
            (files / "mlflow").mkdir(parents=True, exist_ok=True)
        self.mlflow.set_tracking_uri(given or f"sqlite:///{files}/mlflow.db")
        if self._own_store:
            # MLflow exports what it is told; left there, it would pass for the user's wish in the next lake.
            os.environ.pop(_URI, None)
        self.client = self.mlflow.MlflowClient()
        self.experiment = self._experiment(files, f"kveil-{policy}")
        if self._own_store:
            close_to_others(files / "mlflow", files / "mlflow.db")

    def log_run(
        self,
        name: str,
        started: datetime,
        params: Mapping[str, Any],
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> str:
        """Records a finished piece of work as a run and returns its id."""
        milliseconds = round(started.timestamp() * 1000)
        run = self.client.create_run(self.experiment, milliseconds, tags={**(tags or {})}, run_name=name)
        entities = self.mlflow.entities
        self.client.log_batch(
            run.info.run_id,
            metrics=[entities.Metric(key, value, _now(), 0) for key, value in (metrics or {}).items()],
            params=[entities.Param(key, str(value)) for key, value in params.items()],
        )
        self.client.set_terminated(run.info.run_id)
        return str(run.info.run_id)

    def _experiment(self, files: Path, name: str) -> str:
        found = self.client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        location = (files / "mlflow").resolve().as_uri() if self._own_store else None
        return str(self.client.create_experiment(name, artifact_location=location))


def _now() -> int:
    return round(datetime.now(timezone.utc).timestamp() * 1000)

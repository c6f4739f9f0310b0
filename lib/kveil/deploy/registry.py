"""The champion in MLflow's registry: packed with its generalizer and its code, so that it serves without kveil installed."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kveil.model.serving
from kveil.model.columns import ColumnKind
from kveil.model.scoring import ScoringModel
from kveil.model.tracking import Tracker, quietly

if TYPE_CHECKING:
    from importlib.abc import Traversable

ALIAS = "champion"
_BUILD = "kveil.build"
_NEEDED = ("numpy", "pandas", "pydantic", "pyyaml")


@dataclass(frozen=True)
class Lineage:
    """What a registered version tells of its origin; nothing personal."""

    build: str
    tags: Mapping[str, str]
    metrics: Mapping[str, float]


def registered(tracker: Tracker, name: str, scoring: ScoringModel, lineage: Lineage) -> str:
    """The version of `name` that this build registered, now or before, holding the alias champion."""
    with quietly():
        version = _version_of(tracker, name, lineage.build) or _new_version(tracker, name, scoring, lineage)
    tracker.client.set_registered_model_alias(name, ALIAS, version)
    return version


def champion(tracker: Tracker, name: str) -> tuple[ScoringModel, str]:
    """The champion's scoring model, loaded from the registry as serving does, and its version."""
    version = str(tracker.client.get_model_version_by_alias(name, ALIAS).version)
    model = tracker.mlflow.pyfunc.load_model(f"models:/{name}@{ALIAS}", suppress_warnings=True)
    return model.get_raw_model(), version


def _version_of(tracker: Tracker, name: str, build: str) -> str | None:
    found = tracker.client.search_model_versions(f"name = '{name}'")
    versions = [int(version.version) for version in found if version.tags.get(_BUILD) == build]
    return str(max(versions)) if versions else None


def _new_version(tracker: Tracker, name: str, scoring: ScoringModel, lineage: Lineage) -> str:
    mlflow = tracker.mlflow
    tags = {**lineage.tags, _BUILD: lineage.build}
    with mlflow.start_run(experiment_id=tracker.experiment, run_name=f"deploy {name}", tags=tags), _packed(scoring) as folder:
        mlflow.log_metrics(dict(lineage.metrics))
        # A loader module and plain data: loading runs this package's code and nothing out of a pickle.
        model = mlflow.pyfunc.log_model(
            name="model",
            loader_module=kveil.model.serving.__name__,
            data_path=str(folder / "data"),
            code_paths=[str(folder / "kveil")],
            pip_requirements=[f"{package}=={metadata.version(package)}" for package in _NEEDED],
            signature=_signature(tracker, scoring.inputs),
        )
    # Tags are written with the version, so that a version without them, which a re-run could not find, cannot exist.
    shown = {**tags, **{f"kveil.metric.{key}": f"{value:.6g}" for key, value in lineage.metrics.items()}}
    return str(mlflow.register_model(model.model_uri, name, tags=shown).version)


@contextmanager
def _packed(scoring: ScoringModel) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scoring.save(folder / "data")
        _copy(files("kveil"), folder / "kveil")
        yield folder


def _copy(source: "Traversable", target: Path) -> None:
    """A package's files without caches; works from a folder and from an archive on the Python path."""
    target.mkdir(parents=True)
    for entry in source.iterdir():
        if entry.is_dir():
            if entry.name != "__pycache__":
                _copy(entry, target / entry.name)
        else:
            (target / entry.name).write_bytes(entry.read_bytes())


def _signature(tracker: Tracker, inputs: Mapping[str, ColumnKind]) -> Any:
    types = {"number": "double", "date": "datetime", "text": "string"}
    schema, column = tracker.mlflow.types.Schema, tracker.mlflow.types.ColSpec
    return tracker.mlflow.models.ModelSignature(
        inputs=schema([column(types[kind], name) for name, kind in inputs.items()]),
        outputs=schema([column("double", "probability")]),
    )

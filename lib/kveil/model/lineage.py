"""Which release and which trained models are the current ones, as the control tables tell."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from kveil.errors import ContractError
from kveil.model.generalizer import Generalizer
from kveil.model.trained import TrainedModel
from kveil.settings import Policy


@dataclass(frozen=True)
class Release:
    """A publication: its id, the rows it was made of and those it could not make safe."""

    id: str
    rows_in: int
    rows_suppressed: int


def current_release(releases: DataFrame, policy: Policy) -> Release:
    """The policy's latest publication; ContractError when there is none."""
    row = releases.where(F.col("policy") == policy.name).orderBy(F.desc("written_at")).first()
    if row is None:
        raise ContractError(f"policy {policy.name}: nothing has been released yet; run stage anonymize first")
    return Release(row["release_id"], int(row["rows_in"]), int(row["rows_suppressed"]))


def current_models(models: DataFrame, policy: Policy, release: Release) -> list[Row]:
    """The model rows of the latest training on the release (a handful); ContractError when there is none."""
    of_release = models.where((F.col("policy") == policy.name) & (F.col("release_id") == release.id))
    rows = of_release.orderBy(F.desc("written_at"), "algorithm", "trained_on").collect()
    if not rows:
        raise ContractError(f"policy {policy.name}: no model was trained on the current release; run stage train first")
    return [row for row in rows if row["build"] == rows[0]["build"]]


def trained_models(rows: Sequence[Row], trained_on: str) -> list[TrainedModel]:
    """The models of one kind from rows with `algorithm` and `document`."""
    return [TrainedModel.from_json(row["algorithm"], trained_on, row["document"]) for row in rows]


def frozen_generalizer(trees: DataFrame, policy: Policy, release: Release, split: str = "train") -> Generalizer:
    """The release's generalizer for one part of the split, one tree per partition; ContractError when it is not there."""
    rows = trees.where(F.col("release_id") == release.id).select("partition", "tree").collect()
    if not rows:
        raise ContractError(
            f"policy {policy.name}: the generalizer table is not of the current release; run stage anonymize again"
        )
    parsed = [(json.loads(row["partition"]), bytes(row["tree"])) for row in rows]
    return Generalizer.from_rows(policy.anonymize, parsed, split)

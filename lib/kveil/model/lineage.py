"""Which release and which trained models are the current ones, as the control tables tell."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from kveil.errors import ContractError
from kveil.model.generalizer import Generalizer
from kveil.model.trained import TrainedModel
from kveil.settings import Policy


@dataclass(frozen=True)
class Release:
    """A publication: its id, the rows it was made of and those it could not make safe, and the ids of it and its parents.

    `compared` says whether one of them was compared with earlier releases, beside which rows of a class may have been left out.
    """

    id: str
    rows_in: int
    rows_suppressed: int
    lineage: tuple[str, ...]
    compared: bool = False


def current_release(releases: DataFrame, policy: Policy) -> Release:
    """The policy's latest publication; ContractError when there is none."""
    of_policy = standing(releases).where(F.col("policy") == policy.name).orderBy(F.desc("written_at"))
    # One row per publication, whatever the data.
    rows = [row.asDict() for row in of_policy.collect()]
    if not rows:
        raise ContractError(f"policy {policy.name}: nothing has been released yet; run stage anonymize first")
    latest = rows[0]
    lineage = lineage_of(rows, latest["release_id"])
    compared = any(row.get("compared_with") for row in rows if row["release_id"] in lineage)
    return Release(latest["release_id"], int(latest["rows_in"]), int(latest["rows_suppressed"]), lineage, compared)


def standing(releases: DataFrame) -> DataFrame:
    """The publications that were not withdrawn."""
    # A lake of a version without withdrawals has no such column.
    return releases.where(F.col("withdrawn_at").isNull()) if "withdrawn_at" in releases.columns else releases


def lineage_of(releases: Sequence[Mapping[str, Any]], release_id: str) -> tuple[str, ...]:
    """A release's id, that of the release it extends, and so on; of rows with `release_id` and `parent`."""
    parents = {row["release_id"]: row["parent"] for row in releases}
    lineage: list[str] = []
    current: str | None = release_id
    while current is not None and current not in lineage:
        lineage.append(current)
        current = parents.get(current)
    return tuple(lineage)


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
    rows = trees.where(F.col("release_id").isin(list(release.lineage))).select("partition", "tree").collect()
    if not rows:
        raise ContractError(
            f"policy {policy.name}: the generalizer table is not of the current release; run stage anonymize again"
        )
    parsed = [(json.loads(row["partition"]), bytes(row["tree"])) for row in rows]
    return Generalizer.from_rows(policy.anonymize, parsed, split)

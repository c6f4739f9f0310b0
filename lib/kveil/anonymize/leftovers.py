"""Rows of partitions that could not be made safe, released without quasi-identifiers where enough of them do so together."""

from collections.abc import Callable
from dataclasses import replace

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.columns import PERSON, SUPPRESSED
from kveil.anonymize.kernel import Kernel
from kveil.anonymize.metric import Metric
from kveil.settings.anonymize import Anonymize

_SPLIT = "split"


def pooled(staging: DataFrame, kernel: Kernel) -> DataFrame:
    """The rows without cells, in one class per part of the split; a class that breaks the models is left out.

    A partition column is part of the class, so these rows lose theirs, all but the split: train and holdout stay apart.
    Pooling pooled rows changes nothing.
    """
    settings = kernel.settings
    left = staging.where(F.col(SUPPRESSED)).withColumns(
        {name: F.lit(None).cast(dict(staging.dtypes)[name]) for name in settings.slice_columns}
    )
    by = [_SPLIT] if _SPLIT in settings.partition_by else []
    narrow = left.select(*by, PERSON, *settings.sensitive)
    kinds = dict(staging.dtypes)
    schema = ", ".join([*(f"`{name}` {kinds[name]}" for name in by), "safe boolean"])
    verdicts = narrow.groupBy(*[F.col(name) for name in by] or [F.lit(0)]).applyInArrow(_verdict(kernel, by), schema)
    safe = F.broadcast(verdicts.where("safe").drop("safe"))
    return left.join(safe, by, "left_semi") if by else left.join(safe, F.lit(True), "left_semi")


def _verdict(kernel: Kernel, by: list[str]) -> Callable[[pa.Table], pa.Table]:
    """One row per pool: whether its rows, as one class, satisfy the models."""
    of_staging = replace(kernel, person=PERSON)

    def verdict(pool: pa.Table) -> pa.Table:
        head = pool.select(by).slice(0, 1)
        return pa.table({**{name: head[name] for name in by}, "safe": [of_staging.holds_as_one(pool)]})

    return verdict


def cell_metrics(staging: DataFrame, settings: Anonymize, rows_in: int, rows_suppressed: int) -> list[Metric]:
    """Rows kept without cells, and the share of quasi-identifiers' cells that are not released, alone or with their row."""
    rows = staging.where(F.col(SUPPRESSED)).count()
    share, limit = (rows + rows_suppressed) / rows_in, settings.suppression_limit
    return [
        Metric("suppressed_cells_rows", rows),
        Metric("suppressed_cells_share", share, threshold=limit, met=share <= limit),
    ]

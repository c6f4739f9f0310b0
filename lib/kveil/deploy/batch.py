"""Batch scoring: the champion over rows of the clean table."""

from collections.abc import Iterator

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.errors import ContractError
from kveil.model.columns import from_arrow
from kveil.model.rows import as_kind
from kveil.model.scoring import ScoringModel
from kveil.tables.schema import SCORES


def latest_month(clean: DataFrame) -> DataFrame:
    """Held-out people's rows of the latest month that has any."""
    held_out = clean.where(F.col("split") == "holdout")
    latest = held_out.agg(F.max("month").alias("_latest"))
    return held_out.join(F.broadcast(latest), F.col("month") == F.col("_latest")).drop("_latest")


def batch_scores(clean: DataFrame, person: str, scoring: ScoringModel, version: str) -> DataFrame:
    """Rows of the scores table for rows of the clean table."""
    missing = sorted({person, "date", *scoring.inputs} - set(clean.columns))
    if missing:
        raise ContractError(
            f"deploy: the clean table has no column {', '.join(missing)}, which the champion needs; run stage clean again"
        )
    names, inputs = SCORES.names, scoring.inputs
    asked = {name: as_kind(F.col(f"`{name}`"), kind) for name, kind in inputs.items()}
    kept = {"_person": F.col(f"`{person}`").cast("string"), "_date": F.col("date")}
    rows = clean.select(*[column.alias(name) for name, column in {**kept, **asked}.items()])

    def score(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            scores = pa.array(scoring.score(from_arrow(batch, inputs)))
            arrays = [batch.column("_person"), batch.column("_date"), scores, pa.repeat(version, batch.num_rows)]
            yield pa.RecordBatch.from_arrays(arrays, names=names)

    return rows.mapInArrow(score, SCORES.ddl)

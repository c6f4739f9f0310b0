"""Held-out people's rows scored by every model, one pass per view."""

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.model.columns import ColumnKind, from_arrow
from kveil.model.generalizer import Generalizer
from kveil.model.rows import LABEL
from kveil.model.trained import TrainedModel
from kveil.tables.schema import PREDICTIONS


def scored(
    rows: DataFrame,
    view: str,
    models: Sequence[TrainedModel],
    kinds: Mapping[str, ColumnKind],
    generalizer: Generalizer | None = None,
) -> DataFrame:
    """Predictions of all models for the labelled ones of `rows`, which hold LABEL and the columns of `kinds`.

    With a generalizer, rows are first given the representatives that the release would have given them, as serving does.
    """
    names = PREDICTIONS.names

    def score(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            columns = from_arrow(batch, kinds)
            if generalizer is not None:
                columns |= generalizer.representatives(columns)
            for model in models:
                arrays = [
                    pa.repeat(view, batch.num_rows),
                    pa.repeat(model.name, batch.num_rows),
                    batch.column(LABEL),
                    pa.array(model.probability(columns)),
                ]
                yield pa.RecordBatch.from_arrays(arrays, names=names)

    return rows.where(F.col(LABEL).isNotNull()).mapInArrow(score, PREDICTIONS.ddl)

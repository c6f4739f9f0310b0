"""Training rows as feature vectors, computed in Arrow batches."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.model.columns import column_kinds, from_arrow
from kveil.model.features import FeatureMap
from kveil.model.rows import LABEL
from kveil.tables.schema import FEATURES


def vectors(rows: DataFrame, features: FeatureMap, trained_on: str) -> DataFrame:
    """Rows of the features table for the labelled ones of `rows` (LABEL and the features' columns)."""
    kinds = column_kinds({encoding.name: encoding.kind for encoding in features.encodings})
    names = FEATURES.names

    def encode(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            matrix = features.matrix(from_arrow(batch, kinds))
            ends = np.arange(0, matrix.size + 1, matrix.shape[1], dtype=np.int32)
            lists = pa.ListArray.from_arrays(pa.array(ends), pa.array(matrix.ravel()))
            arrays = [pa.repeat(trained_on, batch.num_rows), lists, batch.column(LABEL)]
            yield pa.RecordBatch.from_arrays(arrays, names=names)

    return rows.where(F.col(LABEL).isNotNull()).mapInArrow(encode, FEATURES.ddl)

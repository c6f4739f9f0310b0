"""Arrow batches and pandas frames as the numpy columns that feature maps and generalizers take.

A column's kind is number (float64, NaN for null), date (datetime64[D], NaT) or text (objects, None).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from kveil.settings.anonymize import Anonymize

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

ColumnKind = Literal["number", "date", "text"]
Columns = dict[str, NDArray[Any]]


def column_kinds(kinds: Mapping[str, str]) -> dict[str, ColumnKind]:
    """The column kinds of features or quasi-identifiers of kind number, date, ordered or category."""
    return {name: "number" if kind == "number" else "date" if kind == "date" else "text" for name, kind in kinds.items()}


def generalizer_inputs(settings: Anonymize) -> dict[str, ColumnKind]:
    """The raw columns that a release's generalizer takes: partition columns but the split, and all quasi-identifiers."""
    partition: dict[str, ColumnKind] = {name: "text" for name in settings.partition_by if name != "split"}
    return partition | column_kinds({name: declared.holds for name, declared in settings.quasi_identifiers.items()})


def from_arrow(batch: "pa.RecordBatch", kinds: Mapping[str, ColumnKind]) -> Columns:
    """The named columns of a batch; KeyError where one lacks, ArrowInvalid where one cannot be of its kind."""
    types = {"number": "float64", "date": "date32", "text": "string"}
    return {name: batch.column(name).cast(types[kind], safe=False).to_numpy(zero_copy_only=False) for name, kind in kinds.items()}


def from_pandas(frame: "pd.DataFrame", kinds: Mapping[str, ColumnKind]) -> Columns:
    """The named columns of a frame; KeyError where one lacks, ValueError where one cannot be of its kind."""
    return {name: _of_series(frame[name], kind) for name, kind in kinds.items()}


def _of_series(series: "pd.Series[Any]", kind: ColumnKind) -> NDArray[Any]:
    missing = series.isna().to_numpy(dtype=bool)
    if kind == "number":
        return series.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    if kind == "date":
        return series.astype("datetime64[s]").to_numpy().astype("datetime64[D]")
    texts = [None if null else _text(value) for value, null in zip(series, missing, strict=True)]
    return np.array([*texts, None], dtype=object)[:-1]


def _text(value: Any) -> str:
    """A value as Spark's CAST(... AS STRING) writes it."""
    return str(value).lower() if isinstance(value, bool | np.bool_) else str(value)

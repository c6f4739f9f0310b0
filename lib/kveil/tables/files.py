"""Rows as plain files outside a lake, in the formats that a source may have."""

from typing import Literal, get_args

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

FileFormat = Literal["parquet", "csv", "delta"]
FORMATS: tuple[str, ...] = get_args(FileFormat)

_OPTIONS = {"parquet": {}, "csv": {"header": "true"}, "delta": {}}


def write_files(rows: DataFrame, folder: str, form: FileFormat) -> int:
    """Writes the rows into a folder that is not there yet, CSV with a header; returns how many they were."""
    seen = Observation()
    rows.observe(seen, F.count(F.lit(1)).alias("rows")).write.format(form).options(**_OPTIONS[form]).save(folder)
    return int(seen.get["rows"])

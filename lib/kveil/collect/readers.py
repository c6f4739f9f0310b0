"""From a source to rows as they stand in it, one reader per format; nothing is judged here."""

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from zipfile import BadZipFile

import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from kveil.collect import text
from kveil.collect.databases import failure, read_database
from kveil.collect.file_words import words_of
from kveil.collect.found import POSITION, Found, file_of_row
from kveil.collect.limits import check_limits
from kveil.collect.locations import SourceFile, partition_options, spark_path
from kveil.collect.marks import check_marks
from kveil.collect.rates import COLUMNS, long_rates
from kveil.errors import ContractError
from kveil.session import SPARK_ERRORS
from kveil.settings.sources import Source
from kveil.tables import foreign

_UNREADABLE: tuple[type[Exception], ...] = (*SPARK_ERRORS, OSError, EOFError, ValueError, BadZipFile, zlib.error)
_FILES = ("parquet", "csv", "json", "ecb_rates")
_TOLD = {
    "TIMESTAMP(NANOS": "it holds times in nanoseconds, which Spark does not read; write them in microseconds",
    "INVALID_DATETIME_PATTERN": "csv.dates or csv.timestamps is no pattern that Spark knows; correct it",
    "a zip archive is over": "a zip archive is unpacked up to 256 MB; deliver it as gzip, or unpacked",
    "a line is too long": "a line in an archive is longer than limits.line_mb; deliver it with line ends, or widen that",
    "some files are zip": "some of its files are zip archives and others are not; deliver them alike",
    "cannot be read from a zip": "fields with line ends (csv.multiline) are not read from zip archives; deliver it as gzip",
    "have too many keys": "its objects have over 20,000 different keys; deliver keys that are data as values",
    "password required for extraction": "a zip archive is encrypted; deliver it unencrypted to a place that is protected",
}
"""What of a failure's text says more than that the file is unreadable, and the sentence for it."""


def read(spark: SparkSession, name: str, source: Source, files: Sequence[SourceFile]) -> Found:
    """The rows of a source; raises ContractError when it is not of its format, cannot be reached or has no columns."""
    empty = [file for file in files if file.bytes == 0 and source.format in _FILES]
    if empty:
        raise ContractError(f"sources.{name}: {words_of(empty[0], files, source)} is empty; deliver it again")
    try:
        check_limits(name, source, files)
        check_marks(name, source, files)
        jdbc = source.format == "jdbc"
        found = read_database(spark, name, source) if jdbc else _READERS[source.format](spark, source, files)
    except _UNREADABLE as error:
        raise unreadable(name, source, error) from None
    if not found.schema.fields:
        raise ContractError(f"sources.{name}: {source.uri} has no columns; give a file of format {source.format}")
    return found


def unreadable(name: str, source: Source, error: Exception | None = None) -> ContractError:
    """The error for a source that turns out not to be what it should be; what `error` says is never repeated."""
    said = str(error or "")
    if source.format == "jdbc":
        return failure(name, source, said)
    if source.format == "delta" and source.incremental:
        return ContractError(
            f"sources.{name}: the versions of the Delta table {source.uri} that are not collected yet cannot be read: "
            "its log or a file is damaged or was vacuumed; collect it whole, without incremental"
        )
    if source.format == "delta":
        return ContractError(
            f"sources.{name}: version {source.version if source.version is not None else 'now current'} of the Delta table "
            f"{source.uri} cannot be read: its log or a file is damaged or was vacuumed; give a version that is there"
        )
    for mark, sentence in _TOLD.items():
        if mark in said:
            return ContractError(f"sources.{name}: {source.uri} cannot be read as {source.format}: {sentence}")
    rates, others = "the ECB's eurofxref-hist is expected", "files of one source must agree in their columns"
    hint = rates if source.format == "ecb_rates" else others
    return ContractError(
        f"sources.{name}: {source.uri} cannot be read as {source.format}: it is damaged, cut short or of another format "
        f"({hint}); deliver it again"
    )


def _parquet(spark: SparkSession, source: Source, files: Sequence[SourceFile]) -> Found:
    # Spark takes the schema of one file for that of all unless told to look at each.
    options = {"mergeSchema": str(len(files) > 1).lower(), **partition_options(files), **source.options}
    rows = spark.read.options(**options).parquet(*[spark_path(file.path) for file in files])
    place = (F.col("_metadata.row_index") + 1).alias(POSITION)
    return Found(rows.select("*", file_of_row(), place), rows.schema, texts=False)


def _ecb_rates(spark: SparkSession, source: Source, files: Sequence[SourceFile]) -> Found:
    # Some 7,000 days by 41 currencies: small enough for the driver, whatever the rest of the data is.
    long = pd.concat([long_rates(_content(spark, file)) for file in files]).drop_duplicates()
    schema = StructType([StructField(column, StringType()) for column in COLUMNS])
    return Found(spark.createDataFrame(long, schema), schema, texts=True)


def _content(spark: SparkSession, file: SourceFile) -> bytes:
    if file.path.startswith("/"):
        return Path(file.path).read_bytes()
    row = spark.read.format("binaryFile").load(spark_path(file.path)).select("content").first()
    return bytes(row["content"]) if row else b""


def _delta(spark: SparkSession, source: Source, files: Sequence[SourceFile]) -> Found:
    rows = foreign.at_version(spark, source.uri, files[0].version)
    return Found(rows, rows.schema, texts=False)


_Reader = Callable[[SparkSession, Source, Sequence[SourceFile]], Found]
_READERS: dict[str, _Reader] = {
    "parquet": _parquet,
    "csv": text.csv,
    "json": text.json_lines,
    "delta": _delta,
    "ecb_rates": _ecb_rates,
}

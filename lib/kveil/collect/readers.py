"""From files to rows as they stand in the files, one reader per format; nothing is judged here."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile

import pandas as pd
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from kveil.collect.locations import SourceFile, spark_path
from kveil.collect.rates import COLUMNS, long_rates
from kveil.errors import ContractError
from kveil.session import SPARK_ERRORS
from kveil.settings.sources import Source

MALFORMED = "_kveil_malformed"
"""Of a text format: the line, where it has more or fewer fields than the header; else null."""

FILE, POSITION = "_kveil_file", "_kveil_position"
"""Where a row is from: its file and its place among the file's rows, from 1; columns of Found's rows where known."""

_UNREADABLE: tuple[type[Exception], ...] = (*SPARK_ERRORS, OSError, ValueError, BadZipFile, zlib.error)


@dataclass(frozen=True)
class Found:
    """What files hold. `texts`: every column is text that has yet to be cast. `schema` is without our own columns."""

    rows: DataFrame
    schema: StructType
    texts: bool


def read(spark: SparkSession, name: str, source: Source, files: Sequence[SourceFile]) -> Found:
    """The rows of a source's files; raises ContractError when they are not of its format or have no columns."""
    empty = [file.path for file in files if file.bytes == 0]
    if empty:
        raise ContractError(f"sources.{name}: the file {empty[0]} is empty; deliver it again")
    try:
        found = _READERS[source.format](spark, source, files)
    except _UNREADABLE:
        raise unreadable(name, source) from None
    if not found.schema.fields:
        raise ContractError(f"sources.{name}: {source.uri} has no columns; give a file of format {source.format}")
    return found


def unreadable(name: str, source: Source) -> ContractError:
    """The error for files that turn out not to be what they should be."""
    rates, others = "the ECB's eurofxref-hist is expected", "files of one source must agree in their columns"
    hint = rates if source.format == "ecb_rates" else others
    return ContractError(
        f"sources.{name}: {source.uri} cannot be read as {source.format}: it is damaged, cut short or of another format "
        f"({hint}); deliver it again"
    )


def _parquet(spark: SparkSession, source: Source, files: Sequence[SourceFile]) -> Found:
    # Spark takes the schema of one file for that of all unless told to look at each.
    options = {"mergeSchema": str(len(files) > 1).lower(), **_partitions(files), **source.options}
    rows = spark.read.options(**options).parquet(*[spark_path(file.path) for file in files])
    place = (F.col("_metadata.row_index") + 1).alias(POSITION)
    return Found(rows.select("*", file_of_row(), place), rows.schema, texts=False)


def _csv(spark: SparkSession, source: Source, files: Sequence[SourceFile]) -> Found:
    # enforceSchema=false: a file whose header names other columns, or in another order, is refused rather than misread.
    options = {"header": "true", "enforceSchema": "false", **_partitions(files), **source.options}
    paths = [spark_path(file.path) for file in files]
    header = spark.read.options(**options).csv(paths)
    schema = StructType([StructField(column, StringType()) for column in header.columns])
    # Without columnPruning=false a line's missing or surplus fields go unnoticed in columns that are not asked for.
    options |= {"columnNameOfCorruptRecord": MALFORMED, "columnPruning": "false"}
    malformed = StructField(MALFORMED, StringType())
    rows = spark.read.options(**options).schema(StructType([*schema.fields, malformed])).csv(paths)
    return Found(rows.select("*", file_of_row()), schema, texts=True)


def file_of_row() -> Column:
    """FILE: the row's file as `SourceFile.path` names it; for rows that come straight out of files."""
    # Spark gives an address, in which a blank is %20; a plus sign must stay one.
    path = F.url_decode(F.replace(F.col("_metadata.file_path"), F.lit("+"), F.lit("%2B")))
    return F.regexp_replace(path, "^file:(//)?(?=/)", "").alias(FILE)


def _partitions(files: Sequence[SourceFile]) -> dict[str, str]:
    """The option that makes `column=value` folders columns, where files lie in such below one common folder."""
    above = {PurePosixPath(file.path).parents[len(file.partition)] for file in files}
    inside = any(file.partition for file in files)
    return {"basePath": spark_path(str(above.pop()))} if inside and len(above) == 1 else {}


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


_READERS = {"parquet": _parquet, "csv": _csv, "ecb_rates": _ecb_rates}

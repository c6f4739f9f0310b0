"""Zip archives, which Spark cannot read: workers unpack them in memory, line by line, and nothing unpacked touches a disk."""

import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from kveil.collect.found import FILE, file_of_row
from kveil.collect.locations import SourceFile, spark_path

LARGEST = 256 << 20
"""Bytes of a packed archive: a worker holds it whole. Larger data belongs into gzip, which is read as a stream."""

_LOT = 16 << 20
"""Characters of a lot of lines."""
_LINES = 20_000
_SCHEMA = pa.schema([("line", pa.string()), ("number", pa.int64()), (FILE, pa.string())])
_DDL = f"line string, number bigint, {FILE} string"


def are_archives(files: Sequence[SourceFile]) -> bool:
    """Whether the files are zip archives, by name; ValueError where only some are, or one is too large."""
    packed = [file for file in files if file.path.lower().endswith(".zip")]
    if packed and len(packed) < len(files):
        raise ValueError("some files are zip archives and others are not")
    if any(file.bytes > LARGEST for file in packed):
        raise ValueError(f"a zip archive is over {LARGEST >> 20} MB")
    return bool(packed)


def lines_in(spark: SparkSession, files: Sequence[SourceFile], encoding: str, longest: int) -> DataFrame:
    """Every line of every file in the archives: line, number (from 1 in each packed file) and FILE.

    A line of over `longest` characters fails the read: what has no end for so long is no table.

    An archive that is cut short, damaged, encrypted or empty fails the read. Bytes that `encoding` does not know become U+FFFD.
    """
    return _packed(spark, files).mapInArrow(_unpacking(encoding, longest, whole=True), _DDL)


def first_lines(spark: SparkSession, files: Sequence[SourceFile], encoding: str, longest: int) -> list[str]:
    """The distinct first lines of the files in the archives, at most two."""
    firsts = _packed(spark, files).mapInArrow(_unpacking(encoding, longest, whole=False), _DDL)
    return [row["line"] for row in firsts.select("line").distinct().limit(2).collect()]


def _packed(spark: SparkSession, files: Sequence[SourceFile]) -> DataFrame:
    read = spark.read.format("binaryFile").load([spark_path(file.path) for file in files])
    return read.select("content", file_of_row())


def _unpacking(encoding: str, longest: int, whole: bool) -> Callable[[Iterator[Any]], Iterator[Any]]:
    def unpacked(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for content, path in zip(batch.column(0), batch.column(1), strict=True):
                for number, lines in _numbered(memoryview(content.as_buffer()), encoding, longest, whole):
                    columns = [lines, list(range(number, number + len(lines))), [path.as_py()] * len(lines)]
                    yield pa.RecordBatch.from_arrays(
                        [pa.array(c, f.type) for c, f in zip(columns, _SCHEMA, strict=True)], schema=_SCHEMA
                    )

    return unpacked


def _numbered(content: memoryview, encoding: str, longest: int, whole: bool) -> Iterator[tuple[int, list[str]]]:
    """The lines of each packed file in lots, with the number of each lot's first line."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [member for member in archive.infolist() if _is_data(member)]
        if not members:
            raise ValueError("the archive holds no file")
        for member in members:
            with archive.open(member) as packed:
                number = 1
                text = io.TextIOWrapper(packed, "utf-8-sig" if encoding == "UTF-8" else encoding, "replace")
                for lot in _lots(text, longest, whole):
                    yield number, lot
                    number += len(lot)


def _lots(text: io.TextIOWrapper, longest: int, whole: bool) -> Iterator[list[str]]:
    """The text's lines (the first alone unless `whole`) in lots that are small whatever the lines' lengths."""
    lot: list[str] = []
    characters = 0
    while line := text.readline(longest):
        if len(line) == longest and not line.endswith("\n"):
            raise ValueError("a line is too long")
        lot.append(line.removesuffix("\n"))
        characters += len(line)
        if not whole:
            break
        if len(lot) == _LINES or characters > _LOT:
            yield lot
            lot, characters = [], 0
    if lot:
        yield lot


def _is_data(member: zipfile.ZipInfo) -> bool:
    parts = member.filename.split("/")
    return not member.is_dir() and not any(part.startswith((".", "_")) for part in parts)

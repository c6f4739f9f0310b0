"""CSV and JSON lines: every column arrives as the text that stands in the file; the contract casts it."""

import csv as csv_module
from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from kveil.collect.archives import are_archives, first_lines, lines_in
from kveil.collect.found import FILE, Found, file_of_row
from kveil.collect.locations import SourceFile, partition_options, spark_path
from kveil.settings.formats import Csv
from kveil.settings.sources import Source
from kveil.tables.schema import MALFORMED

_NO_QUOTE = "\uffff"
"""Never a character of a text. Spark's own word for no quote is NUL, which then quotes."""
_MOST_KEYS = 20_000
"""Keys of JSON objects that may be columns; where there are more, keys are data."""
_UNDECODED, _NUL = "\ufffd", "\0"
_C1 = bytes(range(0x80, 0xA0)).decode("latin-1")
_WINDOWS_1252 = bytes(range(0x80, 0xA0)).decode("windows-1252", "replace")
"""What the bytes 80 to 9F are in Latin-1 (control characters) and in windows-1252."""


def csv(spark: SparkSession, source: Source, files: Sequence[SourceFile]) -> Found:
    """The rows of CSV files, plain, gzip or all zip, which agree in their header."""
    options = _csv_options(source)
    if are_archives(files):
        schema = _texts(_header_in_archives(spark, source, files))
        lines = lines_in(spark, files, source.csv.charset, source.limits.line_mb << 20)
        wanted = F.length(F.trim("line")) > 0
        wanted = wanted & (F.col("number") > 1) if source.csv.header else wanted
        parsed = F.from_csv("line", _ddl(_with_malformed(schema)), options)
        rows = lines.where(wanted).select(F.inline(F.array(parsed)), FILE)
    else:
        paths = [spark_path(file.path) for file in files]
        options |= partition_options(files)
        header = spark.read.options(**options).csv(paths).columns if source.csv.header else list(source.columns)
        schema = _texts(header)
        # Without columnPruning=false a line's missing or surplus fields go unnoticed in columns that are not asked for.
        options |= {"columnPruning": "false"}
        rows = spark.read.options(**options).schema(_with_malformed(schema)).csv(paths).select("*", file_of_row())
    return Found(_decoded(rows, source), schema, texts=True)


def json_lines(spark: SparkSession, source: Source, files: Sequence[SourceFile]) -> Found:
    """The rows of files with one JSON object a line, UTF-8, plain, gzip or all zip; nested values arrive as JSON."""
    folders: list[str] = []
    if are_archives(files):
        lines = lines_in(spark, files, "UTF-8", source.limits.line_mb << 20)
    else:
        options = {**partition_options(files), **_only(source.options, "lineSep")}
        read = spark.read.options(**options).text([spark_path(file.path) for file in files])
        folders = [column for column in read.columns if column != "value"]
        # Bytes that are no UTF-8 become U+FFFD here, as they do in CSV.
        lines = read.select(F.make_valid_utf8("value").alias("line"), file_of_row(), *folders)
    objects = lines.where(F.length(F.trim("line")) > 0)
    found = objects.select(F.explode(F.json_object_keys("line")).alias("key")).distinct()
    keys = sorted(row["key"] for row in found.limit(_MOST_KEYS + 1).collect())
    if len(keys) > _MOST_KEYS:
        raise ValueError("the objects have too many keys")
    fields = _texts([key for key in keys if key not in folders])
    parsed = F.from_json("line", _with_malformed(fields), {"columnNameOfCorruptRecord": MALFORMED, **source.options})
    above = [F.col(column).cast("string") for column in folders]
    rows = objects.select(F.inline(F.array(parsed)), FILE, *above)
    return Found(rows, _texts([*fields.names, *folders]), texts=True)


def text_flaws(columns: Sequence[Column]) -> list[tuple[str, str, Column]]:
    """Rule, reason and condition of what no text may hold: bytes that could not be decoded, and NUL."""
    whole = F.concat_ws("", *columns)
    return [
        ("row.encoding", "row: has bytes that its declared encoding does not know", F.contains(whole, F.lit(_UNDECODED))),
        ("row.nul", "row: holds a NUL character", F.contains(whole, F.lit(_NUL))),
    ]


def as_spark_writes(text: Column, type_: str, csv: Csv) -> Column:
    """A number or time, written as `csv` says, in the notation that Spark casts; null where it is not written so."""
    if type_ == "date" and csv.dates is not None:
        return F.try_to_date(text, csv.dates).cast("string")
    if type_ == "timestamp" and csv.timestamps is not None:
        return F.try_to_timestamp(text, F.lit(csv.timestamps)).cast("string")
    numeric = type_ in ("int", "bigint", "float", "double") or type_.startswith("decimal")
    if not numeric or (csv.decimal == "." and not csv.thousands):
        return text
    point, group = f"[{csv.decimal}]", f"[{csv.thousands}]"
    whole = rf"(\d+|\d{{1,3}}({group}\d{{3}})+)" if csv.thousands else r"\d+"
    number = rf"^\s*[+-]?({whole}({point}\d*)?|{point}\d+)([eE][+-]?\d+)?\s*$"
    return F.when(F.rlike(text, F.lit(number)), F.translate(text, csv.decimal + csv.thousands, "."))


def _csv_options(source: Source) -> dict[str, str]:
    said = source.csv
    return {
        "header": str(said.header).lower(),
        "sep": said.delimiter,
        "quote": said.quote or _NO_QUOTE,
        "escape": (said.quote if said.escape is None else said.escape) or _NO_QUOTE,
        "encoding": said.charset,
        # Spark looks for line ends byte by byte unless it parses a file as a whole, and in UTF-16 a byte is no character.
        "multiLine": str(said.multiline or said.encoding == "utf-16").lower(),
        # A file whose header names other columns, or in another order, is refused rather than misread.
        "enforceSchema": "false",
        "columnNameOfCorruptRecord": MALFORMED,
        **source.options,
    }


def _header_in_archives(spark: SparkSession, source: Source, files: Sequence[SourceFile]) -> list[str]:
    if source.csv.multiline:
        raise ValueError("a field that holds line ends cannot be read from a zip archive")
    if not source.csv.header:
        return list(source.columns)
    headers = first_lines(spark, files, source.csv.charset, source.limits.line_mb << 20)
    if len(headers) != 1:
        raise ValueError("the archives do not agree in one header")
    return _names_in(headers[0], source.csv)


def _texts(columns: Sequence[str]) -> StructType:
    return StructType([StructField(column, StringType()) for column in columns])


def _with_malformed(schema: StructType) -> StructType:
    return StructType([*schema.fields, StructField(MALFORMED, StringType())])


def _ddl(schema: StructType) -> str:
    return ", ".join(f"`{name.replace('`', '``')}` string" for name in schema.names)


def _decoded(rows: DataFrame, source: Source) -> DataFrame:
    """The rows with the declared columns as the policy says they are meant: its encoding, its words for nothing."""
    words, declared = source.csv.nulls, [name for name in source.columns if name in rows.columns]
    if source.csv.encoding == "windows-1252":
        rows = rows.withColumns({name: F.translate(name, _C1, _WINDOWS_1252) for name in declared})
    return rows.withColumns({name: F.when(~F.col(name).isin(words), F.col(name)) for name in declared}) if words else rows


def _names_in(header: str, said: Csv) -> list[str]:
    if len(said.delimiter) > 1:
        return [name.strip(said.quote or None) for name in header.split(said.delimiter)]
    return next(csv_module.reader([header], delimiter=said.delimiter, quotechar=said.quote or _NO_QUOTE))


def _only(options: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in options.items() if name in names}

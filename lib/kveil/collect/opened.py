"""A source that no policy declares yet: opened by its address alone, its format found by its name and content."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from kveil.collect.locations import locate
from kveil.collect.readers import read
from kveil.errors import ContractError
from kveil.settings.packages import packaged
from kveil.settings.sources import Source
from kveil.tables.schema import MALFORMED

_FORMATS = {".parquet": "parquet", **dict.fromkeys((".csv", ".tsv", ".txt"), "csv")}
_FORMATS |= dict.fromkeys((".json", ".jsonl", ".ndjson"), "json")
_PACKED = (".gz", ".zip")
_SNIFFED = 64 * 1024
_DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class Opened:
    """A source by its name: how a policy would declare it (without columns), its rows, and whether these are texts of a file."""

    name: str
    declared: dict[str, Any]
    rows: DataFrame
    texts: bool


def opened(spark: SparkSession, name: str, address: str) -> Opened:
    """The source at a file, folder, Delta table or package://; ContractError where none of these is there or readable.

    CSV is taken to have a header and UTF-8; its delimiter is found in its first lines where the file is at hand.
    """
    declared: dict[str, Any] = {"uri": address, "format": _format(name, address)}
    sample = _sample(address)
    if declared["format"] == "csv" and sample is not None:
        delimiter = _delimiter(sample)
        declared |= {"csv": {"delimiter": delimiter}} if delimiter != "," else {}
    # A source needs a column; readers of files with a header take no notice.
    source = Source.model_validate({**declared, "columns": {"any": "string"}})
    found = read(spark, name, source, locate(spark, name, source))
    rows = found.rows.where(f"{MALFORMED} IS NULL") if MALFORMED in found.rows.columns else found.rows
    return Opened(name, declared, rows.select(*[f"`{each}`" for each in found.schema.names]), found.texts)


def _format(name: str, address: str) -> str:
    path = _local(address)
    if path is not None and (path / "_delta_log").is_dir():
        return "delta"
    inside = sorted(path.rglob("*")) if path is not None and path.is_dir() else [Path(address)]
    found = {_FORMATS[kind] for each in inside if (kind := _kind(each)) in _FORMATS}
    if len(found) != 1:
        allowed = ", ".join(_FORMATS)
        raise ContractError(f"{name}: {address} has no format that its name tells; allowed: a Delta table, or files of {allowed}")
    return found.pop()


def _kind(path: Path) -> str:
    """A file's ending, without that of its packing."""
    return Path(path.stem).suffix.lower() if path.suffix.lower() in _PACKED else path.suffix.lower()


def _local(address: str) -> Path | None:
    if address.startswith("package://"):
        try:
            return packaged(address)
        except ValueError:
            return None
    return None if "://" in address else Path(address)


def _sample(address: str) -> str | None:
    """The first lines of a plain file at hand, or of the first of a folder."""
    path = _local(address)
    if path is not None and path.is_dir():
        path = next((each for each in sorted(path.rglob("*")) if each.is_file() and _kind(each) in _FORMATS), None)
    if path is None or not path.is_file() or path.suffix.lower() in _PACKED:
        return None
    with path.open("rb") as file:
        return file.read(_SNIFFED).decode("utf-8", "replace")


def _delimiter(sample: str) -> str:
    try:
        return csv.Sniffer().sniff(sample, _DELIMITERS).delimiter
    except csv.Error:
        return ","

"""Delta tables that others own: which version is there, and its rows. Nothing here writes."""

import re
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

_IN_A_CATALOG = re.compile(r"^\w+(\.\w+){1,2}$")


@dataclass(frozen=True)
class Described:
    """A Delta table at a version: its id, the version, and its bytes (0 for an older version, which nothing tells)."""

    id: str
    version: int
    bytes: int


def described(spark: SparkSession, address: str, version: int | None = None) -> Described:
    """The table at a folder, path or catalog name, pinned: at `version`, or at the version that is current now."""
    detail = spark.sql(f"DESCRIBE DETAIL {identifier(address)}").first()
    latest = spark.sql(f"DESCRIBE HISTORY {identifier(address)} LIMIT 1").first()
    assert detail is not None and latest is not None  # Delta raises where there is no table
    current = int(latest["version"])
    pinned = current if version is None else version
    return Described(detail["id"], pinned, int(detail["sizeInBytes"]) if pinned == current else 0)


def at_version(spark: SparkSession, address: str, version: int | None) -> DataFrame:
    """The table's rows at a version."""
    at = "" if version is None else f" VERSION AS OF {version}"
    return spark.sql(f"SELECT * FROM {identifier(address)}{at}")


def identifier(address: str) -> str:
    """The table's name in SQL."""
    if _IN_A_CATALOG.match(address) and not Path(address).exists():
        return ".".join(f"`{part}`" for part in address.split("."))
    path = address if "://" in address else str(Path(address).absolute())
    return f"delta.`{path.replace('`', '``')}`"

"""The row-count contract: lines that a stray quote swallows, or that never came, are missing in nothing but the count."""

import re
from pathlib import Path

from pyspark.sql import SparkSession

from kveil.collect.locations import spark_path
from kveil.errors import ContractError
from kveil.session import SPARK_ERRORS
from kveil.settings.sources import Source

_MOST_LINES = 20
_UNREADABLE: tuple[type[Exception], ...] = (OSError, UnicodeDecodeError, *SPARK_ERRORS)


def check_row_count(spark: SparkSession, name: str, source: Source, read: int) -> None:
    """Raises ContractError when a source has not as many rows as its contract or its control file says."""
    if source.rows is None:
        return
    least, most = source.rows.min, source.rows.max
    if source.rows.control is not None:
        least = most = _count_in(spark, name, source.rows.control)
    if (least is not None and read < least) or (most is not None and read > most):
        allowed = f"exactly {least:,}" if least == most else " and ".join(_limits(least, most))
        raise ContractError(
            f"sources.{name}.rows: {source.uri} has {read:,} rows; allowed: {allowed}; lines may be missing, doubled or "
            "swallowed by a stray quote: look at the delivery, or correct rows"
        )


def _limits(least: int | None, most: int | None) -> list[str]:
    return [f"{word} {limit:,}" for word, limit in (("at least", least), ("at most", most)) if limit is not None]


def _count_in(spark: SparkSession, name: str, address: str) -> int:
    """The only number in a control file."""
    try:
        text = Path(address).read_text(encoding="utf-8") if "://" not in address else _remote_text(spark, address)
    except _UNREADABLE:
        raise ContractError(f"sources.{name}.rows.control: {address} cannot be read; deliver the control file too") from None
    numbers = re.findall(r"\d+", text)
    if len(numbers) != 1:
        raise ContractError(
            f"sources.{name}.rows.control: {address} holds {len(numbers)} numbers; allowed: the number of rows and no other"
        )
    return int(numbers[0])


def _remote_text(spark: SparkSession, address: str) -> str:
    return "\n".join(row["value"] for row in spark.read.text(spark_path(address)).limit(_MOST_LINES).collect())

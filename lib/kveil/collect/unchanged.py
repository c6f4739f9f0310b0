"""A file that changes while it is read gives two halves; so it is located again after, and compared."""

from collections.abc import Sequence
from pathlib import Path

from pyspark.sql import SparkSession

from kveil.collect.file_words import words_of
from kveil.collect.locations import SourceFile, hashed, remote_files, spark_path
from kveil.errors import ContractError
from kveil.settings.sources import Source


def check_unchanged(spark: SparkSession, name: str, source: Source, files: Sequence[SourceFile]) -> None:
    """Raises ContractError when a file is no longer what was located, so that what was read of it may be two halves.

    Delta tables are read at a version and databases once, so these cannot change.
    """
    if source.format in ("jdbc", "delta"):
        return
    changed = [file for file in files if _again(spark, name, file) != file]
    if changed:
        raise ContractError(
            f"sources.{name}: {words_of(changed[0], files, source)} changed while it was read, so nothing of it was kept; "
            "deliver files whole (written under another name, then renamed) and run collect again"
        )


def _again(spark: SparkSession, name: str, file: SourceFile) -> SourceFile | None:
    try:
        return hashed(Path(file.path)) if file.path.startswith("/") else remote_files(spark, name, spark_path(file.path))[0]
    except (OSError, ContractError):
        return None

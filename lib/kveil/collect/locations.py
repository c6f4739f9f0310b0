"""From a source's uri to its files: found, measured and hashed, so that provenance names what was really read."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath

from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from kveil.errors import ContractError
from kveil.session import SPARK_ERRORS
from kveil.settings.packages import packaged
from kveil.settings.sources import Source
from kveil.tables import foreign

_CHUNK = 1 << 20
_MOST_HASHED = 1 << 30
"""Bytes of a remote file up to which its content is hashed; Spark reads files whole for that, up to 2 GiB."""


@dataclass(frozen=True)
class SourceFile:
    """A file as it was found: its path, its size in bytes and the SHA-256 of its content; of its name, size and time where it is
    remote and larger than a gibibyte.

    A Delta table stands as one, at a version, with its size (0 where an older version's is not known) and a hash of its id and
    version; so does what is read of a database, whose size and hash nothing tells (0 and empty).
    """

    path: str
    bytes: int
    sha256: str
    version: int | None = None

    @property
    def partition(self) -> tuple[str, ...]:
        """The `column=value` folders that the file lies in, outermost first: columns that are not in the file itself."""
        inner = takewhile(lambda part: "=" in part, reversed(PurePosixPath(self.path).parent.parts))
        return tuple(reversed(list(inner)))


def locate(spark: SparkSession, name: str, source: Source, may_be_empty: bool = False) -> tuple[SourceFile, ...]:
    """The files behind a source's uri, each content once, by path; raises ContractError when there is nothing to read.

    With `may_be_empty` a folder without files is no error: it may be emptied between deliveries.

    The uri of files is `package://PACKAGE/inner/path` (a file of an installed Python package, which is not imported), a local
    file or folder, or any path that Spark can list (`scheme://...`).
    """
    if source.format == "jdbc":
        return (SourceFile(f"{source.uri} {source.jdbc.relation}" if source.jdbc else source.uri, 0, ""),)
    if source.format == "delta":
        return (_delta_table(spark, name, source),)
    if "://" in source.uri and not source.uri.startswith("package://"):
        return _once_each(remote_files(spark, name, source.uri, may_be_empty))
    path = _packaged(name, source.uri) if source.uri.startswith("package://") else Path(source.uri).absolute()
    return _once_each(_local_files(name, source.uri, path, may_be_empty))


def bare(path: str) -> str:
    """The path of a local file without its scheme, whichever of `file:` and `file://` it is written with; others as they are."""
    return re.sub(r"^file:(//)?(?=/)", "", path)


def spark_path(path: str) -> str:
    """The path as Spark's readers take it: with its scheme, and with glob characters meant literally."""
    return re.sub(r"([\\\[\]{}*?])", r"\\\1", path if re.match(r"^\w[\w+.-]+:", path) else f"file://{path}")


def partition_options(files: Sequence[SourceFile]) -> dict[str, str]:
    """The reader's option that makes `column=value` folders columns, where files lie in such below one common folder."""
    above = {PurePosixPath(file.path).parents[len(file.partition)] for file in files}
    inside = any(file.partition for file in files)
    return {"basePath": spark_path(str(above.pop()))} if inside and len(above) == 1 else {}


def _delta_table(spark: SparkSession, name: str, source: Source) -> SourceFile:
    try:
        found = foreign.described(spark, source.uri, source.version)
    except SPARK_ERRORS:
        raise ContractError(
            f"sources.{name}.uri: there is no Delta table at {source.uri} that Spark can read; give its folder, path or "
            "catalog.schema.table"
        ) from None
    digest = hashlib.sha256(f"{found.id} {found.version}".encode()).hexdigest()
    return SourceFile(f"{source.uri}@v{found.version}", found.bytes, digest, found.version)


def _packaged(name: str, uri: str) -> Path:
    try:
        return packaged(uri)
    except ValueError as error:
        raise ContractError(f"sources.{name}.uri: {error}") from None


def _local_files(name: str, uri: str, path: Path, may_be_empty: bool) -> list[SourceFile]:
    if not path.exists():
        raise ContractError(f"sources.{name}.uri: {uri} is not there; give the path of a file or folder")
    if (path / "_delta_log").exists():
        raise ContractError(f"sources.{name}.uri: {uri} is a Delta table, whose files may hold deleted rows; say format: delta")
    found = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file() and _is_data(file, path))
    if not found and not may_be_empty:
        raise ContractError(f"sources.{name}.uri: the folder {uri} holds no data file; put the source's files there")
    try:
        return [hashed(file) for file in found]
    except OSError as error:
        raise ContractError(f"sources.{name}.uri: {uri} cannot be read ({error.strerror}); give a readable file") from None


def _is_data(file: Path, folder: Path) -> bool:
    # Spark skips names that begin like this too: markers, checksums, logs.
    return not any(part.startswith(("_", ".")) for part in file.relative_to(folder).parts)


def hashed(path: Path) -> SourceFile:
    """A local file as it is now."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return SourceFile(str(path), size, digest.hexdigest())


def remote_files(spark: SparkSession, name: str, uri: str, may_be_empty: bool = False) -> list[SourceFile]:
    """The files that Spark finds at an address, as they are now."""
    try:
        listed = spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(uri)
        # One row per file: the driver holds paths and hashes, never content.
        rows = listed.select("path", "length", F.col("modificationTime").cast("string").alias("changed")).collect()
        small = listed.where(F.col("length") <= _MOST_HASHED).select("path", F.sha2("content", 256).alias("sha256"))
        hashes = {row["path"]: row["sha256"] for row in small.collect()}
    except SPARK_ERRORS:
        raise ContractError(f"sources.{name}.uri: Spark cannot list or read {uri}; give a path that it may read") from None
    if not rows and not may_be_empty:
        raise ContractError(f"sources.{name}.uri: {uri} holds no data file; put the source's files there")
    return [SourceFile(row["path"], row["length"], hashes.get(row["path"]) or _told_by_listing(row)) for row in rows]


def _told_by_listing(row: Row) -> str:
    """In place of a hash of the content, one of the name, size and time of a file that Spark cannot hold as one value."""
    return hashlib.sha256(f"{row['path']} {row['length']} {row['changed']}".encode()).hexdigest()


def _once_each(files: Iterable[SourceFile]) -> tuple[SourceFile, ...]:
    """Files of the same content once, in the order of their paths; other `column=value` folders make other rows."""
    kept: dict[tuple[str, ...], SourceFile] = {}
    for file in sorted(files, key=lambda file: file.path):
        kept.setdefault((file.sha256, *file.partition), file)
    return tuple(kept.values())

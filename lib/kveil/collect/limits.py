"""Text files that would fill the memory: a line without end, or an archive that unpacks to a thousand times its size.

A file at hand is measured before Spark sees it, in pieces. What lies on a remote storage is not at hand: there Spark's own memory
is the limit.
"""

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, Any

import numpy as np

from kveil.collect.file_words import words_of
from kveil.collect.locations import SourceFile
from kveil.errors import ContractError
from kveil.settings.sources import Source

_CHUNK = 1 << 20
_SMALL = 64 << 20
"""Unpacked bytes up to which the ratio does not matter."""
_OPENED: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open}
_UNMEASURED = (".deflate", ".lz4", ".snappy", ".zst", ".xz", ".7z", ".rar")
_DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


def check_limits(name: str, source: Source, files: Sequence[SourceFile]) -> None:
    """Raises ContractError for a text file with a line, ratio or size beyond `limits`; damaged ones are the reader's to tell."""
    if source.format not in ("csv", "json", "ecb_rates"):
        return
    for file in files:
        problem = _packing(file.path) or (_measured(Path(file.path), source, file.bytes) if file.path.startswith("/") else None)
        if problem:
            raise ContractError(f"sources.{name}: {words_of(file, files, source)} {problem}")


def _packing(path: str) -> str | None:
    ending = Path(path).suffix.lower()
    return f"is packed as {ending}; allowed: gzip, zip, or not packed" if ending in _UNMEASURED else None


def _measured(path: Path, source: Source, size: int) -> str | None:
    try:
        if path.suffix.lower() == ".zip":
            return _of_archive(path, source)
        opened = _OPENED.get(path.suffix.lower())
        with closing(opened(path, "rb") if opened else path.open("rb")) as content:
            return _of_lines(content, source, size if opened else None)
    except _DAMAGED:
        return None


def _of_archive(path: Path, source: Source) -> str | None:
    """Of a zip archive the sizes that it declares: a worker unpacks no more of a file than that."""
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
        packed = sum(member.compress_size for member in archive.infolist())
    return _of_size(unpacked, packed, source)


def _of_size(unpacked: int, packed: int, source: Source) -> str | None:
    limits = source.limits
    if unpacked > limits.unpacked_gb * 1e9:
        return f"unpacks to over {limits.unpacked_gb:,} GB; deliver less at once, or widen limits.unpacked_gb"
    if unpacked > _SMALL and unpacked > packed * limits.ratio:
        return (
            f"unpacks to over {limits.ratio:,} times its size, as an archive made to fill memory does; deliver it unpacked, or "
            "widen limits.ratio"
        )
    return None


def _of_lines(content: IO[bytes], source: Source, packed: int | None) -> str | None:
    longest, unpacked = source.limits.line_mb << 20, 0
    for chunk, line in _lines(content, _ends(source)):
        unpacked += chunk
        if line > longest:
            return (
                f"has a line of over {source.limits.line_mb:,} MB; deliver it with line ends, or widen limits.line_mb if such "
                "lines are meant"
            )
        problem = _of_size(unpacked, packed, source) if packed is not None else None
        if problem:
            return problem
    return None


def _ends(source: Source) -> list[int]:
    """The bytes that end a line, the last of them where it is several."""
    given = source.options.get("lineSep")
    return [given.encode("utf-8")[-1]] if given else [10, 13]


def _lines(content: IO[bytes], ends: list[int]) -> Iterator[tuple[int, int]]:
    """Bytes read, and the longest line up to here, piece by piece."""
    open_line = 0
    while chunk := content.read(_CHUNK):
        signs = np.frombuffer(chunk, dtype=np.uint8)
        places = np.flatnonzero(np.logical_or.reduce([signs == end for end in ends]))
        if len(places):
            longest = max(open_line + int(places[0]), int(np.diff(places).max(initial=0)))
            open_line = len(chunk) - int(places[-1]) - 1
        else:
            open_line += len(chunk)
            longest = open_line
        yield len(chunk), max(longest, open_line)

"""A file's first bytes against what its name and the policy say of it: a byte order mark, gzip, zip."""

import gzip
from collections.abc import Sequence
from pathlib import Path

from kveil.collect.file_words import words_of
from kveil.collect.locations import SourceFile
from kveil.errors import ContractError
from kveil.settings.sources import Source

_UTF8, _UTF16 = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")
_PACKED = {b"\x1f\x8b": ".gz", b"PK\x03\x04": ".zip"}


def check_marks(name: str, source: Source, files: Sequence[SourceFile]) -> None:
    """Raises ContractError for a local text file that its first bytes show to be packed or encoded otherwise than said."""
    if source.format not in ("csv", "json"):
        return
    encoding = source.csv.encoding if source.format == "csv" else "utf-8"
    for file in files:
        if file.path.startswith("/"):
            problem = _problem(file.path, encoding)
            if problem:
                raise ContractError(f"sources.{name}: {words_of(file, files, source)} {problem}")


def _problem(path: str, encoding: str) -> str | None:
    first = _first_bytes(path)
    for mark, ending in _PACKED.items():
        if first.startswith(mark) and not path.lower().endswith(ending):
            return f"is packed but not named so; let its name end in {ending}"
    if path.lower().endswith(".zip"):
        return None
    if first.startswith(_UTF8) and encoding != "utf-8":
        return f"begins with the byte order mark of UTF-8 where {encoding} is declared; correct csv.encoding"
    if first.startswith(_UTF16) and encoding != "utf-16":
        return f"begins with the byte order mark of UTF-16 where {encoding} is declared; correct csv.encoding, or deliver UTF-8"
    if encoding == "utf-16" and not first.startswith(_UTF16):
        return "has no byte order mark, so the order of its bytes is not known; deliver it with one, or as UTF-8"
    return None


def _first_bytes(path: str) -> bytes:
    if path.lower().endswith(".gz"):
        with gzip.open(path) as unpacked:
            return unpacked.read(4)
    with Path(path).open("rb") as file:
        return file.read(4)

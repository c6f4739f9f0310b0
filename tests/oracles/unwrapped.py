"""Everything that a folder's files hold, with all wrappings taken off: what somebody with these files can read."""

import base64
import binascii
import contextlib
import gzip
import io
import json
import re
import sqlite3
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

_WRAPPED = re.compile(rb"[0-9a-fA-F]{40,}|[A-Za-z0-9+/_-]{40,}={0,2}")


def texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Each file's name and a text of it: columns, arrays, archives, databases and encoded parts are texts of their own."""
    for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
        if path.is_file():
            yield str(path), str(path)
            for text in _of_bytes(path.read_bytes(), 0):
                yield str(path), text


def where(folders: list[Path], needles: list[Any]) -> list[tuple[str, str]]:
    """Which needle (a text, whole number or day) stands in which file, however it is written there."""
    patterns = {str(needle): _pattern(needle) for needle in needles}
    return [
        (needle, name)
        for folder in folders
        for name, text in texts(folder)
        for needle, pattern in patterns.items()
        if pattern.search(text)
    ]


def _pattern(needle: Any) -> re.Pattern[str]:
    forms = [str(needle)]
    if isinstance(needle, np.datetime64):
        days = int(needle.astype("datetime64[D]").astype(int))
        forms += [str(days), str(days * 86_400_000_000)]
    whole = "|".join(re.escape(form) for form in forms)
    return re.compile(rf"(?<![0-9A-Za-z]){'(' + whole + ')'}(?:\.0+)?(?![0-9A-Za-z])", re.IGNORECASE)


def _of_bytes(data: bytes, depth: int) -> Iterator[str]:
    if depth > 6 or not data:
        return
    if data[:4] == b"PAR1":
        for name, column in pq.read_table(io.BytesIO(data)).to_pydict().items():
            yield name
            yield from _of_values(column, depth + 1)
        yield str(pq.read_metadata(io.BytesIO(data)).to_dict())
    elif data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield name
                yield from _of_bytes(archive.read(name), depth + 1)
    elif data[:6] == b"\x93NUMPY":
        array = np.load(io.BytesIO(data), allow_pickle=False)
        if array.dtype == np.uint8:
            yield from _of_bytes(array.tobytes(), depth + 1)
        yield " ".join(map(str, array.reshape(-1).tolist()))
    elif data[:2] == b"\x1f\x8b":
        yield from _of_bytes(gzip.decompress(data), depth + 1)
    elif data[:15] == b"SQLite format 3":
        yield from _of_database(data, depth)
    else:
        yield from _of_text(data, depth)


def _of_text(data: bytes, depth: int) -> Iterator[str]:
    yield data.decode("utf-8", errors="replace")
    with contextlib.suppress(zlib.error):
        yield from _of_bytes(zlib.decompress(data), depth + 1)
    for found in _WRAPPED.findall(data):
        for decode in (binascii.unhexlify, base64.b64decode, base64.urlsafe_b64decode):
            try:
                made = decode(found)
            except (ValueError, binascii.Error):
                continue
            if made[:2] in (b"PK", b"\x1f\x8b") or made[:1] == b"\x78" or made[:6] == b"\x93NUMPY":
                yield from _of_bytes(made, depth + 1)
                break


def _of_values(values: list[Any], depth: int) -> Iterator[str]:
    plain = []
    for value in values:
        if isinstance(value, bytes):
            yield from _of_bytes(value, depth)
        elif isinstance(value, dict | list):
            plain.append(json.dumps(value, default=str))
        elif value is not None:
            plain.append(str(value))
    yield "\n".join(plain)
    for text in {text for text in plain if len(text) > 40}:
        yield from _of_text(text.encode(), depth + 1)


def _of_database(data: bytes, depth: int) -> Iterator[str]:
    with sqlite3.connect(":memory:") as database:
        database.deserialize(data)
        names = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            for row in database.execute(f'SELECT * FROM "{name}"'):
                yield from _of_values(list(row), depth + 1)

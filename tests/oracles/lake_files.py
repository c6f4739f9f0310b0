"""What a lake's files hold, past Spark and Delta's log."""

from pathlib import Path

import pyarrow.parquet as pq


def files_naming(lake: str | Path, person: str) -> list[str]:
    """Every file under the lake that holds the id: as bytes, or in a value of a Parquet file, which may be compressed."""
    found = []
    for path in Path(lake).rglob("*"):
        if path.is_file():
            told = person.encode() in path.read_bytes()
            if path.suffix == ".parquet":
                told |= any(person in str(row) for row in pq.ParquetFile(path).read().to_pylist())
            if told:
                found.append(str(path))
    return found

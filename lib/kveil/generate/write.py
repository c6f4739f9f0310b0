"""`kveil generate bank`: the tables as files, all of them or none."""

import json
from dataclasses import asdict
from pathlib import Path

from pyspark.sql import SparkSession

from kveil.errors import KveilError, SettingsError
from kveil.generate.bank import Generator
from kveil.generate.folder import appearing
from kveil.generate.size import Bank
from kveil.log import Progress
from kveil.session import SPARK_ERRORS, code_version
from kveil.tables.files import FileFormat, write_files

MANIFEST = "bank.json"
"""What the bank was asked to be, and the rows of each table."""


def local_folder(out: str) -> Path:
    """Where the bank is to be; raises SettingsError for addresses that cannot be renamed in one step."""
    if "://" in out:
        raise SettingsError([f"--out: found {out}; allowed: a folder of this machine, mounted ones included"])
    return Path(out).absolute()


def write_bank(spark: SparkSession, bank: Bank, path: Path, form: FileFormat, progress: Progress) -> dict[str, int]:
    """Writes one folder per table under `path`, and a manifest; returns the rows of each table.

    Nothing is visible under `path` before everything is written.
    """
    with appearing(path) as folder:
        counts = {}
        for name, rows in Generator(spark, bank).tables():
            with progress.step("generate", name) as note:
                try:
                    counts[name] = write_files(rows, str(folder / name), form)
                except SPARK_ERRORS as error:
                    raise KveilError(
                        f"--out: the table {name} could not be written to {path} ({type(error).__name__}), so nothing was kept; "
                        "see that the disk has room, and run it again"
                    ) from None
                note.rows(counts[name])
        document = {"kveil": code_version(), **asdict(bank), "format": form, "rows": counts}
        (folder / MANIFEST).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return counts

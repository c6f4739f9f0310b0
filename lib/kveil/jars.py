"""Fetches the jars of local sessions once, so that every later one starts without a network: `python -m kveil.jars`."""

import shutil
import sys
import tempfile
from pathlib import Path

from pyspark.sql import SparkSession

from kveil.session import DELTA, POSTGRESQL, jar_folder

_NEEDED = {DELTA: "io.delta_*.jar", POSTGRESQL: "org.postgresql_*.jar"}


def fetched(folder: Path) -> list[Path]:
    """The jars in `folder`; those that are missing are resolved by Spark itself from Maven Central.

    Delta's and PostgreSQL's own jars are enough: what else their descriptors name is part of Spark, of catalogs that a local
    lake lacks, or annotations.
    """
    missing = [package for package, names in _NEEDED.items() if not list(folder.glob(names))]
    if missing:
        with tempfile.TemporaryDirectory() as ivy:
            builder = SparkSession.builder.master("local[1]").config("spark.jars.packages", ",".join(missing))
            builder = builder.config("spark.jars.ivy", ivy).config("spark.ui.enabled", "false").config("spark.log.level", "ERROR")
            builder.getOrCreate().stop()
            for package in missing:
                _keep(sorted(Path(ivy, "jars").glob(_NEEDED[package])), folder)
    return sorted(folder.glob("*.jar"))


def _keep(jars: list[Path], folder: Path) -> None:
    """Copies jars so that each is there whole or not at all, also when two set-ups race or one is killed."""
    folder.mkdir(parents=True, exist_ok=True)
    for jar in jars:
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".partial", delete=False) as partial:
            shutil.copyfile(jar, partial.name)
        Path(partial.name).chmod(0o644)
        Path(partial.name).rename(folder / jar.name)


if __name__ == "__main__":
    fetched(jar_folder())
    absent = [package for package, names in _NEEDED.items() if not list(jar_folder().glob(names))]
    if absent:
        sys.exit(f"kveil: {', '.join(absent)} could not be fetched; check the way to Maven Central and run make again")

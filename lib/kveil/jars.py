"""Fetches Delta's jars once, so that every later local session starts without a network: `python -m kveil.jars`."""

import shutil
import sys
import tempfile
from pathlib import Path

from pyspark.sql import SparkSession

from kveil.session import DELTA, jar_folder

_NEEDED = "io.delta_*.jar"


def fetched(folder: Path) -> list[Path]:
    """The jars in `folder`, resolved by Spark itself from Maven Central when none is there.

    Delta's own jars are enough: what else its descriptor names is part of Spark or of catalogs that a local lake lacks.
    """
    present = sorted(folder.glob("*.jar"))
    if present:
        return present
    with tempfile.TemporaryDirectory() as ivy:
        builder = SparkSession.builder.master("local[1]").config("spark.jars.packages", DELTA).config("spark.jars.ivy", ivy)
        builder.config("spark.ui.enabled", "false").config("spark.log.level", "ERROR").getOrCreate().stop()
        # A folder is complete or absent, also when two set-ups race or one is killed.
        partial = Path(tempfile.mkdtemp(dir=_made(folder.parent)))
        for jar in Path(ivy, "jars").glob(_NEEDED):
            shutil.copy(jar, partial)
        try:
            partial.rename(folder)
        except OSError:
            shutil.rmtree(partial)
    return sorted(folder.glob("*.jar"))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    if not fetched(jar_folder()):
        sys.exit(f"kveil: {DELTA} could not be fetched; check the way to Maven Central and run make again")

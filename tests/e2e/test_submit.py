"""`spark-submit --py-files kveil.zip jobs/pipeline.py`: the archive that `make zip` builds runs by itself."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from kveil.session import jar_folder
from kveil.settings import load
from kveil.tables.lake import Lake
from kveil.tables.schema import RUN_LOG
from kveil.tables.store import TableStore

from tests.builders import purchases, shop
from tests.e2e.conftest import ROOT


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    """The wheel of a marked copy of the source, as a .zip, so that the test knows whose code ran."""
    source = tmp_path_factory.mktemp("source")
    shutil.copytree(ROOT / "lib", source / "lib", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    for name in ("setup.py", "pyproject.toml"):
        shutil.copy(ROOT / name, source)
    init = source / "lib" / "kveil" / "__init__.py"
    init.write_text(init.read_text().replace('__version__ = "', '__version__ = "9.'))
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", "dist", "."]
    subprocess.run(wheel, cwd=source, check=True)
    return next((source / "dist").glob("*.whl")).rename(source / "kveil.zip")


@pytest.mark.long
def test_the_archive_runs_all_stages_under_spark_submit(spark, archive, tmp_path):
    rows = purchases()
    sales = rows.rename(columns={"date": "bought_at"}).drop(columns=["month", "split"])
    sales["bought_at"] = pd.to_datetime(sales.bought_at)
    sales["reduced"] = (rows.age.fillna(30) + np.arange(len(rows)) % 40) > 60
    sales.to_parquet(tmp_path / "sales.parquet", coerce_timestamps="us", index=False)
    document = shop(
        sources__sales__uri=str(tmp_path / "sales.parquet"),
        deploy__gate={"min_auc": 0.5, "max_prosecutor_risk": 0.2, "max_auc_loss": 0.5},
    )
    (tmp_path / "policy.yml").write_text(yaml.safe_dump(document))
    jars = ",".join(map(str, sorted(jar_folder().glob("*.jar"))))
    delta = {
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.ui.enabled": "false",
        # A cluster's defaults suit a cluster; 200 tasks per shuffle of 3,000 rows would be most of the test.
        "spark.sql.shuffle.partitions": "4",
        "spark.databricks.delta.snapshotPartitions": "2",
    }
    submit = [
        str(Path(sys.executable).parent / "spark-submit"),
        "--master",
        "local[2]",
        "--jars",
        jars,
        "--py-files",
        str(archive),
    ]
    submit += [part for key, value in delta.items() for part in ("--conf", f"{key}={value}")]
    submit += [str(ROOT / "jobs" / "pipeline.py"), str(tmp_path / "policy.yml"), "--lake", str(tmp_path / "lake")]
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    done = subprocess.run(submit, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=900)
    assert done.returncode == 0, done.stderr[-4000:]
    log = TableStore(spark, Lake.at(str(tmp_path / "lake"))).read(RUN_LOG.of(load(tmp_path / "policy.yml"))).toPandas()
    assert log.outcome.tolist() == ["done"] * 7
    assert log.code_version.str.startswith("9.").all()
    assert (tmp_path / "lake" / "reports" / "latest" / "index.html").is_file()

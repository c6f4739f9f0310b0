"""PipelineDP 0.3.1, measured in a virtual environment of its own on the same files: count and sum of the same 480 cells.

python -m bench.peer FOLDER runs inside that environment; it knows nothing of kveil and prints what it found as JSON. Bounds are
those that PipelineDP has (no bound on a person's whole sum): 16 cells per person, 2 rows per cell, amounts within [0, 340].
"""

import json
import os
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.measure import cost_of

HOME = Path(__file__).parent.parent
FOLDER = HOME / ".peer-venv"
NAME = "PipelineDP 0.3.1"
PACKAGES = ("pipeline-dp==0.3.1", "pyspark==4.2.0")
CELLS, ROWS_PER_CELL, MOST_CENTS = 16, 2, 34_000
MONTHS = [f"{year}-{month:02d}" for year in (2024, 2025) for month in range(1, 13)]


@dataclass(frozen=True)
class Measured:
    """CPU seconds of both sides and root mean square errors of count and sum (cents)."""

    plain: float
    private: float
    count_error: float
    sum_error: float


def measured(rows: Path) -> Measured:
    """Makes the environment where it is not there, runs the peer once on a folder of Parquet files, and reads what it says."""
    python = FOLDER / "bin" / "python"
    if not (FOLDER / ".installed").exists():
        venv.create(FOLDER, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        (FOLDER / ".installed").touch()
    environment = {**os.environ, "PYSPARK_PYTHON": str(python), "SPARK_LOCAL_IP": "127.0.0.1"}
    command = [str(python), "-m", "bench.peer", str(rows)]
    said = subprocess.run(command, cwd=HOME, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    return Measured(**json.loads(said.splitlines()[-1]))


def main(folder: str) -> None:
    """Inside the environment: both sides warm, the plain one five times, the peer twice."""
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as F

    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    spark = builder.config("spark.sql.shuffle.partitions", "2").config("spark.driver.memory", "2g").getOrCreate()
    month = F.date_format("date", "yyyy-MM")
    rows = spark.read.parquet(folder).select("customer", F.concat_ws("/", "category", month).alias("cell"), "cents")

    def plain() -> dict[str, tuple[float, float]]:
        found = rows.groupBy("cell").agg(F.count(F.lit(1)).alias("count"), F.sum("cents").alias("sum")).collect()
        return {row["cell"]: (row["count"], row["sum"]) for row in found}

    for _ in range(3):
        truth = plain()
    plain_cpu = median(cost_of(plain).cpu for _ in range(5))
    answers: list[dict[str, tuple[float, float]]] = []
    private = [cost_of(lambda: answers.append(_private(spark, rows, sorted(truth)))).cpu for _ in range(2)]
    errors = [_root_mean_square([found[cell][i] - truth[cell][i] for found in answers for cell in truth]) for i in (0, 1)]
    print(json.dumps({"plain": plain_cpu, "private": min(private), "count_error": errors[0], "sum_error": errors[1]}))


def _private(spark, rows, cells: list[str]) -> dict[str, tuple[float, float]]:
    import pipeline_dp

    budget = pipeline_dp.NaiveBudgetAccountant(total_epsilon=1, total_delta=0)
    engine = pipeline_dp.DPEngine(budget, pipeline_dp.SparkRDDBackend(spark.sparkContext))
    asked = pipeline_dp.AggregateParams(
        noise_kind=pipeline_dp.NoiseKind.LAPLACE, metrics=[pipeline_dp.Metrics.COUNT, pipeline_dp.Metrics.SUM],
        max_partitions_contributed=CELLS, max_contributions_per_partition=ROWS_PER_CELL, min_value=0, max_value=MOST_CENTS,
    )  # fmt: skip
    parts = pipeline_dp.DataExtractors(privacy_id_extractor=_part(0), partition_extractor=_part(1), value_extractor=_part(2))
    found = engine.aggregate(rows.rdd.map(tuple), asked, parts, public_partitions=cells)
    budget.compute_budgets()
    return {cell: (numbers.count, numbers.sum) for cell, numbers in found.collect()}


def _part(place: int) -> Callable[[tuple], object]:
    return lambda row: row[place]


def _root_mean_square(differences: list[float]) -> float:
    return (sum(each**2 for each in differences) / len(differences)) ** 0.5


if __name__ == "__main__":
    main(sys.argv[1])

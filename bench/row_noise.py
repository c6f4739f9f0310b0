"""Row noise: how fast one core draws, and a whole-table noise job beside copying the table."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
from kveil.anonymize.arrow import of_all_batches
from kveil.anonymize.fragments import ROWS_PER_FRAGMENT
from kveil.anonymize.noise import Draws
from kveil.privacy import laplace, row_laplace
from kveil.privacy.randomness import KeyedBits, fresh_secret
from kveil.settings.noise import RowNoise
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from bench.measure import Book, cost_of
from bench.transactions import transactions

SCALES = (1, 1_000, 1_000_000)
VALUES = 2_000_000
SHUFFLE = 8
NOISE = {"amount_cents": RowNoise(lower=0, upper=34_000, epsilon=1)}


def samplers(book: Book, repeats: int) -> None:
    """Values per second of one core, streams and all."""
    for name, sample, target in (("tables", row_laplace.sample, 2.0), ("rejection (for aggregates)", laplace.sample, None)):
        for scale in SCALES:
            each = [_rate(sample, Fraction(scale)) for _ in range(repeats)]
            book.add(f"sampler by {name}, scale {scale:,}", median(each), "M values/s", target, better="higher")


def _rate(sample, scale: Fraction) -> float:
    key, cells = fresh_secret(), np.arange(VALUES, dtype=np.uint64)
    return VALUES / 1e6 / cost_of(lambda: sample(scale, KeyedBits(key, cells))).cpu


@dataclass(frozen=True)
class Job:
    """A table of transactions at rest."""

    spark: SparkSession
    folder: Path
    rows: int

    def make(self) -> None:
        """Writes it; each row has a number of its own, as a bank's transactions have."""
        self._write(transactions(self.spark, self.rows).withColumn("transaction", F.monotonically_increasing_id()), "input")

    def copy(self) -> None:
        """The floor: reads, writes."""
        self._write(self.table(), "copy")

    def moved(self) -> None:
        """Reads, shuffles once as the noise job does, writes."""
        self._write(self.table().repartition(SHUFFLE), "moved")

    def noisy(self) -> None:
        """Reads, draws, writes: a policy whose `noise_row` names the rows."""
        clean = self.table()
        noise = _noise(Draws(("transaction",), ("bench",), named=True))

        def each(batches):
            for batch in batches:
                yield from noise(pa.Table.from_batches([batch])).to_batches()

        self._write(clean.mapInArrow(each, clean.schema), "noisy")

    def noisy_unnamed(self) -> None:
        """Reads, brings equal rows together as a release must whose rows have no names, draws, writes."""
        clean = self.table()
        noise = _noise(Draws(tuple(clean.columns), ("bench",)))
        tasks = max(SHUFFLE, 1 + self.rows // ROWS_PER_FRAGMENT)
        self._write(clean.repartition(tasks, *clean.columns).mapInArrow(of_all_batches(noise), clean.schema), "unnamed")

    def table(self) -> DataFrame:
        """The rows."""
        return self.spark.read.format("delta").load(str(self.folder / "input"))

    def _write(self, rows: DataFrame, name: str) -> None:
        rows.write.format("delta").mode("overwrite").save(str(self.folder / name))


def _noise(draws: Draws) -> Callable[[pa.Table], pa.Table]:
    def noise(table: pa.Table) -> pa.Table:
        made = draws.noisy(table, NOISE)
        return table.set_column(table.column_names.index("amount_cents"), "amount_cents", made["amount_cents"])

    return noise


def measure(book: Book, job: Job, repeats: int) -> None:
    """Medians of CPU and wall seconds, the copies and the noise jobs in turns."""
    job.make()
    # The first run starts workers and warms the JVM.
    job.noisy()
    steps = {"copy": job.copy, "copy with a shuffle": job.moved, "noise": job.noisy, "noise on unnamed rows": job.noisy_unnamed}
    costs = {name: [] for name in steps}
    for _ in range(repeats):
        for name, step in steps.items():
            costs[name].append(cost_of(step))
    name = f"{job.rows // 1_000_000} M rows"
    cpu = {step: median(each.cpu for each in found) for step, found in costs.items()}
    wall = {step: median(each.wall for each in found) for step, found in costs.items()}
    for step in steps:
        book.add(f"{name}: {step}", cpu[step], "CPU s")
        book.add(f"{name}: {step}", wall[step], "s")
    for step in ("noise", "noise on unnamed rows"):
        book.add(f"{name}: {step} over copying", cpu[step] / cpu["copy"], "CPU ratio", 2)
        book.add(f"{name}: {step} over copying", wall[step] / wall["copy"], "time ratio", 2)
    unnamed = cpu["noise on unnamed rows"]
    book.add(f"{name}: noise on unnamed rows over copying with a shuffle", unnamed / cpu["copy with a shuffle"], "CPU ratio")

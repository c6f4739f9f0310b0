"""Differentially private count and sum of 480 cells, beside the plain groupBy of the same rows: CPU time and error.

100,000 customers, the busiest with some hundred times the rows of the least; 20 categories, 24 months; amounts are log-normal
with median 33 and 99th percentile 341. Bounds per million rows: 16 rows and 2,000.00 per person, amounts within [0, 340].
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from kveil.anonymize.aggregates.bounding import PERSON
from kveil.anonymize.aggregates.cells import Grid
from kveil.anonymize.aggregates.design import Design, design
from kveil.anonymize.aggregates.results import Publisher
from kveil.anonymize.aggregates.statistics import exact_totals, noisy
from kveil.privacy.randomness import fresh_secret
from kveil.session import session
from kveil.settings.aggregates import Aggregate
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from bench import peer
from bench.measure import Book, cost_of
from bench.transactions import uniform

CUSTOMERS, CATEGORIES, DAYS = 100_000, 20, 730
BUSY, MEDIAN, SPREAD = 1.7, 3_300, 1.004
MILLION = 1_000_000
ERRORS_OF = 12
"""Releases whose errors are averaged: the noise in 480 cells of 12 makes a root mean square that is known to one percent."""


@dataclass(frozen=True)
class Cells:
    """Transactions at rest and the aggregate of them."""

    spark: SparkSession
    path: Path
    rows: int

    def make(self) -> None:
        """Writes the transactions."""
        normal = F.sqrt(-2 * F.log(1 - uniform("id", "radius"))) * F.cos(2 * F.lit(np.pi) * uniform("id", "angle"))
        self.spark.range(self.rows).select(
            F.floor(CUSTOMERS * F.pow(uniform("id", "customer"), F.lit(BUSY))).cast("bigint").alias("customer"),
            F.format_string("category %02d", F.floor(CATEGORIES * uniform("id", "category"))).alias("category"),
            F.date_add(F.lit("2024-01-01").cast("date"), F.floor(DAYS * uniform("id", "date")).cast("int")).alias("date"),
            F.greatest(F.lit(1), F.round(MEDIAN * F.exp(SPREAD * normal))).cast("bigint").alias("cents"),
        ).write.format("delta").save(str(self.path))

    @property
    def table(self) -> DataFrame:
        """The transactions."""
        return self.spark.read.format("delta").load(str(self.path))

    @property
    def asked(self) -> Aggregate:
        """Count and sum at epsilon 0.5 each."""
        size = max(1, self.rows // MILLION)
        total = {"kind": "sum", "column": "cents", "lower": 0, "upper": 34_000, "total": 200_000 * size}
        return Aggregate.model_validate(
            {
                "group_by": {
                    "category": {"values": [f"category {i:02d}" for i in range(CATEGORIES)]},
                    "date": {"every": "month", "first": "2024-01-01", "last": "2025-12-31"},
                },
                "measures": {"count": {"kind": "count"}, "sum": total},
                "epsilon": 1,
                "contribution": {"rows": 16 * size},
            }
        )

    def plain(self) -> list[tuple[float, ...]]:
        """The groupBy without privacy: count and sum per cell, in the order of category and month."""
        month = F.trunc("date", "month").alias("month")
        found = self.table.groupBy("category", month).agg(F.count(F.lit(1)).alias("count"), F.sum("cents").alias("sum")).collect()
        return [(row["count"], row["sum"]) for row in sorted(found)]

    def private(self) -> list[tuple[float, ...]]:
        """The same, as it would be published."""
        asked, rows = self.asked, self.table.withColumnRenamed("customer", PERSON)
        made: Design = design(asked)
        grid = Grid(asked, dict(rows.dtypes))
        published = noisy(exact_totals(rows, grid, made, True), Publisher(grid, made, fresh_secret(), "bench"), None)
        found = sorted((row["category"], row["date"], row["measure"], row["value"]) for row in published.collect())
        values = [row[3] for row in found]
        return list(zip(values[::2], values[1::2], strict=True))


def measure(book: Book, work: Cells, targets: tuple[float | None, float | None], repeats: int = 9) -> None:
    """CPU ratio and root mean square errors, written to the book. Both sides are warm."""
    work.make()
    for _ in range(6):
        truth, found = np.array(work.plain(), dtype=float), np.array(work.private())
    plain = median(cost_of(work.plain).cpu for _ in range(repeats))
    private = median(cost_of(work.private).cpu for _ in range(repeats))
    again = [np.array(work.private()) for _ in range(ERRORS_OF - 1)]
    errors = np.sqrt(np.mean([np.mean((each - truth) ** 2, axis=0) for each in (found, *again)], axis=0))
    name = f"{work.rows // MILLION} M rows, 480 cells"
    book.add(f"{name}: plain groupBy", plain, "CPU s")
    book.add(f"{name}: DP count and sum", private, "CPU s")
    book.add(f"{name}: DP over plain", private / plain, "ratio", targets[0])
    book.add(f"{name}: RMSE of the count", float(errors[0]), "rows", 242.0 * work.rows / MILLION)
    book.add(f"{name}: RMSE of the sum", float(errors[1]) / 100, "units", targets[1])


def measure_peer(book: Book, work: Cells) -> None:
    """What PipelineDP takes for the same cells of the same files, and how far it strays."""
    found, name = peer.measured(work.path), f"{work.rows // MILLION} M rows, 480 cells"
    book.add(f"{name}: {peer.NAME}", found.private, "CPU s")
    book.add(f"{name}: {peer.NAME} over plain", found.private / found.plain, "ratio")
    book.add(f"{name}: {peer.NAME}, RMSE of the count", found.count_error, "rows")
    book.add(f"{name}: {peer.NAME}, RMSE of the sum", found.sum_error / 100, "units")


def measure_all(book: Book, sizes: tuple[int, ...], with_peer: bool = False) -> None:
    """Tables of so many rows; only one and ten million have targets, and the peer is measured on one million alone."""
    targets = {MILLION: (3.0, 9_100.0), 10 * MILLION: (8.0, 92_000.0)}
    for rows in sizes:
        with tempfile.TemporaryDirectory() as folder:
            work = Cells(session("kveil-bench"), Path(folder) / "rows", rows)
            measure(book, work, targets.get(rows, (None, None)))
            if with_peer and rows == MILLION:
                measure_peer(book, work)

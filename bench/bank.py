"""make bench-bank: time to make a bank of 10 million transactions, as Parquet files.

python -m bench.bank [--millions M] [--customers N] [--repeats N]
"""

import argparse
import tempfile
from io import StringIO
from pathlib import Path
from statistics import median

from kveil.generate.size import Bank
from kveil.generate.write import write_bank
from kveil.log import Progress
from kveil.session import WIDE_ROWS, session
from pyspark.sql import SparkSession

from bench.measure import Book, cost_of

CPU_SECONDS, WALL_SECONDS = 240, 120
"""Two minutes of two cores, for 10 million transactions."""


def main() -> None:
    """Makes banks, each in a folder of its own, and writes bench/results/bank.json."""
    parser = argparse.ArgumentParser(prog="bench.bank")
    parser.add_argument("--millions", type=int, default=10, help="millions of transactions")
    parser.add_argument("--customers", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    book, spark = Book("bank"), session("kveil-bench", WIDE_ROWS)
    # The first bank compiles, and warms the JVM.
    make(spark, Bank(1000, 10_000))
    bank = Bank(asked.customers, asked.millions * 1_000_000)
    costs = [cost_of(lambda: make(spark, bank)) for _ in range(asked.repeats)]
    cpu, wall = (median(getattr(cost, what) for cost in costs) for what in ("cpu", "wall"))
    name = f"{asked.millions} M transactions, {asked.customers:,} customers, all tables"
    share = asked.millions / 10
    book.add(f"{name}: CPU", cpu, "CPU s", CPU_SECONDS * share)
    # Wall time means something on a machine that does nothing else; CPU time does always.
    book.add(f"{name}: wall", wall, "s", WALL_SECONDS * share)
    book.add(f"{name}: CPU per transaction", cpu / bank.transactions * 1e6, "us")
    book.add(f"{name}: JVM", max(cost.driver_mib for cost in costs), "MiB")
    print(book.write())


def make(spark: SparkSession, bank: Bank) -> None:
    """One bank, thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        write_bank(spark, bank, Path(folder) / "bank", "parquet", Progress(StringIO()))


if __name__ == "__main__":
    main()

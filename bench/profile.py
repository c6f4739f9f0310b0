"""make bench-profile: what a profile of 10 million transactions costs, beside reading and writing the same table.

python -m bench.profile [--millions M] [--repeats N]
"""

import argparse
import tempfile
from pathlib import Path
from statistics import median

from kveil.profile.profiled import profile_of
from kveil.session import session
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from bench.measure import Book, Cost, cost_of
from bench.transactions import transactions, uniform

COLUMNS, K = 12, 10
_MOST = 3.0
"""Times the cost of reading and writing the table."""


def main() -> None:
    """Profiles and copies the table in turns, compares medians and writes bench/results/profile.json."""
    parser = argparse.ArgumentParser(prog="bench.profile")
    parser.add_argument("--millions", type=float, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    book, spark = Book("profile"), session("kveil-bench")
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/transactions"
        twelve_columns(spark, int(asked.millions * 1e6)).write.format("delta").save(path)
        rows = spark.read.format("delta").load(path)
        profile_of(rows.limit(100_000), "customer", K)  # compiles, and starts the workers
        costs: dict[str, list[Cost]] = {"copy": [], "profile": []}
        for i in range(asked.repeats):
            copied = Path(folder) / f"copy{i}"
            costs["copy"].append(cost_of(lambda to=copied: rows.write.format("delta").save(str(to))))
            costs["profile"].append(cost_of(lambda: profile_of(rows, "customer", K)))
    name = f"{asked.millions:g} M x {COLUMNS}"
    for what in ("wall", "cpu"):
        copy, made = (median(getattr(cost, what) for cost in costs[step]) for step in ("copy", "profile"))
        book.add(f"{name}: read and write, {what}", copy, "s")
        book.add(f"{name}: profile, {what}", made, "s")
        book.add(f"{name}: profile, {what} as a multiple of read and write", made / copy, "x", _MOST)
    book.add(f"{name}: one Python worker", max(cost.worker_mib for cost in costs["profile"]), "MiB")
    print(book.write())


def twelve_columns(spark: SparkSession, rows: int) -> DataFrame:
    """The benchmarks' transactions with texts, a key and dates that a bank's have: twelve columns, one of them all distinct."""
    made = transactions(spark, rows)
    number = F.pmod(F.xxhash64(*made.columns, F.lit("row")), F.lit(10**12))
    category = F.element_at(F.array(*[F.lit(each) for each in _CATEGORIES]), (F.pmod(number, F.lit(8)) + 1).cast("int"))
    return made.select(
        *made.columns,
        F.format_string("TX%012d", number).alias("reference"),
        category.alias("category"),
        F.concat(F.lit("shop "), F.pmod(number, F.lit(50_000)).cast("string")).alias("merchant"),
        (F.col("amount_cents") / 100).alias("amount"),
        F.when(uniform("customer", "country") < 0.9, "DE").otherwise("FR").alias("country"),
    )


_CATEGORIES = ("groceries", "fuel", "travel", "rent", "health", "clothes", "restaurant", "cash")


if __name__ == "__main__":
    main()

"""What the stage clean costs on millions of transactions, beside reading and writing the same table."""

from io import StringIO
from pathlib import Path
from statistics import median
from typing import Any

from kveil.log import Progress
from kveil.pipeline import run
from kveil.settings import Policy
from kveil.tables.lake import Lake
from kveil.tables.schema import RAW
from kveil.tables.store import TableStore
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from bench.measure import Book, Cost, cost_of
from bench.profile import COLUMNS, twelve_columns

_MOST = 3.0
"""Times the cost of reading and writing the table."""
_STEP = {"source": "transactions", "accept": True}
RECIPE = [
    {**_STEP, "step": "null_tokens", "column": "merchant", "tokens": ["n/a", "-", "unknown"]},
    {**_STEP, "step": "null_tokens", "column": "occupation", "tokens": ["n/a", "-", "unknown"]},
    {**_STEP, "step": "merge", "column": "category", "by": "spelling"},
    {**_STEP, "step": "outlier", "column": "age", "min": 0, "max": 120},
]


def measure(book: Book, spark: SparkSession, folder: Path, millions: float, repeats: int) -> None:
    """Cleans by rules alone, and by a recipe as well, in turns with copying the raw table; compares medians."""
    with_errors(twelve_columns(spark, int(millions * 1e6))).write.parquet(f"{folder}/transactions")
    store, plain, cooked = TableStore(spark, Lake.at(f"{folder}/lake")), _policy(folder, []), _policy(folder, RECIPE)
    run(plain, store, Progress(StringIO()), ["collect"])
    raw = store.read(RAW.of(plain, "transactions"))
    costs: dict[str, list[Cost]] = {"copy": [], "rules": [], "rules and recipe": []}
    for i in range(repeats):
        copied = f"{folder}/copy{i}"
        costs["copy"].append(cost_of(lambda to=copied: raw.write.format("delta").save(to)))
        for name, policy in (("rules", plain), ("rules and recipe", cooked)):
            costs[name].append(cost_of(lambda by=policy: run(by, store, Progress(StringIO()), ["clean"], force=True)))
    size = f"{millions:g} M x {COLUMNS}"
    for what in ("wall", "cpu"):
        of = {name: median(getattr(cost, what) for cost in found) for name, found in costs.items()}
        book.add(f"{size}: read and write, {what}", of["copy"], "s")
        for name in ("rules", "rules and recipe"):
            book.add(f"{size}: clean by {name}, {what}", of[name], "s")
            book.add(f"{size}: clean by {name}, {what} as a multiple of read and write", of[name] / of["copy"], "x", _MOST)


def with_errors(rows: DataFrame) -> DataFrame:
    """The rows with one merchant in 100 written as missing, and one category in 100 in another spelling."""
    which = F.pmod(F.xxhash64("reference"), F.lit(100))
    return rows.withColumns(
        {
            "merchant": F.when(which == 0, "n/a").otherwise(F.col("merchant")),
            "category": F.when(which == 1, F.upper("category")).otherwise(F.col("category")),
        }
    )


def _policy(folder: Path, steps: list[dict[str, Any]]) -> Policy:
    texts = ("postcode", "gender", "occupation", "reference", "category", "merchant", "country")
    columns = {name: "string" for name in texts} | {
        "customer": {"type": "bigint", "required": True}, "age": "int", "date": {"type": "date", "required": True},
        "amount_cents": "bigint", "amount": "double",
    }  # fmt: skip
    return Policy.model_validate(
        {
            "name": "speed", "purpose": "scoring", "person": "customer",
            "sources": {"transactions": {"uri": f"{folder}/transactions", "columns": columns}},
            "consent": {"simulated": {"grant": 1, "refuse": 0, "withdraw": 0, "first": "2020-01-01", "last": "2020-01-02"}},
            "clean": {
                "table": "payments", "base": "transactions", "time": "date", "recipe": {"steps": steps},
                "missing": ["", "n/a"], "categories": ["category", "gender"],
                "rules": [{"source": "transactions", "column": "amount", "min": 0}],
                "derive": {"where": "concat(country, postcode)", "old": "age > 60"},
            },
            "anonymize": {
                "release": "payments", "k": 10, "partition_by": ["split"],
                "quasi_identifiers": {name: {"kind": "category"} for name in ("gender", "occupation", "where")},
                "insensitive": {"category": "the label", **dict.fromkeys(("merchant", "reference"), "never released")},
            },
            "train": {"label": "category", "features": ["gender"], "logistic_regression": {}},
            "deploy": {"model": "speed"},
        }
    )  # fmt: skip

"""make bench-guards: what the checks around a release cost beside making it.

python -m bench.guards [--millions M]

A release of M million transactions of 100,000 customers (six quasi-identifiers, noise, a sensitive column) is made, one
customer is removed, and a second is made beside it. Each guard is timed where the stage calls it: CPU of the process tree.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from kveil.anonymize import stage
from kveil.context import Context
from kveil.log import Progress
from kveil.session import session
from kveil.settings import Policy
from kveil.tables.lake import Lake
from kveil.tables.schema import CLEAN
from kveil.tables.store import TableStore
from pyspark.sql import functions as F

from bench.measure import Book, Cost, cost_of, measured
from bench.speed import SIX
from bench.transactions import transactions, uniform

BESIDE_ONE = ("compared", "composition_metrics")
"""What is done for each earlier release."""
ALWAYS = ("require_agreement", "check_unique", "record_classes", "compared", "composition_metrics", "forget_replaced")
GONE = 7


def policy() -> Policy:
    """A release whose classes are kept from one to the next; nothing is asked of a model."""
    columns = {
        "customer": "bigint", "age": "int", "postcode": "int", "gender": "string", "occupation": "string", "date": "date",
        "amount_cents": "bigint", "shop": "string", "paid": "bigint", "refunded": "boolean",
    }  # fmt: skip
    return Policy.model_validate(
        {
            "name": "bench",
            "purpose": "benchmarks",
            "person": "customer",
            "sources": {"payments": {"uri": "payments.parquet", "columns": {**columns, "at": "timestamp"}}},
            "consent": {"simulated": {"grant": 1, "refuse": 0, "withdraw": 0, "first": "2020-01-01", "last": "2021-01-01"}},
            "clean": {"table": "payments", "base": "payments", "time": "at"},
            "anonymize": {
                "release": "payments",
                "k": 10,
                "partition_by": ["split"],
                "quasi_identifiers": SIX,
                "sensitive": {"shop": {"distinct": 2}},
                "noise": {"paid": {"lower": 0, "upper": 20_000, "epsilon": 2}},
                "insensitive": {"refunded": "the label"},
                "budget": {"epsilon": 10},
            },
            "train": {"label": "refunded", "features": ["age", "shop"], "logistic_regression": {}},
            "deploy": {"model": "bench"},
        }
    )


@contextmanager
def costs_of(names: tuple[str, ...]) -> Iterator[dict[str, Cost]]:
    """Fills in what each of these functions of stage anonymize takes while the block runs; none calls another."""
    found: dict[str, Cost] = {}
    plain = {name: getattr(stage, name) for name in names if hasattr(stage, name)}

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            with measured() as cost:
                result = function(*arguments, **options)
            before = found.get(name, Cost())
            found[name] = Cost(before.wall + cost.wall, before.cpu + cost.cpu)
            return result

        return call

    for name, function in plain.items():
        setattr(stage, name, timed(name, function))
    try:
        yield found
    finally:
        for name, function in plain.items():
            setattr(stage, name, function)


def main() -> None:
    """Makes both releases and writes bench/results/guards.json."""
    parser = argparse.ArgumentParser(prog="bench.guards")
    parser.add_argument("--millions", type=float, default=10)
    asked = parser.parse_args()
    book, spark, rows = Book("guards"), session("kveil-bench"), int(asked.millions * 1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        store = TableStore(spark, Lake.at(str(Path(folder) / "lake")))
        ctx = Context(policy(), store, "bench", datetime.now(timezone.utc), Progress(), stage="anonymize")
        made = transactions(spark, rows).withColumns(
            {
                "postcode": F.col("postcode").cast("int"),
                "split": F.when(uniform("customer", "split") < 0.2, "holdout").otherwise("train"),
                "shop": F.format_string("shop %d", F.pmod(F.hash("amount_cents", "date"), F.lit(40))),
                "paid": F.col("amount_cents"),
                "refunded": F.pmod(F.hash("date", "customer"), F.lit(10)) == 0,
            }
        )
        store.replace(ctx.ref(CLEAN), made)
        with costs_of((*ALWAYS, "measured")) as first:
            whole = cost_of(lambda: stage.run(ctx))
        _told(book, f"{asked.millions:g} M, first release", whole, first)
        store.replace(ctx.ref(CLEAN), made.where(F.col("customer") != GONE))
        with costs_of((*ALWAYS, "measured")) as second:
            whole = cost_of(lambda: stage.run(ctx))
        _told(book, f"{asked.millions:g} M, release beside one", whole, second)
        ratio = sum(second[name].cpu for name in BESIDE_ONE) / second["measured"].cpu
        book.add(f"{asked.millions:g} M, comparing with one release / measuring again", ratio, "CPU", 1.5)
    print(book.write())


def _told(book: Book, name: str, whole: Cost, found: dict[str, Cost]) -> None:
    guards = sum(found[each].cpu for each in ALWAYS if each in found)
    for each, cost in found.items():
        book.add(f"{name}, {each}", cost.cpu, "CPU s")
    book.add(f"{name}, stage anonymize", whole.cpu, "CPU s")
    book.add(f"{name}, with guards / without", whole.cpu / (whole.cpu - guards), "CPU", 1.3)


if __name__ == "__main__":
    main()

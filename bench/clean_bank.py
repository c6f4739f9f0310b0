"""A generated bank cleaned by what is suggested for it, judged by the generator's own list of errors."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
from kveil.clean.people.linkage import ID, linked
from kveil.clean.recipe import applied
from kveil.clean.working import Keep
from kveil.generate.bank import Generator
from kveil.generate.size import Bank
from kveil.settings.people import People
from kveil.settings.recipe import Recipe
from pyspark.sql import SparkSession

from bench.measure import Book
from bench.suggested import suggested

BANK = Bank(customers=5_000, transactions=50_000, seed=1, dirt=0.05)
KEYS = {"customers": "customer_id", "transactions": "transaction_id", "loans": "loan_id"}
REGISTERED_BY = {
    "first_name": "name", "last_name": "name", "birth_date": "code", "street": "text", "postcode": "code", "city": "text",
    "email": "text", "phone": "code", "national_id": "code",
}  # fmt: skip


def judge(book: Book, spark: SparkSession, keep: Keep, folder: Path) -> None:
    """Cells by table and kind of error, and pairs of registrations."""
    for name, rows in Generator(spark, BANK).tables():
        if name in (*KEYS, "errors"):
            rows.write.parquet(str(folder / name))
    errors = spark.read.parquet(str(folder / "errors")).toPandas()
    for name, key in KEYS.items():
        _judge_cells(book, spark, keep, folder / name, key, errors[errors["table"] == name])
    _judge_people(book, spark, folder / "customers", errors)


def _judge_cells(book: Book, spark: SparkSession, keep: Keep, path: Path, key: str, errors: pd.DataFrame) -> None:
    rows, table = spark.read.parquet(str(path)), path.name
    steps = suggested(table, rows, dict(rows.dtypes), person=key)
    done = applied(rows, Recipe(steps=steps).accepted(table), keep).rows
    texts = [name for name, kind in rows.dtypes if kind == "string"]
    before, after = (_cells(each.toPandas(), key, texts) for each in (rows, done))
    cells = before.merge(after, on=["key", "column"], suffixes=("_before", "_after"))
    changed = cells[~_same(cells["value_before"], cells["value_after"])]
    wrong = errors[errors["column"].isin(texts)]
    judged = wrong.merge(cells, on=["key", "column"])
    judged["noticed"] = ~_same(judged["value_before"], judged["value_after"])
    judged["right"] = _same(judged["value_after"], judged["truth"])
    true = changed.merge(wrong, on=["key", "column"])
    book.add(f"bank, {table}: changed cells that were wrong", len(true) / max(1, len(changed)), "share", better="higher")
    right = _same(true["value_after"], true["truth"]).sum()
    book.add(f"bank, {table}: changed cells that are right now", int(right) / max(1, len(changed)), "share", better="higher")
    for kind, each in judged.groupby("kind"):
        name = f"bank, {table}, {kind} ({len(each):,} cells)"
        book.add(f"{name}: noticed", float(each["noticed"].mean()), "share", better="higher")
        book.add(f"{name}: corrected", float((each["noticed"] & each["right"]).mean()), "share", better="higher")


def _cells(rows: pd.DataFrame, key: str, texts: list[str]) -> pd.DataFrame:
    """One row per cell; of rows that stand twice one, since both are spoiled alike."""
    long = rows[[key, *texts]].drop_duplicates(key).melt(id_vars=key, var_name="column")
    return long.assign(key=long[key].astype(str))[["key", "column", "value"]]


def _same(one: pd.Series, other: pd.Series) -> pd.Series:
    return (one == other) | (one.isna() & other.isna())


def _judge_people(book: Book, spark: SparkSession, path: Path, errors: pd.DataFrame) -> None:
    rows = spark.read.parquet(str(path)).toPandas()
    texts = rows[list(REGISTERED_BY)].astype(object)
    table = pa.Table.from_pandas(texts.where(texts.notna(), None), preserve_index=False)
    table = table.append_column(ID, pa.array(rows["customer_id"].astype(str))).sort_by(ID)
    found = linked(table, People(source="customers", columns=REGISTERED_BY))
    pairs = {frozenset(pair) for pair in zip(found["person"].to_pylist(), found["other"].to_pylist(), strict=True)}
    twice = errors[(errors["table"] == "customers") & (errors["kind"] == "duplicate_person")]
    truth = {frozenset(pair) for pair in zip(twice["key"], twice["truth"], strict=True)}
    score = 2 * len(pairs & truth) / (len(pairs) + len(truth))
    book.add(f"bank: F1 of pairs of registrations ({len(truth):,} people twice)", score, "", 0.97, "higher")

"""Small policies and tables that several tests share."""

from copy import deepcopy
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from kveil.context import Context
from kveil.log import Progress
from kveil.settings import Policy
from kveil.tables.schema import BUDGET_LEDGER
from kveil.tables.store import TableStore
from pyspark.sql import DataFrame, SparkSession

CONF = Path(__file__).parent.parent / "conf"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


def journey(**changes: Any) -> dict[str, Any]:
    """conf/journey.yml as a document, with dotted keys changed; None removes a key."""
    document = yaml.safe_load((CONF / "journey.yml").read_text(encoding="utf-8"))
    return changed(document, **changes)


def bank(folder: Path, **changes: Any) -> dict[str, Any]:
    """conf/bank.yml as a document, over the bank in a folder, with dotted keys changed."""
    document = yaml.safe_load((CONF / "bank.yml").read_text(encoding="utf-8"))
    for source in document["sources"].values():
        source["uri"] = str(folder / Path(source["uri"]).name)
    document["clean"]["recipe"] = str(CONF / document["clean"]["recipe"])
    return changed(document, **changes)


def changed(document: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A copy of a policy document with keys like `anonymize__k` set, or removed where the value is None."""
    document = deepcopy(document)
    for key, value in changes.items():
        *path, last = key.split("__")
        place = document
        for part in path:
            place = place[part]
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value
    return document


def shop(**changes: Any) -> dict[str, Any]:
    """A small policy over one source; its clean table is what `purchases` makes."""
    document = {
        "name": "shop",
        "purpose": "testing",
        "person": "customer",
        "sources": {
            "sales": {
                "uri": "sales.parquet",
                "columns": {
                    "customer": {"type": "bigint", "required": True},
                    "bought_at": {"type": "timestamp", "required": True},
                    "age": "int",
                    "town": "string",
                    "item": "string",
                    "cents": "bigint",
                    "reduced": "boolean",
                },
            }
        },
        "consent": {"simulated": {"grant": 1, "refuse": 0, "withdraw": 0, "first": "2020-01-01", "last": "2021-01-01"}},
        "clean": {"table": "purchases", "base": "sales", "time": "bought_at"},
        "anonymize": {
            "release": "purchases",
            "k": 5,
            "partition_by": ["month", "split"],
            "quasi_identifiers": {"age": {"kind": "number"}, "town": {"kind": "category"}, "date": {"kind": "date"}},
            "sensitive": {"item": {"distinct": 2}},
            "noise": {"cents": {"lower": 0, "upper": 1000, "epsilon": 1}},
            "insensitive": {"reduced": "the label"},
            "budget": {"epsilon": 1.5},
            # Most tests publish several releases of the same people to see something else; test_composition does not say so.
            "composition": "accept",
            "composition_reason": "releases of a test are nobody's",
            "replaced": "keep",
        },
        "train": {"label": "reduced", "features": ["age", "town", "item"], "logistic_regression": {}},
        "deploy": {"model": "shop_model"},
    }
    return changed(document, **changes)


def purchases(customers: int = 200, rows: int = 3000, seed: int = 0) -> pd.DataFrame:
    """Clean rows of `shop`: nulls, a customer with a third of all rows, two months, a person-wise split."""
    random = np.random.default_rng(seed)
    customer = random.integers(1, customers + 1, rows)
    customer[: rows // 3] = 1
    age = (18 + customer * 7 % 70).astype(float)
    age[customer % 10 == 0] = np.nan
    day = [date(2024, 1, 1) + timedelta(days=int(d)) for d in random.integers(0, 60, rows)]
    town = np.array(["north", "south", "east", "west", None], dtype=object)[customer % 5]
    item = np.array(["milk", "bread", "wine", None], dtype=object)[random.integers(0, 4, rows)]
    return pd.DataFrame(
        {
            "customer": customer,
            "age": pd.array([None if np.isnan(a) else int(a) for a in age], dtype="Int32"),
            "town": town,
            "date": day,
            "month": [f"{d:%Y-%m}" for d in day],
            "split": np.where(customer % 4 == 0, "holdout", "train"),
            "item": item,
            "cents": random.integers(0, 3000, rows),
            "reduced": random.random(rows) < 0.3,
        }
    )


def context(store: TableStore, document: dict[str, Any], stage: str, build: str = "build", run_id: str = "run") -> Context:
    """A stage's context without a pipeline around it."""
    return Context(Policy.model_validate(document), store, run_id, NOW, Progress(), build, stage)


def clean_rows(spark: SparkSession, rows: pd.DataFrame) -> DataFrame:
    """`purchases` as a Spark table with the types of `shop`'s clean table; further columns are whole numbers."""
    types = {
        "customer": "bigint", "age": "int", "town": "string", "date": "date", "month": "string", "split": "string",
        "item": "string", "cents": "bigint", "reduced": "boolean",
    }  # fmt: skip
    types |= dict.fromkeys([name for name in rows.columns if name not in types], "bigint")
    values = [tuple(None if pd.isna(value) else value for value in row) for row in rows.astype(object).itertuples(index=False)]
    return spark.createDataFrame(values, ", ".join(f"{name} {kind}" for name, kind in types.items()))


def booked(ctx: Context) -> list[Any]:
    """The releases on all accounts of the ledger, in the order in which they were first booked."""
    accounts = ctx.store.read(ctx.ref(BUDGET_LEDGER)).collect()
    return sorted((entry for row in accounts for entry in row.entries), key=lambda entry: entry.steps[0].sequence)

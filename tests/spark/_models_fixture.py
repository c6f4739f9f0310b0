"""A small lake for the tests of train, evaluate and deploy: clean rows, and their release made by the kernel itself."""

import io
import json
from datetime import datetime, timezone
from functools import cache

import numpy as np
import pyarrow as pa
from kveil.anonymize.columns import PERSON, TREE, ddl, of_staging
from kveil.anonymize.kernel import Kernel
from kveil.context import Context
from kveil.log import Progress
from kveil.privacy.coding import Coding
from kveil.settings import Policy
from kveil.tables.lake import Lake
from kveil.tables.schema import CLEAN, GENERALIZER, PRIVACY_METRICS, RELEASE, RELEASES
from kveil.tables.store import TableStore
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

AGES = ["young", "middle", "old"]
SHOPS = ["east", "north", "south", "west"]
RARE = "caviar-secret-77"
CLEAN_TYPES = {
    "person": "bigint", "date": "date", "month": "string", "split": "string", "age": "string", "shop": "string",
    "spend": "double", "product": "string", "amount": "bigint", "bought": "boolean",
}  # fmt: skip


def policy(**deploy_gate):
    return Policy.model_validate(
        {
            "name": "small",
            "purpose": "testing",
            "person": "person",
            "sources": {"rows": {"uri": "rows.parquet", "columns": {"person": "bigint", "time": "timestamp"}}},
            "consent": {"registry": "rows"},
            "clean": {"table": "rows", "base": "rows", "time": "time"},
            "anonymize": {
                "release": "rows",
                "k": 5,
                "partition_by": ["month", "split"],
                "quasi_identifiers": {
                    "age": {"kind": "ordered", "order": AGES},
                    "shop": {"kind": "category"},
                    "date": {"kind": "date"},
                    "spend": {"kind": "number", "step": 5},
                },
                "sensitive": {"product": {"distinct": 2}},
                "noise": {"amount": {"lower": 0, "upper": 100, "epsilon": 1}},
                "insensitive": {"bought": "the label"},
                "budget": {"epsilon": 9},
            },
            "train": {
                "label": "bought",
                "features": ["age", "shop", "date", "spend", "product"],
                "logistic_regression": {"iterations": 20},
                "gradient_boosted_trees": {"trees": 3, "depth": 3},
            },
            "deploy": {
                "model": "small_model",
                "gate": {"min_auc": 0.6, "max_auc_loss": 0.2, "max_prosecutor_risk": 0.2, **deploy_gate},
            },
        }
    )


@cache
def clean_rows(seed=3, people=120, rows=3000):
    """Label depends on spend, product and shop; nulls in every nullable column; one row is unlabelled."""
    random = np.random.default_rng(seed)
    person = random.integers(0, people, rows)
    day = random.integers(0, 59, rows)
    date = np.datetime64("2017-01-01") + day
    spend = np.round(random.gamma(2, 20, rows) + person % 7, 2)
    product = random.choice(["bread", "milk", "wine"], rows).astype(object)
    shop = np.array(SHOPS)[person % 4]
    margin = spend / 25 - 2 + (product == "wine") * 1.5 - (shop == "west")
    bought = random.random(rows) < 1 / (1 + np.exp(-margin))
    product[np.flatnonzero(person % 5)[0]] = RARE

    def with_nulls(values, share, kind=None):
        return pa.array(values, kind, mask=random.random(rows) < share)

    return pa.table(
        {
            "person": pa.array(person),
            "date": with_nulls(date, 0.0, pa.date32()),
            "month": pa.array(np.where(day < 31, "2017-01", "2017-02").tolist()),
            "split": pa.array(np.where(person % 5 == 0, "holdout", "train").tolist()),
            "age": with_nulls(np.array(AGES)[person % 3].tolist(), 0.05, pa.string()),
            "shop": with_nulls(shop.tolist(), 0.05, pa.string()),
            "spend": with_nulls(spend, 0.05),
            "product": pa.array(product.tolist(), mask=(random.random(rows) < 0.02) & (product != RARE)),
            "amount": pa.array(random.integers(0, 100, rows)),
            "bought": pa.array(bought, mask=np.arange(rows) == 11),
        }
    )


@cache
def staging_rows():
    """What the anonymize kernel makes of the clean rows, partition by partition."""
    settings, table = policy().anonymize, clean_rows()
    spend, days = table["spend"].to_numpy(), table["date"].to_numpy().astype("datetime64[D]").astype(int)
    codings = (
        Coding("age", "ordered", values=tuple(AGES), highest=2),
        Coding("shop", "category", values=tuple(SHOPS), highest=3),
        Coding("date", "date", lowest=int(days.min()), highest=int(days.max())),
        Coding("spend", "number", step=5, lowest=int(np.nanmin(spend) // 5), highest=int(np.nanmax(spend) // 5)),
    )
    schema = to_arrow_schema(StructType.fromDDL(ddl(of_staging(settings, CLEAN_TYPES))))
    kernel = Kernel(settings, codings, "person", schema)
    parts = []
    for month in ("2017-01", "2017-02"):
        for split in ("train", "holdout"):
            of_month = table.filter(pa.compute.equal(table["month"], month))
            parts.append(kernel.released(of_month.filter(pa.compute.equal(of_month["split"], split))))
    return pa.concat_tables(parts)


def context(store, stage, build="build-1", its_policy=None):
    """A stage's context as the pipeline gives it, without pinned versions."""
    progress = Progress(io.StringIO())
    return Context(its_policy or policy(), store, "run-1", datetime.now(timezone.utc), progress, build, stage)


def filled_lake(spark, folder):
    """A store whose lake holds what train, evaluate and deploy read."""
    store = TableStore(spark, Lake.at(str(folder)))
    ctx, staging = context(store, "anonymize"), staging_rows()
    is_tree = pa.compute.is_valid(staging[TREE])
    released = staging.filter(pa.compute.invert(is_tree)).drop_columns([PERSON, TREE])
    trees = staging.filter(is_tree).select(["month", "split", TREE]).to_pylist()
    store.replace(ctx.ref(CLEAN), spark.createDataFrame(clean_rows()))
    store.replace(ctx.ref(RELEASE), spark.createDataFrame(released), ["month", "split"])
    rows = [
        {"release_id": "r1", "partition": json.dumps({"month": tree["month"], "split": tree["split"]}), "tree": tree[TREE]}
        for tree in trees
    ]
    store.replace(ctx.ref(GENERALIZER), store.rows(GENERALIZER, rows))
    rows_in = clean_rows().num_rows
    row = {
        "release_id": "r1",
        "k": 5,
        "rows_in": rows_in,
        "rows_released": released.num_rows,
        "rows_suppressed": rows_in - released.num_rows,
    }
    store.replace_where(ctx.ref(RELEASES), ctx.rows(RELEASES, [row]), policy="small", release_id="r1")
    measured = {"prosecutor_risk_max": 0.2, "class_people_min": 5.0}
    metrics = [{"release_id": "r1", "measured_on": "staging", "metric": name, "value": value} for name, value in measured.items()]
    store.append(ctx.ref(PRIVACY_METRICS), ctx.rows(PRIVACY_METRICS, metrics))
    return store

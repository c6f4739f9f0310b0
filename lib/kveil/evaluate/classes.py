"""The released table measured by itself, with nothing but SQL: its classes, and what it gave up in detail."""

from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.errors import ContractError
from kveil.settings.anonymize import Anonymize

Metric = dict[str, Any]


def class_metrics(release: DataFrame, settings: Anonymize, rows_in: int, rows_suppressed: int) -> list[Metric]:
    """Rows per class, discernibility and C_AVG, counted in rows since a released table knows no people.

    A class is what an outsider cannot tell apart: equal partition values and equal released columns of all quasi-identifiers.
    Discernibility (Bayardo and Agrawal 2005) sums the squared class sizes, a suppressed row counting as the whole table.
    C_AVG (LeFevre, DeWitt and Ramakrishnan 2006) is the mean class size over k.
    """
    keys = settings.class_columns()
    missing = sorted(set(keys) - set(release.columns))
    if missing:
        raise ContractError(f"anonymize: the released table has no column {', '.join(missing)}; run stage anonymize again")
    sizes = release.groupBy(*[F.col(f"`{name}`") for name in keys]).agg(F.count(F.lit(1)).alias("rows"))
    squared = F.sum(F.col("rows").cast("double") * F.col("rows"))
    row = sizes.agg(
        F.count(F.lit(1)).alias("classes"),
        F.min("rows").alias("smallest"),
        F.avg("rows").alias("mean"),
        F.max("rows").alias("largest"),
        F.coalesce(squared, F.lit(0.0)).alias("squared"),
    ).first()
    assert row is not None  # an aggregation without groups has one row
    return [
        _metric("classes", row["classes"]),
        _metric("classes_rows_min", row["smallest"]),
        _metric("classes_rows_mean", row["mean"]),
        _metric("classes_rows_max", row["largest"]),
        _metric("discernibility", row["squared"] + float(rows_suppressed) * rows_in),
        _metric("c_avg", None if row["mean"] is None else row["mean"] / settings.k),
    ]


def _metric(name: str, value: float | None, scope: str = "") -> Metric:
    return {"metric": name, "scope": scope, "value": None if value is None else float(value)}

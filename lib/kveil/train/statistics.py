"""What a feature map is fitted from, computed by Spark: means, and rows and positives per category."""

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from kveil.errors import ContractError
from kveil.model.features import (
    Encoding,
    FeatureMap,
    Kind,
    category_encoding,
    date_encoding,
    number_encoding,
    ordered_encoding,
)
from kveil.model.rows import LABEL

MOST_CATEGORIES = 10_000
"""Categories with an encoding of their own, per feature; rarer ones are encoded like unseen ones."""

Orders = Mapping[str, Sequence[str]]


def fitted(  # noqa: PLR0913 - each says one thing about the same rows
    rows: DataFrame, kinds: Mapping[str, Kind], orders: Orders, label: str, source: str, *, least: int = 1
) -> tuple[FeatureMap, int]:
    """The feature map of training rows and the number of labelled rows; ContractError unless both labels are there.

    Categories of fewer rows than `least` are not named, and encoded as unseen ones are.
    """
    totals = _totals(rows, kinds, orders)
    _check_label(totals, label, source)
    prior = totals["positives"] / totals["labelled"]
    counts = _category_counts(rows, [name for name, kind in kinds.items() if kind == "category"], least)

    def encoding(name: str, kind: Kind) -> Encoding:
        if kind == "category":
            return category_encoding(name, counts[name], prior)
        mean = totals[f"mean.{name}"]
        if kind == "ordered":
            return ordered_encoding(name, list(orders[name]), mean)
        return (number_encoding if kind == "number" else date_encoding)(name, mean)

    return FeatureMap(tuple(encoding(name, kind) for name, kind in kinds.items())), int(totals["labelled"])


def _totals(rows: DataFrame, kinds: Mapping[str, Kind], orders: Orders) -> dict[str, Any]:
    label = F.col(LABEL)
    numeric = {name: _numeric(name, kind, orders) for name, kind in kinds.items() if kind != "category"}
    row = rows.agg(
        F.count(F.lit(1)).alias("rows"),
        F.count(label).alias("labelled"),
        F.coalesce(F.sum(label), F.lit(0.0)).alias("positives"),
        F.count_if(~label.isin(0.0, 1.0)).alias("others"),
        *[F.avg(F.when(label.isNotNull(), column)).alias(f"mean.{name}") for name, column in numeric.items()],
    ).first()
    assert row is not None  # an aggregation without groups has one row
    return row.asDict()


def _numeric(name: str, kind: Kind, orders: Orders) -> Column:
    column = F.col(f"`{name}`")
    if kind == "date":
        return F.dayofmonth(column)
    if kind == "ordered":
        place = F.array_position(F.array(*[F.lit(text) for text in orders[name]]), column)
        return F.nullif(place, F.lit(0).cast("bigint")) - 1
    return column


def _check_label(totals: dict[str, Any], label: str, source: str) -> None:
    where = f"train.label: column {label!r} of the {totals['rows']:,} {source} training rows"
    if not totals["labelled"]:
        raise ContractError(
            f"{where} holds no value; a model needs rows labelled 0 and rows labelled 1; check its clean.derive rule"
        )
    if totals["others"]:
        raise ContractError(
            f"{where} holds {totals['others']:,} values that are neither 0 nor 1; derive a two-valued label in clean.derive"
        )
    if totals["positives"] in (0, totals["labelled"]):
        only = 1 if totals["positives"] else 0
        raise ContractError(f"{where} holds only the label {only}; a model needs both 0 and 1; check its clean.derive rule")


def _category_counts(rows: DataFrame, names: Sequence[str], least: int) -> dict[str, dict[str | None, tuple[int, float]]]:
    """Per feature and text (None for null) of `least` rows: labelled rows and positives; at most MOST_CATEGORIES texts each."""
    if not names:
        return {}
    pairs = F.explode(F.array(*[F.struct(F.lit(name).alias("name"), F.col(f"`{name}`").alias("text")) for name in names]))
    labelled = rows.where(F.col(LABEL).isNotNull()).select(LABEL, pairs.alias("pair"))
    counted = labelled.groupBy("pair.name", "pair.text").agg(F.count(F.lit(1)).alias("rows"), F.sum(LABEL).alias("positives"))
    counted = counted.where(F.col("rows") >= least)
    most_first = Window.partitionBy("name").orderBy(F.desc("rows"), "text")
    kept = counted.withColumn("place", F.row_number().over(most_first)).where(F.col("place") <= MOST_CATEGORIES)
    counts: dict[str, dict[str | None, tuple[int, float]]] = {name: {} for name in names}
    for row in kept.collect():
        counts[row["name"]][row["text"]] = (row["rows"], row["positives"])
    return counts

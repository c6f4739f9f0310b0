"""What masked columns tell of people, measured on staging: values that few people hold, and histories that a token gives away."""

from collections.abc import Mapping
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from kveil.anonymize.columns import PERSON, of_class
from kveil.anonymize.metric import Metric
from kveil.settings.anonymize import Anonymize
from kveil.settings.mask import DateShift, Fake, Mask, Redact
from kveil.settings.mask_checks import keyed

KNOWN_POINTS = 4
SAMPLED_HISTORIES = 500
_NAME, _VALUE, _LINK, _PLACE, _OTHER = "kveil_name", "kveil_value", "kveil_link", "kveil_place", "kveil_other"


def mask_metrics(staging: DataFrame, settings: Anonymize) -> list[Metric]:
    """Per masked column the fewest people who hold one of its values, which is at least k where the policy allows no link.

    For columns that link a person's rows: how many histories are recognised by a few of their points (unicity).
    """
    shown = {name: role for name, role in settings.mask.items() if not isinstance(role, Redact)}
    if not shown:
        return []
    metrics = [
        metric for name, found in people_by_column(staging, shown) for metric in _of_column(name, shown[name], found, settings.k)
    ]
    together = [name for name, role in shown.items() if not role.linkable]
    if together:
        groups = _people(staging.groupBy(*[F.col(f"`{name}`") for name in [*of_class(settings), *together]]))
        found = groups.agg(*_totals()).first()
        assert found is not None  # an aggregation without groups has one row
        metrics.append(Metric("mask_class_singled_out_share", found["single"] / found["rows"]))
    # Two people may share a fake, and dates moved by a shift are no name: what links rows are tokens.
    links = [name for name, role in keyed(settings.mask).items() if not isinstance(role, Fake | DateShift)]
    found_unicity = unicity(staging, links, of_class(settings)) if links else {}
    return metrics + [Metric(f"unicity_{KNOWN_POINTS}", share, name) for name, share in found_unicity.items()]


def _of_column(name: str, role: Mask, found: dict[str, Any], k: int) -> list[Metric]:
    least, asked = found["least"], None if role.linkable else k
    return [
        Metric("mask_people_min", least, name, asked, None if asked is None else least >= asked),
        Metric("mask_singled_out_share", found["single"] / found["rows"], name),
    ]


def people_by_column(rows: DataFrame, shown: Mapping[str, Mask]) -> list[tuple[str, dict[str, Any]]]:
    """Per column, of the groups of rows with one value: `least` people, rows of a `single` person, all `rows`; in one job.

    The people are in the column PERSON. A column without values is left out.
    """
    values = rows.select(PERSON, F.explode(_pairs(list(shown))).alias("cell")).select(PERSON, "cell.*")
    groups = _people(values.where(F.col(_VALUE).isNotNull()).groupBy(_NAME, _VALUE))
    found = {row[_NAME]: row.asDict() for row in groups.groupBy(_NAME).agg(*_totals()).collect()}
    return [(name, found[name]) for name in shown if name in found]


def _pairs(names: list[str]) -> Column:
    """Each of these columns' names beside the row's value as text."""
    cells = [F.struct(F.lit(name).alias(_NAME), F.col(f"`{name}`").cast("string").alias(_VALUE)) for name in names]
    return F.array(*cells)


def _people(grouped: Any) -> DataFrame:
    counted: DataFrame = grouped.agg(F.count_distinct(PERSON).alias("people"), F.count(F.lit(1)).alias("rows"))
    return counted


def _totals() -> list[Column]:
    """Of groups: the fewest people in one, the rows of groups of one person, and all rows."""
    return [
        F.min("people").alias("least"),
        F.coalesce(F.sum(F.when(F.col("people") == 1, F.col("rows"))), F.lit(0)).alias("single"),
        F.sum("rows").alias("rows"),
    ]


def unicity(rows: DataFrame, links: list[str], points: list[str], known: int = KNOWN_POINTS) -> dict[str, float]:
    """Per column the share of histories that are the only one with some of their own points (de Montjoye et al. 2013).

    A history is the rows of one value of a column of `links`, a point a row's values of `points`. Looked at are
    SAMPLED_HISTORIES of each column, chosen by hash, with `known` points each, chosen by hash, or all where a history has
    fewer. A column without values is left out.
    """
    point = F.xxhash64(F.struct(*[F.col(f"`{name}`") for name in points])).alias(_PLACE)
    cells = rows.select(point, F.explode(_pairs(links)).alias("cell")).where("cell.kveil_value IS NOT NULL")
    places = cells.select("cell.kveil_name", F.col("cell.kveil_value").alias(_LINK), _PLACE).distinct()
    histories = places.select(_NAME, _LINK).distinct()
    chosen = [histories.where(F.col(_NAME) == name).orderBy(F.xxhash64(_LINK), _LINK).limit(SAMPLED_HISTORIES) for name in links]
    some = reduce(DataFrame.unionByName, chosen)
    order = Window.partitionBy(_NAME, _LINK).orderBy(F.xxhash64(_LINK, _PLACE))
    numbered = places.join(F.broadcast(some), [_NAME, _LINK], "left_semi").withColumn("number", F.row_number().over(order))
    of_history = Window.partitionBy(_NAME, _LINK)
    asked = numbered.where(F.col("number") <= known).withColumn("known", F.count(F.lit(1)).over(of_history))
    others = places.withColumnRenamed(_LINK, _OTHER)
    shared = asked.join(others, [_NAME, _PLACE]).groupBy(_NAME, _LINK, "known", _OTHER).agg(F.count(F.lit(1)).alias("shared"))
    alike = shared.where(F.col("shared") == F.col("known")).groupBy(_NAME, _LINK).agg(F.count(F.lit(1)).alias("people"))
    shares = alike.groupBy(_NAME).agg(F.avg((F.col("people") == 1).cast("double")).alias("unicity")).collect()
    found = {row[_NAME]: float(row["unicity"]) for row in shares}
    return {name: found[name] for name in links if name in found}

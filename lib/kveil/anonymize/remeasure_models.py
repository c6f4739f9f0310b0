"""Diversity, closeness and likeness of the written rows, measured again in SQL by code that shares nothing with the kernel.

All of it counts distinct (person, value) pairs. Distances are taken in other forms than the kernel's: the equal one as
what the class has too much of, the ordered one as the area between two staircases, the hierarchical one as what flows
through each edge of the tree, whose two ends are as far apart as half the difference of their heights.
"""

from collections.abc import Iterator
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from kveil.anonymize.columns import PERSON, of_class
from kveil.anonymize.metric import Metric
from kveil.settings.anonymize import Anonymize
from kveil.settings.disclosure import Sensitive

CLASS = "kveil_class"
_VALUE, _N, _P, _Q, _RANK = "kveil_value", "kveil_n", "kveil_p", "kveil_q", "kveil_rank"

_ROUNDING = 1e-9
"""Ten times what the kernel grants itself where a threshold is met by equality."""


def model_metrics(staging: DataFrame, clean: DataFrame, person: str, settings: Anonymize) -> list[Metric]:
    """Per sensitive column that asks for more than distinct values: its worst class by every model, against what is asked.

    What is not asked is measured too where it costs nothing (entropy; the equal distance and beta where the whole table
    is looked at), without a threshold. `clean` is the whole clean table, `person` its privacy unit.
    """
    metrics = []
    for name, role in settings.sensitive.items():
        if role.has_models:
            classes = class_measures(staging, clean, person, settings, name)
            worst = classes.agg(*[_worst(measure).alias(measure) for measure in classes.columns if measure != CLASS]).first()
            assert worst is not None  # an aggregation without groups has one row
            metrics += list(_judged(name, role, worst.asDict()))
    return metrics


def class_measures(staging: DataFrame, clean: DataFrame, person: str, settings: Anonymize, name: str) -> DataFrame:
    """One row per class (a struct of all that its rows share) with its measures of one sensitive column."""
    role = settings.sensitive[name]
    shared = F.struct(*of_class(settings)).alias(CLASS)
    pairs = staging.select(shared, F.col(name).alias(_VALUE), PERSON).distinct()
    counted = pairs.groupBy(CLASS, _VALUE).agg(F.count(F.lit(1)).alias(_N))
    shares = counted.withColumn(_P, F.col(_N) / F.sum(_N).over(Window.partitionBy(CLASS)))
    if not role.compares:
        return shares.groupBy(CLASS).agg(*_of_counts(role))
    whole = _whole_table(clean, person, name)
    compared = shares.join(F.broadcast(whole), shares[_VALUE].eqNullSafe(whole["whole"]), "left").drop("whole")
    compared = compared.fillna(0.0, [_Q])
    gain = F.when(F.col(_Q) > 0, (F.col(_P) - F.col(_Q)) / F.nullif(_Q, F.lit(0.0))).otherwise(F.lit(float("inf")))
    surplus = F.sum(F.greatest(F.col(_P) - F.col(_Q), F.lit(0.0)))
    measures = compared.groupBy(CLASS).agg(*_of_counts(role), F.max(gain).alias("beta_max"), surplus.alias("t_equal_max"))
    if role.distance == "ordered":
        return measures.join(_ordered(shares, whole, role), CLASS)
    if role.distance == "hierarchical":
        return measures.join(_hierarchical(shares, whole, role), CLASS)
    return measures


def _worst(measure: str) -> Column:
    return F.min(measure) if measure.endswith("_min") else F.max(measure)


def meets(role: Sensitive) -> Column:
    """Whether a row of `class_measures` meets all that is asked of its column."""
    return reduce(Column.__and__, [_holds(measure, F.col(measure), asked) for measure, asked in _asked(role).items()])


def _asked(role: Sensitive) -> dict[str, float]:
    c = role.recursive.c if role.recursive else None
    asked = {"entropy_l_min": role.entropy, "recursive_c_max": c, "beta_max": role.beta, f"t_{role.distance}_max": role.t}
    return {measure: threshold for measure, threshold in asked.items() if threshold is not None}


def _holds(measure: str, value: Any, threshold: float) -> Any:
    """Of a number or a column of numbers."""
    if measure == "recursive_c_max":
        return value < threshold
    return value >= threshold * (1 - _ROUNDING) if measure == "entropy_l_min" else value <= threshold + _ROUNDING


def _judged(name: str, role: Sensitive, found: dict[str, float]) -> Iterator[Metric]:
    # A value that the whole table does not hold was never a clean row's, and no distance to the whole table means anything.
    invented = found.get("beta_max") == float("inf")
    for measure, value in found.items():
        threshold = _asked(role).get(measure)
        met = None if threshold is None else _holds(measure, value, threshold) and not (invented and measure.startswith("t_"))
        yield Metric(measure, value, name, threshold, met)


def _of_counts(role: Sensitive) -> list[Column]:
    """Entropy, and the bound that c must exceed: infinite where there are fewer than l values."""
    measures = [F.exp(-F.sum(F.col(_P) * F.ln(_P))).alias("entropy_l_min")]
    if role.recursive is not None:
        from_greatest = F.sort_array(F.collect_list(_N), asc=False)
        tail = F.aggregate(
            F.slice(from_greatest, F.lit(role.recursive.l), F.size(from_greatest)), F.lit(0).cast("bigint"), lambda a, n: a + n
        )
        bound = F.when(tail > 0, F.max(_N) / F.nullif(tail, F.lit(0))).otherwise(F.lit(float("inf")))
        measures.append(bound.alias("recursive_c_max"))
    return measures


def _whole_table(clean: DataFrame, person: str, name: str) -> DataFrame:
    """Each value of the whole table (null is one) and its share q of the distinct (person, value) pairs."""
    pairs = clean.where(F.col(person).isNotNull()).select(F.col(name).alias("whole"), person).distinct()
    counted = pairs.groupBy("whole").agg(F.count(F.lit(1)).alias(_N))
    return counted.select("whole", (F.col(_N) / F.sum(_N).over(Window.partitionBy())).alias(_Q))


def _ordered(shares: DataFrame, whole: DataFrame, role: Sensitive) -> DataFrame:
    """Per class the area between its staircase of summed shares and the whole table's, whose width is 1."""
    ranked = _ranked(whole, role)
    stairs = ranked.withColumn("height", F.sum(_Q).over(Window.orderBy(_RANK)))
    heights = F.transform(F.sort_array(F.collect_list(F.struct(_RANK, "height"))), lambda step: step["height"])
    profile = stairs.agg(heights.alias("heights"))
    placed = shares.join(F.broadcast(ranked), shares[_VALUE].eqNullSafe(ranked["whole"])).crossJoin(F.broadcast(profile))
    here = Window.partitionBy(CLASS).orderBy(_RANK)
    climbed = F.sum(_P).over(here.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    steps = placed.select(
        CLASS,
        _RANK,
        climbed.alias("climbed"),
        F.lead(_RANK).over(here).alias("next"),
        F.lag(_RANK).over(here).isNull().alias("first"),
        "heights",
    )
    # Between two values that the class holds its staircase is level; before the first one it is at 0.
    length = F.coalesce(F.col("next"), F.size("heights")) - F.col(_RANK)
    level = _area(F.slice("heights", F.col(_RANK) + 1, length), F.col("climbed"))
    before = F.when(F.col("first"), _area(F.slice("heights", F.lit(1), F.col(_RANK)), F.lit(0.0))).otherwise(0.0)
    width = F.greatest(F.size("heights") - 1, F.lit(1))
    return steps.groupBy(CLASS).agg(F.sum((level + before) / width).alias("t_ordered_max"))


def _area(heights: Column, level: Column) -> Column:
    return F.aggregate(heights, F.lit(0.0), lambda sum_, height: sum_ + F.abs(height - level))


def _ranked(whole: DataFrame, role: Sensitive) -> DataFrame:
    """The values with their share and rank, null first; an order's values that do not occur have share 0."""
    if not role.order:
        return whole.withColumn(_RANK, F.row_number().over(Window.orderBy(F.asc_nulls_first("whole"))) - 1)
    listed = whole.sparkSession.createDataFrame([(i, value) for i, value in enumerate(role.order)], "place int, listed string")
    joined = whole.join(F.broadcast(listed), F.col("whole") == F.col("listed"), "full")
    filled = joined.select(F.coalesce("whole", "listed").alias("whole"), F.coalesce(_Q, F.lit(0.0)).alias(_Q), "place")
    return filled.withColumn(_RANK, F.row_number().over(Window.orderBy(F.asc_nulls_first("place"))) - 1).drop("place")


def _hierarchical(shares: DataFrame, whole: DataFrame, role: Sensitive) -> DataFrame:
    """Per class what must flow through the edge above each node, times the edge's length."""
    assert role.hierarchy is not None  # the settings demand it for this distance
    rows = [(value, node, length) for value, path in _edges(role.hierarchy) for node, length in path]
    edges = whole.sparkSession.createDataFrame(rows, "leaf string, node string, length double")
    through = whole.join(F.broadcast(edges), whole["whole"].eqNullSafe(edges["leaf"]))
    asked = through.groupBy("node").agg(F.sum(_Q).alias(_Q))
    # A node that the class holds nothing of lacks all of its share; that is the start, corrected where it holds some.
    lacking = through.agg(F.sum(F.col(_Q) * F.col("length")).alias("lacking"))
    held = shares.join(F.broadcast(edges), shares[_VALUE].eqNullSafe(edges["leaf"]))
    inside = held.groupBy(CLASS, "node", "length").agg(F.sum(_P).alias(_P)).join(F.broadcast(asked), "node")
    corrected = (F.abs(F.col(_P) - F.col(_Q)) - F.col(_Q)) * F.col("length")
    summed = inside.groupBy(CLASS).agg(F.sum(corrected).alias("corrected")).crossJoin(F.broadcast(lacking))
    return summed.select(CLASS, F.greatest(F.col("lacking") + F.col("corrected"), F.lit(0.0)).alias("t_hierarchical_max"))


def _edges(hierarchy: dict[str, Any]) -> Iterator[tuple[str | None, list[tuple[str, float]]]]:
    """Each value with the edges from it to the root: the lower end's address and the edge's length. Null hangs on the root."""
    top = hierarchy if len(hierarchy) > 1 else next(iter(hierarchy.values()))
    highest = _height(top)
    yield None, [("null", 0.5)]
    yield from _edges_below(top, "", [], highest)


def _edges_below(
    children: dict[str, Any] | list[str], address: str, above: list[tuple[str, float]], highest: int
) -> Iterator[tuple[str, list[tuple[str, float]]]]:
    here = _height(children)
    for i, child in enumerate(children):
        deeper = None if isinstance(children, list) else children[child]
        lower = 0 if deeper is None else _height(deeper)
        path = [*above, (f"{address}/{i}", (here - lower) / 2 / highest)]
        if deeper is None:
            yield child, path
        else:
            yield from _edges_below(deeper, f"{address}/{i}", path, highest)


def _height(children: dict[str, Any] | list[str]) -> int:
    return 1 if isinstance(children, list) else 1 + max(_height(below) for below in children.values())

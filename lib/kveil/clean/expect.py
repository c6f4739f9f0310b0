"""The gate behind cleaning: every expectation judged in one aggregation of the clean table."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DateType, DoubleType, FloatType, TimestampType

from kveil.errors import SettingsError
from kveil.matching import matches
from kveil.settings.expect import (
    Between,
    Expectation,
    Freshness,
    InSet,
    Matches,
    NotNull,
    Referential,
    RowCountBetween,
    Unique,
)

_FOUND = "_kveil_referred_"


def judged(
    rows: DataFrame, expected: Sequence[Expectation], references: Mapping[str, DataFrame], now: datetime
) -> list[dict[str, Any]]:
    """One row of QUALITY_METRICS per expectation, in their order; one job, whatever their number.

    `references` holds the rows of every source that an expectation refers to. Raises SettingsError where a bound cannot be
    a value of its column, or freshness is asked of what is no date.
    """
    problems = [problem for i, one in enumerate(expected) if (problem := _problem(rows, i, one))]
    if problems:
        raise SettingsError(problems)
    looked = _with_references(rows, expected, references)
    counts = [_failures(looked, i, one, now).alias(f"failed_{i}") for i, one in enumerate(expected)]
    found = looked.agg(F.count("*").alias("rows"), *counts).first()
    assert found is not None, "an aggregation without groups has one row"
    return [_metric(i, one, found["rows"], found[f"failed_{i}"]) for i, one in enumerate(expected)]


def _metric(place: int, one: Expectation, rows: int, failed: int) -> dict[str, Any]:
    whole = isinstance(one, RowCountBetween | Freshness)
    share = float(failed) if whole else failed / rows if rows else 0.0
    return {
        "place": place, "column": ", ".join(one.columns) or None, "rule": one.rule, "expected": one.words, "rows": rows,
        "failed": failed, "share": share, "allowed": one.tolerance, "severity": one.severity, "met": share <= one.tolerance,
    }  # fmt: skip


def _with_references(rows: DataFrame, expected: Sequence[Expectation], references: Mapping[str, DataFrame]) -> DataFrame:
    for i, one in enumerate(expected):
        if isinstance(one, Referential):
            keys = references[one.source].select(F.col(one.by).cast("string").alias("_kveil_key")).distinct()
            named = keys.select("_kveil_key", F.lit(True).alias(f"{_FOUND}{i}"))
            rows = rows.join(named, rows[one.column].cast("string") == F.col("_kveil_key"), "left").drop("_kveil_key")
    return rows


def _failures(rows: DataFrame, place: int, one: Expectation, now: datetime) -> Column:
    match one:
        case RowCountBetween():
            most = F.count("*") > one.max if one.max is not None else F.lit(False)
            return ((F.count("*") < one.min) | most).cast("bigint")
        case Freshness():
            latest = F.max(F.col(one.column).cast("timestamp"))
            since = F.lit(now).cast("timestamp") - F.make_dt_interval(days=F.lit(one.days))
            return F.coalesce(latest < since, F.lit(True)).cast("bigint")
        case Unique():
            known = F.lit(True)
            for name in one.by:
                known = known & F.col(name).isNotNull()
            return F.count_if(known) - F.count_distinct(*one.by)
        case Referential():
            return F.count_if(F.col(one.column).isNotNull() & F.col(f"{_FOUND}{place}").isNull())
        case _:
            return F.count_if(_fails(rows, one))


def _fails(rows: DataFrame, one: NotNull | InSet | Between | Matches) -> Column:
    value = F.col(one.column)
    match one:
        case NotNull():
            return value.isNull()
        case InSet():
            return ~value.cast("string").isin(one.allowed)
        case Matches():
            text = value.cast("string")
            return text.isNotNull() & ~matches(text, one.pattern)
        case Between():
            return _outside(rows, one)


def _outside(rows: DataFrame, one: Between) -> Column:
    type_, value, outside = rows.schema[one.column].dataType, F.col(one.column), F.lit(False)
    if one.min is not None:
        outside = outside | (value < F.lit(one.min).cast(type_))
    if one.max is not None:
        outside = outside | (value > F.lit(one.max).cast(type_))
    return outside | F.isnan(value) if isinstance(type_, DoubleType | FloatType) else outside


def _problem(rows: DataFrame, place: int, one: Expectation) -> str | None:
    """What makes the expectation impossible for its column's type, which is known only now."""
    if isinstance(one, Freshness) and not isinstance(rows.schema[one.column].dataType, DateType | TimestampType):
        type_ = rows.schema[one.column].dataType.simpleString()
        return f"clean.expect.{place}.column: {one.column!r} is {type_}; allowed for freshness: a date or timestamp column"
    if not isinstance(one, Between):
        return None
    type_ = rows.schema[one.column].dataType.simpleString()
    bounds = [F.lit(bound).try_cast(type_).isNull() for bound in (one.min, one.max) if bound is not None]
    wrong = rows.sparkSession.range(1).select(F.greatest(*bounds, F.lit(False)).alias("wrong")).first()
    if wrong is not None and wrong["wrong"]:
        return f"clean.expect.{place}: a bound is no {type_}, which {one.column!r} is; give bounds of that type"
    return None

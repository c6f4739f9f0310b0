"""What is counted in all rows of a table: one aggregation whatever its width, with sketches where exact counts do not scale."""

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, DateType, NumericType, StringType, TimestampNTZType, TimestampType

from kveil.profile.cells import cell, hashable
from kveil.profile.looks import month, rounded

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_ACCURACY = 1_000
"""A quantile's rank is within one thousandth of the rows."""
_SECONDS_PER_DAY = 86_400


@dataclass(frozen=True)
class Counted:
    """A column's exact and sketched figures; `quantiles` are texts, rounded so that none is a person's value."""

    name: str
    type: str
    rows: int
    missing: int
    blank: int | None
    distinct: int
    longest: int | None
    mean: float | None
    quantiles: list[str] | None


@dataclass(frozen=True)
class Totals:
    """A table's rows, and its people where it has a person column (an estimate within a few percent)."""

    rows: int
    people: int | None


def counted(rows: DataFrame, person: str | None, k: int) -> tuple[Totals, list[Counted]]:
    """The table's totals and each column's figures; quantiles and means of tables with at least 20 k people alone."""
    fields = list(rows.schema.fields)
    made: list[Column] = [F.count(F.lit(1)).alias("rows")]
    if person is not None:
        made.append(_distinct(cell(person)).alias("people"))
    for i, field in enumerate(fields):
        made += [each.alias(f"{what}_{i}") for what, each in _figures(field.name, field.dataType).items()]
    row = rows.agg(*made).first()
    assert row is not None  # an aggregation without groups has one row
    told = row.asDict()
    totals = Totals(told["rows"], told.get("people"))
    many = (totals.rows if totals.people is None else totals.people) >= 20 * k
    return totals, [_told(i, field.name, field.dataType, told, many) for i, field in enumerate(fields)]


def _figures(name: str, kind: DataType) -> dict[str, Column]:
    """Of each column what can be counted of its type."""
    column = cell(name)
    made = {"present": F.count(column), "distinct": _distinct(hashable(name, kind))}
    if isinstance(kind, StringType):
        made["blank"] = F.count_if(F.trim(F.substring(column, 1, 100)) == "")
        made["longest"] = F.max(F.length(column))
    number = _as_number(column, kind)
    if number is not None:
        made["quantiles"] = F.percentile_approx(number, list(QUANTILES), _ACCURACY)
    if number is not None and isinstance(kind, NumericType):
        made["mean"] = F.avg(number)
    return made


def _distinct(column: Column) -> Column:
    """A HyperLogLog sketch of a 64-bit hash: the same for all types and for cells of any size."""
    return F.hll_sketch_estimate(F.hll_sketch_agg(F.when(column.isNotNull(), F.xxhash64(column))))


def _as_number(column: Column, kind: DataType) -> Column | None:
    """Numbers as doubles without NaN, times as days since 1970; None for other types."""
    if isinstance(kind, NumericType):
        number = column.cast("double")
        return F.when(~F.isnan(number), number)
    if isinstance(kind, DateType):
        return F.unix_date(column)
    if isinstance(kind, TimestampType | TimestampNTZType):
        return F.unix_date(column.cast("date"))
    return None


def _told(i: int, name: str, kind: DataType, told: dict[str, object], many: bool) -> Counted:
    present, distinct = int(str(told[f"present_{i}"])), int(str(told[f"distinct_{i}"]))
    return Counted(
        name=name,
        type=kind.simpleString(),
        rows=int(str(told["rows"])),
        missing=int(str(told["rows"])) - present,
        blank=_whole(told.get(f"blank_{i}")),
        # A sketch may count a little more than there are.
        distinct=min(distinct, present),
        longest=_whole(told.get(f"longest_{i}")),
        mean=_mean(told.get(f"mean_{i}")) if many else None,
        quantiles=_quantiles(told.get(f"quantiles_{i}"), not isinstance(kind, NumericType)) if many else None,
    )


def _mean(value: object) -> float | None:
    return rounded(value) if isinstance(value, float) else None


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, int) else None


def _quantiles(values: object, days: bool) -> list[str] | None:
    if not isinstance(values, list):
        return None
    return [month(each) if days else f"{rounded(each):g}" for each in values]

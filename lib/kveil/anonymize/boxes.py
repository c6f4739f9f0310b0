"""What each class shows, read as what fits it, and who of a table of people fits: in SQL, by labels and bounds alone.

Classes and people meet in cells of the two columns in which classes are narrowest, so that no side is compared with all
of the other; then every condition is checked exactly.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import reduce
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.columns import PERSON, of_class
from kveil.privacy.coding import Coding
from kveil.privacy.labels import OR_NULL, RANGE, WHOLE, members
from kveil.settings.anonymize import Anonymize

CLASS, PEOPLE = "kveil_class", "kveil_people"
_CELLS = 32
_MET_IN = 2
_NULLS = -1
_FARTHEST = float(2**52)


def boxes(staging: DataFrame, settings: Anonymize, codings: tuple[Coding, ...]) -> DataFrame:
    """One row per class: all that it shows, its released people, and per column what fits: see `_meaning`."""
    shown = of_class(settings)
    classes = staging.groupBy(*shown).agg(F.countDistinct(PERSON).alias(PEOPLE))
    types = {name: kind for name, kind in classes.dtypes if name in {*shown, PEOPLE}}
    extra: dict[str, str] = {}
    for coding in codings:
        extra |= {f"{coding.name}.any": "boolean", f"{coding.name}.null": "boolean"}
        ends = {f"{coding.name}.low": "bigint", f"{coding.name}.high": "bigint"}
        extra |= {f"{coding.name}.texts": "array<string>"} if coding.is_text else ends
    schema = ", ".join(f"`{name}` {kind}" for name, kind in {**types, **extra}.items())

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            columns = {name: batch.column(name) for name in types}
            for coding in codings:
                columns |= _meaning(coding, columns, batch.num_rows)
            yield pa.RecordBatch.from_pydict({name: columns[name] for name in [*types, *extra]})

    return classes.mapInArrow(read, schema).withColumn(CLASS, F.struct(*shown))


def _meaning(coding: Coding, shown: dict[str, pa.Array], rows: int) -> dict[str, pa.Array]:
    """What fits a class by the columns that show it: anything, null, listed texts, or whole numbers (days) from low to high.

    A column that shows neither label nor bounds rules nothing out; bounds alone do not tell whether null is inside.
    """
    name = coding.name
    labels = shown[name].to_pylist() if name in shown else None
    if labels is None and f"{name}_lo" not in shown:
        unknown: list[Any] = [[] if coding.is_text else None] * rows
        ends = {"texts": unknown} if coding.is_text else {"low": unknown, "high": unknown}
        return _arrays(name, [True] * rows, [True] * rows, **ends)
    null = [labels is None or label is None or _says_null(coding, label) for label in labels or [None] * rows]
    if coding.is_text:
        assert labels is not None  # texts have no bounds
        whole = [label is not None and label not in coding.values and label.removesuffix(OR_NULL) == WHOLE for label in labels]
        return _arrays(name, whole, null, texts=[sorted(members(label, coding)[0]) for label in labels])
    if f"{name}_lo" in shown:
        kind = pa.int32() if coding.kind == "date" else pa.int64()
        low, high = (shown[f"{name}{end}"].cast(kind).to_pylist() for end in ("_lo", "_hi"))
        return _arrays(name, [False] * rows, null, low=low, high=high)
    ranges = [_range(coding, label) for label in labels or []]
    whole = [label is not None and label.removesuffix(OR_NULL) == WHOLE for label in labels or []]
    return _arrays(name, whole, null, low=[low for low, _ in ranges], high=[high for _, high in ranges])


def _arrays(name: str, whole: list[bool], null: list[bool], **values: list[Any]) -> dict[str, pa.Array]:
    kinds = {"texts": pa.list_(pa.string()), "low": pa.int64(), "high": pa.int64()}
    typed = {f"{name}.{key}": pa.array(given, kinds[key]) for key, given in values.items()}
    return {f"{name}.any": pa.array(whole, pa.bool_()), f"{name}.null": pa.array(null, pa.bool_()), **typed}


def _says_null(coding: Coding, label: str) -> bool:
    return label not in coding.values and label.endswith(OR_NULL)


def _range(coding: Coding, label: str | None) -> tuple[int | None, int | None]:
    body = "" if label is None else label.removesuffix(OR_NULL)
    if body in ("", WHOLE):
        return None, None
    low, high = body.split(RANGE) if RANGE in body else (body, body)
    if coding.kind == "date":
        return tuple((date.fromisoformat(end) - date(1970, 1, 1)).days for end in (low, high))  # type: ignore[return-value]
    return int(low), int(high)


def fitting(classes: DataFrame, people: DataFrame, settings: Anonymize, codings: tuple[Coding, ...]) -> DataFrame:
    """Class, its released people, and each person of the population with a row inside it."""
    ranges = _ranges(classes, codings)
    narrow = sorted(codings, key=lambda coding: ranges[coding.name].open)[:_MET_IN]
    parts = [name for name in settings.partition_by if name in people.columns]
    theirs = people.select(
        PERSON,
        *[F.col(name).alias(f"{name}.part") for name in parts],
        *[_value(coding).alias(f"{coding.name}.value") for coding in codings],
    ).distinct()
    conditions = [F.col(name).eqNullSafe(F.col(f"`{name}.part`")) for name in parts]
    for coding in narrow:
        name, range_ = coding.name, ranges[coding.name]
        classes = classes.withColumn(f"{name}.cell", F.explode(_cells_of_class(coding, range_)))
        theirs = theirs.withColumn(f"{name}.place", _cell_of_value(coding, range_))
        conditions.append(F.col(f"`{name}.cell`") == F.col(f"`{name}.place`"))
    conditions += [_inside(coding) for coding in codings]
    return classes.join(theirs, reduce(Column.__and__, conditions)).select(CLASS, PEOPLE, PERSON)


@dataclass(frozen=True)
class _Range:
    """How much of a column's domain a class leaves open on average, and the ends of all classes' ranges (released values)."""

    open: float
    low: float
    high: float


def _ranges(boxes: DataFrame, codings: tuple[Coding, ...]) -> dict[str, _Range]:
    asked = []
    for coding in codings:
        low, high, anything = (_of(coding, what) for what in ("low", "high", "any"))
        if coding.is_text:
            size = F.when(anything, coding.span + 1).otherwise(F.size(_of(coding, "texts")))
            asked.append(F.struct(F.lit(0).alias("low"), F.lit(coding.span + 1).alias("high"), F.avg(size).alias("open")))
        else:
            size = F.when(anything, F.lit(None)).otherwise(high - low)
            asked.append(F.struct(F.min(low).alias("low"), F.max(high).alias("high"), F.avg(size).alias("open")))
    row = boxes.agg(*[one.alias(f"range{i}") for i, one in enumerate(asked)]).first()
    assert row is not None  # an aggregation without groups has one row
    found = {}
    for coding, (low, high, size) in zip(codings, row, strict=True):
        width = max((high or 0) - (low or 0), 1)
        # Classes that all leave a column open are the last to meet in it.
        found[coding.name] = _Range(1.0 if size is None else float(size) / width, float(low or 0), float(high or 0))
    return found


def _of(coding: Coding, what: str) -> Column:
    return F.col(f"`{coding.name}.{what}`")


def _value(coding: Coding) -> Column:
    """A person's value as the bounds count it: whole numbers, days, texts; NaN is null."""
    column = F.col(coding.name)
    if coding.is_text:
        return column
    if coding.kind == "date":
        return F.unix_date(column).cast("bigint")
    number = F.nanvl(column.cast("double"), F.lit(None).cast("double"))
    # least and greatest pass over nulls, so they must not see one.
    return F.when(number.isNotNull(), F.floor(F.greatest(F.least(number, F.lit(_FARTHEST)), F.lit(-_FARTHEST))))


def _cell_of_value(coding: Coding, range_: _Range) -> Column:
    value = _of(coding, "value")
    cell = _hashed(value) if coding.is_text else _placed(value, range_)
    return F.when(value.isNull(), F.lit(_NULLS)).otherwise(cell)


def _cells_of_class(coding: Coding, range_: _Range) -> Column:
    """All cells in which a value that fits the class can lie."""
    nothing, everything = F.array().cast("array<int>"), F.sequence(F.lit(0), F.lit(_CELLS - 1))
    if coding.is_text:
        known = F.array_distinct(F.transform(_of(coding, "texts"), _hashed))
    else:
        low, high = _of(coding, "low"), _of(coding, "high")
        known = F.when(low.isNull(), nothing).otherwise(F.sequence(_placed(low, range_), _placed(high, range_)))
    null = F.when(_of(coding, "null"), F.array(F.lit(_NULLS))).otherwise(nothing)
    return F.concat(F.when(_of(coding, "any"), everything).otherwise(known), null)


def _placed(value: Column, range_: _Range) -> Column:
    """The number's cell, 0 to _CELLS - 1 from the lowest to the highest bound; never falls as the number grows."""
    share = (value - F.lit(range_.low)) / F.lit(max(range_.high - range_.low, 1.0)) * _CELLS
    return F.greatest(F.least(F.floor(share), F.lit(_CELLS - 1)), F.lit(0)).cast("int")


def _hashed(text: Column) -> Column:
    return F.pmod(F.xxhash64(text), F.lit(_CELLS)).cast("int")


def _inside(coding: Coding) -> Column:
    value = _of(coding, "value")
    listed = (
        F.array_contains(_of(coding, "texts"), value)
        if coding.is_text
        else value.between(_of(coding, "low"), _of(coding, "high"))
    )
    known = value.isNotNull() & (_of(coding, "any") | F.coalesce(listed, F.lit(False)))
    return known | (value.isNull() & _of(coding, "null"))

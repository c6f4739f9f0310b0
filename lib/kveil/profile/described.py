"""What a sample tells of a table: a document per column, its values, and the dependencies between columns."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kveil.profile.association import association, tenths
from kveil.profile.dependencies import Dependency, dependencies, keys
from kveil.profile.looks import frequent, frequent_patterns, histogram, numbers_of, outliers
from kveil.profile.sampled import PERSON, Document, Look, columns_of
from kveil.profile.semantic import guess
from kveil.profile.sketch import I64, NULL, Coded, coded
from kveil.profile.values import of_texts

_TIMES = ("date", "timestamp")
_BROKEN = ("float", "double")


@dataclass(frozen=True)
class _Column:
    """A column of the sample: its name and SQL type, its rows coded, and as numbers where it holds numbers or times."""

    name: str
    type: str
    coded: Coded
    numbers: NDArray[np.float64] | None

    @property
    def is_time(self) -> bool:
        return self.type.startswith(_TIMES)


def description(types: dict[str, str], k: int, label: str | None = None) -> Look:
    """A look at a sample that gives documents of three kinds, as the tables of profiles have them.

    `types` are the columns' SQL types. Nothing that fewer than k people share is in them.
    """

    def look(sample: pa.Table) -> Iterator[Document]:
        people = people_in(sample)
        columns = [_column(name, types[name], coded(column)) for name, column in columns_of(sample).items()]
        target = next((_classes(column) for column in columns if column.name == label), None)
        for column in columns:
            told = _of_column(column)
            if target is not None and column.name != label:
                told["association"] = _finite(association(_classes(column), target))
            yield told
            yield from _values(column, people, k)
        by_name = {column.name: column.coded for column in columns}
        for each in [*keys(by_name), *dependencies(by_name)]:
            yield _of_dependency(each)

    return look


def people_in(sample: pa.Table) -> I64 | None:
    """Whose each row of the sample is, numbered from 0, NULL for nobody's; None of a table without people."""
    if PERSON not in sample.column_names:
        return None
    encoded = pc.dictionary_encode(sample[PERSON].combine_chunks())
    chunk = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    return np.asarray(pc.fill_null(chunk.indices, NULL).to_numpy(zero_copy_only=False), dtype=np.int64)


def _column(name: str, type_: str, rows: Coded) -> _Column:
    if type_.startswith(_TIMES):
        return _Column(name, type_, rows, numbers_of(rows, days=True))
    is_number = type_.startswith(("tinyint", "smallint", "int", "bigint", "decimal", *_BROKEN))
    return _Column(name, type_, rows, numbers_of(rows) if is_number else None)


def _of_column(column: _Column) -> Document:
    rows = column.coded
    found = guess(of_texts(column.name, column.type, rows.texts.take(pa.array(rows.codes[rows.codes != NULL]))))
    numbers = None if column.is_time else column.numbers
    return {
        "kind": "column", "column": column.name, "semantic": found.semantic, "role": found.role,
        "confidence": found.confidence, "proven": found.proven, "evidence": found.evidence,
        "date_pattern": "|".join(filter(None, (found.pattern, found.rival))), "alone": round(rows.alone, 4),
        "sampled_rows": len(rows.codes), "outliers": None if numbers is None else round(outliers(numbers), 4),
    }  # fmt: skip


def _values(column: _Column, people: I64 | None, k: int) -> Iterator[Document]:
    # Numbers with decimals have neither frequent values nor patterns that tell anything; they have a histogram.
    shown = [] if column.type.startswith(_BROKEN) else frequent(column.coded, people, k)
    if column.type == "string":
        shown += frequent_patterns(column.coded, people, k)
    if column.numbers is not None:
        shown += histogram(column.numbers, people, k, column.is_time)
    rows = max(column.coded.rows, 1)
    for each in shown:
        share = None if each.rows is None else round(each.rows / rows, 4)
        yield {
            "kind": each.kind,
            "column": column.name,
            "rank": each.rank,
            "shown": each.shown,
            "rows": each.rows,
            "share": share,
        }


def _of_dependency(each: Dependency) -> Document:
    kind = "key" if each.told is None else "dependency"
    return {
        "kind": kind, "columns": list(each.columns), "told": each.told, "confidence": each.confidence, "support": each.support
    }  # fmt: skip


def _classes(column: _Column) -> I64:
    """What an association is measured between: values, or tenths of numbers with many."""
    few = column.numbers is None or len(column.coded.texts) <= 10
    return column.coded.codes if few or column.numbers is None else tenths(column.numbers)


def _finite(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None

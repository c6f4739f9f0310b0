"""A bounded sample of a table, looked at as a whole by one worker: its rows never reach the driver.

People are chosen by a hash of their id, each with all rows; of a table without people, rows by a hash of theirs. So the same
rows are chosen however the table is partitioned. The hash has no key: the sample is thrown away, and what is told of it is
shared by k people whoever is in it.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.profile.cells import as_text, cell, hashables

Document = dict[str, Any]
Look = Callable[[pa.Table], Iterator[Document]]
"""From a sample, every column a text, to documents of JSON's values."""

ROWS, CELLS, CHARACTERS = 50_000, 2_000_000, 300
"""Rows of a sample; cells, which bound the rows of wide tables; characters of a cell that are looked at."""

PERSON = "_kveil_person"
"""In a sample: whose row it is, a number; null for nobody's."""

_RANGE = 2**32
_SALT = "kveil sample"


def sampled(rows: DataFrame, person: str | None, total: int) -> DataFrame:
    """About ROWS rows (all, where there are fewer; fewer of wide tables) as texts, and PERSON where the table has one."""
    wanted = min(ROWS, CELLS // max(len(rows.columns), 1))
    share = min(1.0, wanted / max(total, 1))
    fields = rows.schema.fields
    chosen = rows.where(_part(rows, person) < F.lit(int(share * _RANGE))) if share < 1 else rows
    shown = [as_text(field.name, field.dataType, CHARACTERS).alias(field.name) for field in fields]
    if person is not None:
        shown.append(F.when(cell(person).isNotNull(), F.xxhash64(cell(person))).alias(PERSON))
    # Of one busy person all rows are chosen; more than twice the wanted are never looked at.
    return chosen.select(*shown).limit(2 * wanted)


def looked_at(sample: DataFrame, look: Look) -> list[Document]:
    """What `look` tells of the sample, made in one worker; `look` bounds how many documents there are."""

    def tell(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        found = list(batches)
        documents = [json.dumps(each) for each in look(pa.Table.from_batches(found))] if found else []
        yield pa.RecordBatch.from_arrays([pa.array(documents, pa.string())], ["document"])

    told = sample.repartition(1).mapInArrow(tell, "document string")
    return [json.loads(row["document"]) for row in told.collect()]


def columns_of(sample: pa.Table) -> Mapping[str, pa.ChunkedArray]:
    """The sample's columns of texts by name."""
    return {name: sample[name] for name in sample.column_names if name != PERSON}


def _part(rows: DataFrame, person: str | None) -> Column:
    """A number below _RANGE: of whose row it is, or of the row itself where it is nobody's."""
    own = F.xxhash64(F.lit(_SALT), *hashables(rows))
    if person is not None:
        own = F.when(cell(person).isNotNull(), F.xxhash64(F.lit(_SALT), cell(person))).otherwise(own)
    return F.pmod(own, F.lit(_RANGE))

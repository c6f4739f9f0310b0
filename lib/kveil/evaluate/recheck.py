"""The release held against the clean table: which people stand behind each published class.

The clean rows are sent through the frozen generalizer and counted per published class. Every published class must find
exactly its own number of clean rows again, of at least k people: rows that were invented, dropped or swapped show here,
after the link between staging and people is gone. Rows that no tree covers may have been released without their cells;
of these the release may hold fewer than the clean table, never more.

Classes of local recoding overlap, so a few rows that stood in one class are found in another that fits them as well:
there the people found are told without a threshold, and the rows found elsewhere are limited to _ELSEWHERE of all.
"""

from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from kveil.evaluate.suppressed import without_cells
from kveil.model.columns import from_arrow, generalizer_inputs
from kveil.model.generalizer import Generalizer
from kveil.privacy.labels import WHOLE
from kveil.settings import Policy
from kveil.settings.anonymize import Anonymize

_PERSON = "_person"
_ELSEWHERE = 0.05
"""Measured on Adult: 0.005. Rows that were invented or swapped at random would nearly all be found elsewhere."""


def recheck_metrics(
    clean: DataFrame, released: DataFrame, policy: Policy, generalizers: Mapping[str, Generalizer], again: DataFrame | None = None
) -> list[dict[str, Any]]:
    """Classes, people in the smallest one, and rows that only one of the two tables has; one generalizer per split.

    `again`, of a release that was compared with earlier ones, holds what classes show that it shows as they were: behind these
    other rows stand now, so they are not looked for. Such a release may also have left rows out of its classes.
    """
    settings = policy.anonymize
    shown = settings.class_columns()
    labelled = _labelled(clean, policy.person, settings, generalizers, dict(released.dtypes))
    found = labelled.groupBy(*shown).agg(F.count(F.lit(1)).alias("found"), F.countDistinct(_PERSON).alias("people"))
    published = released.groupBy(*shown).agg(F.count(F.lit(1)).alias("published"))
    # A union groups null with null, which a join of class columns would not.
    both = found.unionByName(published, allowMissingColumns=True).groupBy(*shown)
    classes = both.agg(*[F.coalesce(F.sum(name), F.lit(0)).alias(name) for name in ("found", "people", "published")])
    if again is not None:
        classes = classes.join(
            again, reduce(Column.__and__, [classes[name].eqNullSafe(again[name]) for name in shown]), "left_anti"
        )
    difference = F.col("published") - F.col("found")
    # Rows that gave a history away, that a person had too many of, or that were held back beside earlier releases, are gone
    # from their class; more rows than the clean table has are still invented ones.
    may_lack = without_cells(settings) | F.lit(
        again is not None or settings.trajectory is not None or settings.contribution is not None
    )
    mismatch = F.when(may_lack, F.greatest(difference, F.lit(0))).otherwise(F.abs(difference))
    row = classes.agg(
        F.count_if(F.col("published") > 0).alias("classes"),
        F.min(F.when(F.col("published") > 0, F.col("people"))).alias("people"),
        F.sum(mismatch).alias("mismatch"),
        F.sum("published").alias("published"),
    ).first()
    assert row is not None  # an aggregation without groups has one row
    smallest, mismatch_rows = int(row["people"] or 0), int(row["mismatch"] or 0)
    overlaps = settings.algorithm == "local_recoding"
    # A row found elsewhere is missing in one class and too much in another.
    allowed = 2 * _ELSEWHERE * int(row["published"] or 0) if overlaps else 0.0
    people = {} if overlaps else {"threshold": float(settings.k), "met": smallest >= settings.k}
    agreed = {"threshold": allowed, "met": mismatch_rows <= allowed}
    return [
        {"metric": "recheck_classes", "scope": "", "value": float(row["classes"])},
        {"metric": "recheck_people_min", "scope": "", "value": float(smallest), **people},
        {"metric": "recheck_rows_mismatch", "scope": "", "value": float(mismatch_rows), **agreed},
    ]


def _labelled(
    clean: DataFrame, person: str, settings: Anonymize, generalizers: Mapping[str, Generalizer], types: Mapping[str, str]
) -> DataFrame:
    """Class columns and person of the clean rows whose partition was released, and of the others without cells."""
    inputs, keeps_rows = generalizer_inputs(settings), settings.suppress == "cell"
    columns = {**{name: types[name] for name in settings.class_columns()}, _PERSON: "string"}
    ddl = ", ".join(f"`{name}` {kind}" for name, kind in columns.items())
    parsed = StructType.fromDDL(ddl)
    assert isinstance(parsed, StructType)  # a list of columns parses to nothing else
    schema = to_arrow_schema(parsed)

    def label(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            covered = np.zeros(batch.num_rows, dtype=bool)
            for split, generalizer in generalizers.items():
                in_split = pa.compute.fill_null(pa.compute.equal(batch.column("split"), split), False)
                mine = in_split.to_numpy(zero_copy_only=False) & generalizer.covers(from_arrow(batch, inputs))
                covered |= mine
                yield classes_of(batch.filter(pa.array(mine)), generalizer)
            if keeps_rows:
                yield without_classes(batch.filter(pa.array(~covered)))

    def classes_of(part: pa.RecordBatch, generalizer: Generalizer) -> pa.RecordBatch:
        released = generalizer.released(from_arrow(part, inputs)) if part.num_rows else {}
        made = {name: _arrow(released[name], schema.field(name).type) for name in released}
        return record(part, made, list(settings.partition_by))

    def without_classes(part: pa.RecordBatch) -> pa.RecordBatch:
        stars = pa.array([WHOLE] * part.num_rows, pa.string())
        labels = {name: stars for name in settings.quasi_identifiers if "label" in settings.shown(name)}
        return record(part, labels, ["split"])

    def record(part: pa.RecordBatch, made: Mapping[str, pa.Array], kept: list[str]) -> pa.RecordBatch:
        made = {**made, **{name: part.column(name) for name in [*kept, _PERSON]}}
        arrays = [made[field.name] if field.name in made else pa.nulls(part.num_rows, field.type) for field in schema]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    used = [*settings.partition_by, *settings.quasi_identifiers]
    rows = clean.where(F.col(person).isNotNull()).select(*used, F.col(person).cast("string").alias(_PERSON))
    return rows.mapInArrow(label, ddl)


def _arrow(values: NDArray[Any], kind: pa.DataType) -> pa.Array:
    """Texts, floats (NaN is null) or days as an Arrow column of a released type."""
    if values.dtype.kind == "f":
        return pa.array(values, mask=np.isnan(values)).cast(kind)
    return pa.array(values).cast(kind) if values.dtype.kind == "M" else pa.array(values, kind)

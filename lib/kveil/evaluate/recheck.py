"""The release held against the clean table: which people stand behind each published class.

The clean rows are sent through the frozen generalizer and counted per published class. Every published class must find
exactly its own number of clean rows again, of at least k people: rows that were invented, dropped or swapped show here,
after the link between staging and people is gone. Rows that no tree covers may have been released without their cells;
of these the release may hold fewer than the clean table, never more.

Classes of local recoding overlap, so a clean row may fit several, and the release does not say in which it stood. There the
people who fit a class are counted, every published row must have a clean row of its partition, no class may show more rows
than fit it, and every clean row must fit a class. Rows that two classes would have exchanged are not told apart.
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

_PERSON, _ROWS, _FITS, _OUTSIDE = "_person", "_rows", "_fits", "_outside"
"""Of a clean row beside a class: its person, 1 where the row is counted, where it fits, and where it fits no class at all."""
_LACKS = "_lacks"
"""Whether the release may hold fewer rows of a class than the clean table."""


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
    found = labelled.groupBy(*shown).agg(
        F.sum(_ROWS).alias("found"),
        F.sum(_FITS).alias("fits"),
        F.sum(_OUTSIDE).alias("outside"),
        F.countDistinct(F.when(F.col(_FITS) > 0, F.col(_PERSON))).alias("people"),
    )
    published = released.groupBy(*shown).agg(F.count(F.lit(1)).alias("published"))
    # A union groups null with null, which a join of class columns would not.
    both = found.unionByName(published, allowMissingColumns=True).groupBy(*shown)
    counts = ("found", "fits", "outside", "people", "published")
    classes = both.agg(*[F.coalesce(F.sum(name), F.lit(0)).alias(name) for name in counts])
    if again is not None:
        classes = classes.join(
            again, reduce(Column.__and__, [classes[name].eqNullSafe(again[name]) for name in shown]), "left_anti"
        )
    # Rows that gave a history away, that a person had too many of, or that were held back beside earlier releases, are gone
    # from their class; more rows than the clean table has are still invented ones.
    may_lack = again is not None or settings.trajectory is not None or settings.contribution is not None
    lacks, is_published = F.lit(may_lack) | without_cells(settings), F.col("published") > 0
    rows = _mismatch_where_classes_overlap() if settings.algorithm == "local_recoding" else _mismatch()
    partitions = (
        classes.withColumn(_LACKS, lacks)
        .groupBy(*settings.partition_by, _LACKS)
        .agg(
            F.count_if(is_published).alias("classes"),
            F.min(F.when(is_published, F.col("people"))).alias("people"),
            rows.alias("rows"),
        )
    )
    row = partitions.agg(
        *[F.coalesce(of(name), F.lit(0)) for of, name in ((F.sum, "classes"), (F.min, "people"), (F.sum, "rows"))]
    ).first()
    assert row is not None  # an aggregation without groups has one row
    count, smallest, differ = map(int, row)
    return [
        {"metric": "recheck_classes", "scope": "", "value": float(count)},
        {
            "metric": "recheck_people_min",
            "scope": "",
            "value": float(smallest),
            "threshold": float(settings.k),
            "met": smallest >= settings.k,
        },
        {"metric": "recheck_rows_mismatch", "scope": "", "value": float(differ), "threshold": 0.0, "met": differ == 0},
    ]


def _mismatch() -> Column:
    """Of a partition's classes: rows that only one table has; where the release may lack rows, only those that clean lacks."""
    return F.sum(_apart(F.col("published") - F.col("found")))


def _mismatch_where_classes_overlap() -> Column:
    """Of a partition's classes: rows that only one table has of it, published ones that too few fit, clean ones that fit none."""
    beyond = F.sum(F.greatest(F.col("published") - F.col("fits"), F.lit(0)))
    # Rows that were left out need not fit a class of those that were not.
    outside = F.when(F.col(_LACKS), 0).otherwise(F.sum("outside"))
    return beyond + outside + _apart(F.sum("published") - F.sum("found"))


def _apart(difference: Column) -> Column:
    return F.when(F.col(_LACKS), F.greatest(difference, F.lit(0))).otherwise(F.abs(difference))


def _labelled(
    clean: DataFrame, person: str, settings: Anonymize, generalizers: Mapping[str, Generalizer], types: Mapping[str, str]
) -> DataFrame:
    """Class columns and person of the clean rows whose partition was released, and of the others without cells.

    A row whose class is known is there once. Where classes overlap it is there once to be counted, and once beside each class
    that it fits.
    """
    inputs, keeps_rows = generalizer_inputs(settings), settings.suppress == "cell"
    overlaps = settings.algorithm == "local_recoding"
    marks = dict.fromkeys([_ROWS, _FITS, _OUTSIDE], "int")
    columns = {**{name: types[name] for name in settings.class_columns()}, _PERSON: "string", **marks}
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
                yield from classes_of(batch.filter(pa.array(mine)), generalizer)
            if keeps_rows:
                yield without_classes(batch.filter(pa.array(~covered)))

    def classes_of(part: pa.RecordBatch, generalizer: Generalizer) -> Iterator[pa.RecordBatch]:
        if not part.num_rows:
            return
        rows, kept = from_arrow(part, inputs), list(settings.partition_by)
        outside = np.zeros(part.num_rows, dtype=np.int32)
        if overlaps:
            at, shown = generalizer.fitting(rows)
            yield record(part.take(pa.array(at)), shown, kept, {_FITS: 1})
            outside = 1 - np.isin(np.arange(part.num_rows), at).astype(np.int32)
        yield record(part, generalizer.released(rows), kept, {_ROWS: 1, _FITS: 0 if overlaps else 1}, outside)

    def without_classes(part: pa.RecordBatch) -> pa.RecordBatch:
        stars = np.full(part.num_rows, WHOLE, dtype=object)
        labels = {name: stars for name in settings.quasi_identifiers if "label" in settings.shown(name)}
        return record(part, labels, ["split"], {_ROWS: 1, _FITS: 1})

    def record(
        part: pa.RecordBatch,
        shown: Mapping[str, NDArray[Any]],
        kept: list[str],
        marks: Mapping[str, int],
        outside: NDArray[np.int32] | None = None,
    ) -> pa.RecordBatch:
        made = {name: _arrow(values, schema.field(name).type) for name, values in shown.items() if name in columns}
        made |= {name: part.column(name) for name in [*kept, _PERSON]}
        zeros = np.zeros(part.num_rows, dtype=np.int32)
        made |= {name: pa.array(zeros + marks.get(name, 0)) for name in (_ROWS, _FITS)}
        made[_OUTSIDE] = pa.array(zeros if outside is None else outside)
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

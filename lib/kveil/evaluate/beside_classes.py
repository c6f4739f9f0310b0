"""Clean rows beside the classes that the frozen generalizer gives them, as the release shows these."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from kveil.model.columns import from_arrow, generalizer_inputs
from kveil.model.generalizer import Generalizer
from kveil.privacy.labels import WHOLE
from kveil.settings.anonymize import Anonymize

PERSON, ROWS, FITS, OUTSIDE = "_person", "_rows", "_fits", "_outside"
"""Of a clean row beside a class: its person, 1 where the row is counted, where it fits, and where it fits no class at all."""


def beside_classes(
    clean: DataFrame, person: str, settings: Anonymize, generalizers: Mapping[str, Generalizer], types: Mapping[str, str]
) -> DataFrame:
    """Class columns, person and marks of the clean rows whose partition was released, and of the others without cells.

    A row whose class is known is there once. Where classes overlap it is there once to be counted, and once beside each class
    that it fits. `types` are those of the released columns; one generalizer per split.
    """
    shown = {name: types[name] for name in settings.class_columns()}
    columns = {**shown, PERSON: "string", **dict.fromkeys([ROWS, FITS, OUTSIDE], "int")}
    ddl = ", ".join(f"`{name}` {kind}" for name, kind in columns.items())
    parsed = StructType.fromDDL(ddl)
    assert isinstance(parsed, StructType)  # a list of columns parses to nothing else
    labeller = _Labeller(settings, generalizers, to_arrow_schema(parsed))
    used = [*settings.partition_by, *settings.quasi_identifiers]
    rows = clean.where(F.col(person).isNotNull()).select(*used, F.col(person).cast("string").alias(PERSON))
    return rows.mapInArrow(labeller.label, ddl)


class _Labeller:
    """Gives batches of clean rows their classes, in columns of one schema."""

    def __init__(self, settings: Anonymize, generalizers: Mapping[str, Generalizer], schema: pa.Schema) -> None:
        self._generalizers, self._schema = generalizers, schema
        self._inputs, self._partition_by = generalizer_inputs(settings), settings.partition_by
        self._overlaps, self._keeps_rows = settings.algorithm == "local_recoding", settings.suppress == "cell"
        self._labels = [name for name in settings.quasi_identifiers if "label" in settings.shown(name)]

    def label(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The rows of each batch beside their classes."""
        for batch in batches:
            covered = np.zeros(batch.num_rows, dtype=bool)
            for split, generalizer in self._generalizers.items():
                in_split = pa.compute.fill_null(pa.compute.equal(batch.column("split"), split), False)
                mine = in_split.to_numpy(zero_copy_only=False) & generalizer.covers(from_arrow(batch, self._inputs))
                covered |= mine
                yield from self._classes_of(batch.filter(pa.array(mine)), generalizer)
            if self._keeps_rows:
                yield self._without_classes(batch.filter(pa.array(~covered)))

    def _classes_of(self, part: pa.RecordBatch, generalizer: Generalizer) -> Iterator[pa.RecordBatch]:
        if not part.num_rows:
            return
        rows, outside = from_arrow(part, self._inputs), np.zeros(part.num_rows, dtype=np.int32)
        if self._overlaps:
            at, shown = generalizer.fitting(rows)
            fitting = part.take(pa.array(at))
            yield self._record(fitting, shown, self._partition_by, {FITS: np.ones(len(at), dtype=np.int32)})
            outside = 1 - np.isin(np.arange(part.num_rows), at).astype(np.int32)
        once = np.ones(part.num_rows, dtype=np.int32)
        marks = {ROWS: once, FITS: 0 * once if self._overlaps else once, OUTSIDE: outside}
        yield self._record(part, generalizer.released(rows), self._partition_by, marks)

    def _without_classes(self, part: pa.RecordBatch) -> pa.RecordBatch:
        once = np.ones(part.num_rows, dtype=np.int32)
        stars = dict.fromkeys(self._labels, np.full(part.num_rows, WHOLE, dtype=object))
        return self._record(part, stars, ["split"], {ROWS: once, FITS: once})

    def _record(
        self, part: pa.RecordBatch, shown: Mapping[str, NDArray[Any]], kept: list[str], marks: Mapping[str, NDArray[np.int32]]
    ) -> pa.RecordBatch:
        """What classes show of the rows, their `kept` columns and person, and marks (0 where none is given)."""
        zeros = np.zeros(part.num_rows, dtype=np.int32)
        made = {
            name: _arrow(values, self._schema.field(name).type) for name, values in shown.items() if name in self._schema.names
        }
        made |= {name: part.column(name) for name in [*kept, PERSON]}
        made |= {name: pa.array(marks.get(name, zeros)) for name in (ROWS, FITS, OUTSIDE)}
        arrays = [made[field.name] if field.name in made else pa.nulls(part.num_rows, field.type) for field in self._schema]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)


def _arrow(values: NDArray[Any], kind: pa.DataType) -> pa.Array:
    """Texts, floats (NaN is null) or days as an Arrow column of a released type."""
    if values.dtype.kind == "f":
        return pa.array(values, mask=np.isnan(values)).cast(kind)
    return pa.array(values).cast(kind) if values.dtype.kind == "M" else pa.array(values, kind)

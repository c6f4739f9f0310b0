"""The frequency set of a table on Spark: the distinct combinations of codes and people, and what levels make of them.

Everything that decides between the levels of full-domain generalization is in these combinations. Small ones are checked
in the driver's memory, large ones by one aggregation per level vector.
"""

from collections.abc import Callable, Iterator, Sequence, Sized
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.columns import PERSON, ddl
from kveil.anonymize.kernel import Kernel
from kveil.privacy.coding import NULL, Coding
from kveil.privacy.frequency import FrequencySet
from kveil.privacy.full_domain import generalized, height, penalty
from kveil.privacy.lattice import Checked, Levels
from kveil.privacy.level_check import LevelCheck
from kveil.privacy.models import Model
from kveil.settings.anonymize import Anonymize

PARTITION = "kveil_partition"

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]


def frequencies(clean: DataFrame, kernel: Kernel) -> DataFrame:
    """Each distinct combination of partition, codes, person and sensitive values, with its number of rows."""
    settings = kernel.settings
    people = F.xxhash64(kernel.person).alias(PERSON)
    values = [F.xxhash64(f"`{name}`").alias(value_column(i)) for i, name in enumerate(settings.sensitive)]
    raw = [F.col(f"`{coding.name}`") for coding in kernel.codings]
    rows = with_partition(clean.where(F.col(kernel.person).isNotNull()), settings)
    types = {name: dict(clean.dtypes)[name] for name in settings.partition_by} | {PARTITION: "string", PERSON: "bigint"}
    types |= dict.fromkeys([value_column(i) for i in range(len(values))], "bigint")
    codes = [code_column(i) for i in range(len(raw))]

    def encode(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            coded = kernel.codes(pa.Table.from_batches([batch]))
            arrays = [*(batch.column(name) for name in types), *(pa.array(column) for column in coded.T)]
            yield pa.RecordBatch.from_arrays(arrays, names=[*types, *codes])

    selected = rows.select(*settings.partition_by, PARTITION, people, *values, *raw)
    encoded = selected.mapInArrow(encode, ddl(types | dict.fromkeys(codes, "bigint")))
    return encoded.groupBy(*types, *codes).agg(F.count(F.lit(1)).alias("rows"))


def with_partition(rows: DataFrame, settings: Anonymize) -> DataFrame:
    """The rows with their partition's values as JSON."""
    by = settings.partition_by
    return rows.withColumn(PARTITION, F.to_json(F.struct(*[F.col(f"`{name}`") for name in by])) if by else F.lit("{}"))


def code_column(i: int) -> str:
    """The column of a quasi-identifier's codes."""
    return f"code_{i}"


def id_column(i: int) -> str:
    """The column of a quasi-identifier's generalized ids."""
    return f"id_{i}"


def value_column(i: int) -> str:
    """The column of a sensitive column's hashed values."""
    return f"value_{i}"


def on_driver(tuples: DataFrame, kernel: Kernel) -> LevelCheck:
    """The check in numpy, of at most MOST_ON_DRIVER combinations."""
    codes, values = names(code_column, kernel.codings), names(value_column, kernel.settings.sensitive)
    table = tuples.select(PARTITION, PERSON, "rows", *codes, *values).toArrow()
    numbers = table[PARTITION].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)

    def columns(names: Sequence[str]) -> I64:
        found = [table[name].to_numpy() for name in names]
        return np.column_stack(found) if found else np.empty((table.num_rows, 0), dtype=np.int64)

    found = FrequencySet.of(
        np.column_stack([numbers, columns(codes)]), table[PERSON].to_numpy(), table["rows"].to_numpy(), columns(values)
    )
    return LevelCheck.of(found, kernel.codings, kernel.model)


def names(name: Callable[[int], str], things: Sized) -> list[str]:
    """The columns' names of so many things."""
    return [name(i) for i in range(len(things))]


@dataclass(frozen=True)
class SparkCheck:
    """The check as one aggregation of the frequency table per level vector."""

    tuples: DataFrame
    kernel: Kernel
    rows: int

    def penalties(self) -> list[F64]:
        """Per column the mean loss over all rows at each level, as `lattice.optimal` takes it."""
        codings = self.kernel.codings
        places = [(i, level) for i, coding in enumerate(codings) for level in range(height(coding))]

        def total(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                rows = batch.column("rows").to_numpy()
                sums = [(penalty(codings[i], batch.column(code_column(i)).to_numpy(), level) * rows).sum() for i, level in places]
                yield pa.RecordBatch.from_arrays(
                    [pa.array(range(len(places)), pa.int32()), pa.array(sums)], names=["place", "sum"]
                )

        sums = self.tuples.mapInArrow(total, "place int, sum double").groupBy("place").agg(F.sum("sum").alias("sum")).collect()
        found = {places[row["place"]]: row["sum"] / self.rows for row in sums}
        return [np.array([found[i, level] for level in range(height(coding))]) for i, coding in enumerate(codings)]

    def __call__(self, levels: Levels) -> Checked:
        """Rows in classes that break the model, and the mean loss."""
        classes = _classes(self.tuples, self.kernel, levels)
        row = classes.agg(
            F.coalesce(F.sum(F.when(~F.col("safe"), F.col("rows"))), F.lit(0)).alias("suppressed"),
            F.coalesce(F.sum(F.when(F.col("safe"), F.col("loss"))), F.lit(0.0)).alias("loss"),
        ).first()
        assert row is not None  # an aggregation without groups has one row
        return Checked(int(row["suppressed"]), float((row["loss"] + row["suppressed"]) / self.rows))


def at_levels(tuples: DataFrame, codings: Sequence[Coding], levels: Levels) -> DataFrame:
    """The combinations with each column's generalized id, the middle of its cell, and the loss of their rows together."""
    kept = dict(tuples.dtypes)
    middles = [i for i, coding in enumerate(codings) if not coding.is_text]
    added = (
        {id_column(i): "bigint" for i in range(len(codings))} | {f"middle_{i}": "double" for i in middles} | {"loss": "double"}
    )

    def generalize(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            codes = [batch.column(code_column(i)).to_numpy() for i in range(len(codings))]
            ids = [generalized(coding, codes[i], levels[i]) for i, coding in enumerate(codings)]
            loss = np.mean([penalty(coding, codes[i], levels[i]) for i, coding in enumerate(codings)], axis=0)
            known = [np.where(codes[i] == NULL, codings[i].lowest, codes[i]) for i in middles]
            cells = [codings[i].middle(codes) for i, codes in zip(middles, known, strict=True)]
            made = [*ids, *cells, loss * batch.column("rows").to_numpy()]
            arrays = [*batch.columns, *(pa.array(column) for column in made)]
            yield pa.RecordBatch.from_arrays(arrays, names=[*kept, *added])

    return tuples.mapInArrow(generalize, ddl(kept | added))


def _classes(tuples: DataFrame, kernel: Kernel, levels: Levels) -> DataFrame:
    """The classes at some levels: partition, ids, rows, loss of the rows together, and whether they are safe."""
    model, by = kernel.model, kernel.settings.partition_by
    generalized_tuples = at_levels(tuples, kernel.codings, levels)
    distinct = [F.countDistinct(value_column(i)).alias(value_column(i)) for i in range(len(model.distinct))]
    classes = generalized_tuples.groupBy(*by, PARTITION, *names(id_column, levels)).agg(
        F.sum("rows").alias("rows"), F.sum("loss").alias("loss"), F.countDistinct(PERSON).alias("people"), *distinct
    )
    return classes.withColumn("safe", _safe(model))


def _safe(model: Model) -> Column:
    safe = F.col("people") >= model.k
    for i, need in enumerate(model.distinct):
        safe = safe & (F.col(value_column(i)) >= need)
    return safe


def kept_classes(tuples: DataFrame, kernel: Kernel, levels: Levels) -> DataFrame:
    """The safe classes at some levels: partition columns, partition and ids."""
    keys = [*kernel.settings.partition_by, PARTITION, *names(id_column, levels)]
    return _classes(tuples, kernel, levels).where("safe").select(*keys)

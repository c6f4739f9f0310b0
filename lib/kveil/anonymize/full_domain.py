"""Full-domain generalization on Spark: the frequency set once, the best levels, then every row at these levels.

Rows of classes that stay too small at the best levels are suppressed. What decides between levels is the distinct
combinations of codes and people alone; they are written to a restricted table and destroyed with the link.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import floor
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from kveil.anonymize.columns import PERSON, ddl
from kveil.anonymize.kernel import Kernel
from kveil.context import Context
from kveil.errors import ContractError
from kveil.privacy.coding import NULL, Coding
from kveil.privacy.frequency import FrequencySet
from kveil.privacy.full_domain import FrozenLevels, generalized, height, penalty
from kveil.privacy.lattice import Checked, Levels, optimal
from kveil.privacy.level_check import LevelCheck
from kveil.privacy.models import Model
from kveil.privacy.randomness import SystemBits
from kveil.settings.anonymize import Anonymize
from kveil.tables.schema import FREQUENCIES
from kveil.tables.store import NO_STATISTICS

PARTITION = "kveil_partition"
MOST_ON_DRIVER = 2_000_000
"""Distinct combinations up to which levels are checked in the driver's memory (some 100 bytes each), not by Spark."""

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]


def staging_rows(ctx: Context, clean: DataFrame, kernel: Kernel, rows_in: int, schema: StructType) -> DataFrame:
    """Staging of a full-domain release: the kept rows with their person, and per partition one row with its levels."""
    ref = ctx.ref(FREQUENCIES)
    with ctx.step("count the distinct combinations") as note:
        ctx.store.replace(ref, frequencies(clean, kernel), properties=NO_STATISTICS)
        tuples = ctx.store.read(ref)
        totals = tuples.agg(F.count(F.lit(1)).alias("tuples"), F.coalesce(F.sum("rows"), F.lit(0)).alias("rows")).first()
        assert totals is not None  # an aggregation without groups has one row
        note.rows(totals["tuples"], "combinations")
    with ctx.step("search the best levels") as note:
        check = on_driver(tuples, kernel) if totals["tuples"] <= MOST_ON_DRIVER else SparkCheck(tuples, kernel, totals["rows"])
        most = floor(kernel.settings.suppression_limit * rows_in + 1e-9) - (rows_in - totals["rows"])
        levels, note.text = _best(check, kernel.codings, most, totals["rows"])
    frozen = _frozen(tuples, kernel, levels)
    return _rows(clean, tuples, kernel, frozen, schema).unionByName(_trees(tuples, kernel, frozen, schema))


def frequencies(clean: DataFrame, kernel: Kernel) -> DataFrame:
    """Each distinct combination of partition, codes, person and sensitive values, with its number of rows."""
    settings = kernel.settings
    people = F.xxhash64(kernel.person).alias(PERSON)
    values = [F.xxhash64(f"`{name}`").alias(_value(i)) for i, name in enumerate(settings.sensitive)]
    raw = [F.col(f"`{coding.name}`") for coding in kernel.codings]
    rows = _with_partition(clean.where(F.col(kernel.person).isNotNull()), settings)
    types = {name: dict(clean.dtypes)[name] for name in settings.partition_by} | {PARTITION: "string", PERSON: "bigint"}
    types |= dict.fromkeys([_value(i) for i in range(len(values))], "bigint")
    codes = [_code(i) for i in range(len(raw))]

    def encode(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            coded = kernel.codes(pa.Table.from_batches([batch]))
            arrays = [*(batch.column(name) for name in types), *(pa.array(column) for column in coded.T)]
            yield pa.RecordBatch.from_arrays(arrays, names=[*types, *codes])

    selected = rows.select(*settings.partition_by, PARTITION, people, *values, *raw)
    encoded = selected.mapInArrow(encode, ddl(types | dict.fromkeys(codes, "bigint")))
    return encoded.groupBy(*types, *codes).agg(F.count(F.lit(1)).alias("rows"))


def _with_partition(rows: DataFrame, settings: Anonymize) -> DataFrame:
    by = settings.partition_by
    return rows.withColumn(PARTITION, F.to_json(F.struct(*[F.col(f"`{name}`") for name in by])) if by else F.lit("{}"))


def _code(i: int) -> str:
    return f"code_{i}"


def _id(i: int) -> str:
    return f"id_{i}"


def _value(i: int) -> str:
    return f"value_{i}"


def on_driver(tuples: DataFrame, kernel: Kernel) -> LevelCheck:
    """The check in numpy, of at most MOST_ON_DRIVER combinations."""
    codes, values = _names(_code, kernel.codings), _names(_value, kernel.settings.sensitive)
    table = tuples.select(PARTITION, PERSON, "rows", *codes, *values).toArrow()
    numbers = table[PARTITION].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)

    def columns(names: Sequence[str]) -> I64:
        found = [table[name].to_numpy() for name in names]
        return np.column_stack(found) if found else np.empty((table.num_rows, 0), dtype=np.int64)

    found = FrequencySet.of(
        np.column_stack([numbers, columns(codes)]), table[PERSON].to_numpy(), table["rows"].to_numpy(), columns(values)
    )
    return LevelCheck.of(found, kernel.codings, kernel.model)


def _names(name: Any, things: Any) -> list[str]:
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
                sums = [(penalty(codings[i], batch.column(_code(i)).to_numpy(), level) * rows).sum() for i, level in places]
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


def _best(check: LevelCheck | SparkCheck, codings: Sequence[Coding], most: int, rows: int) -> tuple[Levels, str]:
    """The optimal levels, and the sentence that says so; the top where none suppresses few enough."""
    top = tuple(height(coding) - 1 for coding in codings)
    if not rows:
        return top, "there are no rows with a person"
    try:
        found = optimal(check.penalties(), check, most)
    except ValueError as error:
        raise ContractError(
            f"anonymize.algorithm: full_domain has too many levels, {error}; take fewer quasi-identifiers, hierarchies of fewer "
            "levels, or algorithm: mondrian"
        ) from None
    if found is None:
        return top, "no levels suppress few enough rows"
    shown = ", ".join(f"{coding.name} {level}" for coding, level in zip(codings, found.levels, strict=True))
    return found.levels, f"{shown}; loss {found.loss:.4f}, {found.checked:,} checked"


def _at_levels(tuples: DataFrame, codings: Sequence[Coding], levels: Levels) -> DataFrame:
    """The combinations with each column's generalized id, the middle of its cell, and the loss of their rows together."""
    kept = dict(tuples.dtypes)
    middles = [i for i, coding in enumerate(codings) if not coding.is_text]
    added = {_id(i): "bigint" for i in range(len(codings))} | {f"middle_{i}": "double" for i in middles} | {"loss": "double"}

    def generalize(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            codes = [batch.column(_code(i)).to_numpy() for i in range(len(codings))]
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
    at_levels = _at_levels(tuples, kernel.codings, levels)
    distinct = [F.countDistinct(_value(i)).alias(_value(i)) for i in range(len(model.distinct))]
    classes = at_levels.groupBy(*by, PARTITION, *_names(_id, levels)).agg(
        F.sum("rows").alias("rows"), F.sum("loss").alias("loss"), F.countDistinct(PERSON).alias("people"), *distinct
    )
    return classes.withColumn("safe", _safe(model))


def _safe(model: Model) -> Column:
    safe = F.col("people") >= model.k
    for i, need in enumerate(model.distinct):
        safe = safe & (F.col(_value(i)) >= need)
    return safe


def _kept(tuples: DataFrame, kernel: Kernel, levels: Levels) -> DataFrame:
    keys = [*kernel.settings.partition_by, PARTITION, *_names(_id, levels)]
    return _classes(tuples, kernel, levels).where("safe").select(*keys)


def _frozen(tuples: DataFrame, kernel: Kernel, levels: Levels) -> FrozenLevels:
    """The levels with their representatives over all kept people; its classes are filled in per partition."""
    codings = kernel.codings
    nulls = tuples.agg(*[F.max(F.col(_code(i)) == F.lit(int(NULL))).alias(_code(i)) for i in range(len(codings))]).first()
    assert nulls is not None  # an aggregation without groups has one row
    has_null = tuple(bool(nulls[_code(i)]) for i in range(len(codings)))
    keys = [PARTITION, *_names(_id, levels)]
    held = _at_levels(tuples, codings, levels).join(_kept(tuples, kernel, levels).select(*keys), keys, "left_semi")
    representatives = {coding.name: _representatives(held, coding, i) for i, coding in enumerate(codings) if levels[i]}
    return FrozenLevels(codings, levels, has_null, representatives, np.empty((0, len(codings)), dtype=np.int64))


def _representatives(held: DataFrame, coding: Coding, i: int) -> NDArray[Any]:
    """Per node the mean over people or the code that most people hold; one row per node comes to the driver."""
    known = held.where(F.col(_id(i)) >= 0)
    if coding.is_text:
        people = known.groupBy(_id(i), _code(i)).agg(F.countDistinct(PERSON).alias("people"))
        mode = F.max_by(_code(i), F.struct("people", -F.col(_code(i))))
        found = people.groupBy(_id(i)).agg(mode.alias("value"))
    else:
        mean = F.sum(F.col("rows") * F.col(f"middle_{i}")) / F.sum("rows")
        each = known.where(F.col(_code(i)) != F.lit(int(NULL))).groupBy(_id(i), PERSON).agg(mean.alias("value"))
        found = each.groupBy(_id(i)).agg(F.avg("value").alias("value"))
    values = _without_people(coding)
    for row in found.collect():
        values[row[_id(i)]] = row["value"]
    return values


def _without_people(coding: Coding) -> NDArray[Any]:
    """What nodes show that no kept person holds: their middle, or null."""
    first = coding.taxonomy.first.astype(np.int64) if coding.taxonomy else np.array([coding.lowest])
    last = coding.taxonomy.last.astype(np.int64) if coding.taxonomy else np.array([coding.highest])
    return np.full(len(first), NULL) if coding.is_text else (coding.lower(first) + coding.upper(last)) / 2


def _rows(clean: DataFrame, tuples: DataFrame, kernel: Kernel, frozen: FrozenLevels, schema: StructType) -> DataFrame:
    known = _with_partition(clean.where(F.col(kernel.person).isNotNull()), kernel.settings)
    keys = [PARTITION, *_names(_id, frozen.levels)]
    types = dict(known.dtypes)

    def identify(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            ids = frozen.ids(kernel.codes(pa.Table.from_batches([batch])))
            yield pa.RecordBatch.from_arrays([*batch.columns, *(pa.array(column) for column in ids.T)], names=[*types, *keys[1:]])

    def finish(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if batch.num_rows:
                yield from _finished(pa.Table.from_batches([batch]), kernel, frozen).to_batches()

    with_ids = known.mapInArrow(identify, ddl(types | dict.fromkeys(keys[1:], "bigint")))
    kept = _kept(tuples, kernel, frozen.levels).select(*keys)
    return with_ids.join(kept, keys, "left_semi").mapInArrow(finish, schema)


def _finished(table: pa.Table, kernel: Kernel, frozen: FrozenLevels) -> pa.Table:
    codes = kernel.codes(table)
    _, first, classes = np.unique(frozen.ids(codes), axis=0, return_index=True, return_inverse=True)
    columns = {coding.name: frozen.shown(coding.name, codes[first, i]) for i, coding in enumerate(kernel.codings)}
    return kernel.rows(table, classes.reshape(-1).astype(np.int32), columns, SystemBits())


def _trees(tuples: DataFrame, kernel: Kernel, frozen: FrozenLevels, schema: StructType) -> DataFrame:
    """One row per partition that has a released class."""
    ids = _names(_id, frozen.levels)

    def freeze(classes: pa.Table) -> pa.Table:
        kept = np.column_stack([classes[name].to_numpy() for name in ids])
        return kernel.tree_row(classes, replace(frozen, kept=np.unique(kept, axis=0)).to_bytes())

    return _kept(tuples, kernel, frozen.levels).groupBy(PARTITION).applyInArrow(freeze, schema)

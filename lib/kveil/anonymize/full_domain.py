"""Full-domain generalization on Spark: the frequency set once, the best levels, then every row at these levels.

Rows of classes that stay too small at the best levels are suppressed. What decides between levels is the distinct
combinations of codes and people alone; they are written to a restricted table and destroyed with the link.
"""

from collections.abc import Iterable, Iterator, Sequence
from math import floor
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from kveil.anonymize.arrow import of_all_batches
from kveil.anonymize.columns import PERSON, ddl
from kveil.anonymize.fragments import ROWS_PER_FRAGMENT
from kveil.anonymize.frequencies import (
    PARTITION,
    SparkCheck,
    at_levels,
    code_column,
    frequencies,
    id_column,
    kept_classes,
    names,
    on_driver,
    with_partition,
)
from kveil.anonymize.kernel import Classified, Kernel
from kveil.context import Context
from kveil.errors import ContractError
from kveil.privacy.coding import NULL, Coding
from kveil.privacy.frequency import distinct_rows
from kveil.privacy.full_domain import FrozenLevels, height, node_numbers
from kveil.privacy.lattice import Levels, optimal
from kveil.privacy.level_check import LevelCheck
from kveil.privacy.models import Model, PopulationRule, SensitiveRule
from kveil.privacy.own_values import outer_ends
from kveil.privacy.published_levels import published_levels
from kveil.privacy.representatives import rounded
from kveil.tables.schema import FREQUENCIES
from kveil.tables.store import NO_STATISTICS

MOST_ON_DRIVER = 2_000_000
"""Distinct combinations up to which levels are checked in the driver's memory (some 100 bytes each), not by Spark."""


def staging_rows(ctx: Context, clean: DataFrame, kernel: Kernel, rows_in: int, schema: StructType) -> DataFrame:
    """Staging of a full-domain release: the kept rows with their person, and per partition one row with its levels."""
    check_model(kernel.model)
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
    made = _rows(_kept(clean, tuples, kernel, frozen), kernel, frozen, schema, 1 + rows_in // ROWS_PER_FRAGMENT)
    return made.unionByName(_trees(tuples, kernel, frozen, schema))


def check_model(model: Model) -> None:
    """ContractError when the policy asks for more than levels are searched by: people, and distinct sensitive values."""
    more = any((rule.as_array() != SensitiveRule(rule.distinct).as_array()).any() for rule in model.rules)
    if more or model.population != PopulationRule():
        raise ContractError(
            "anonymize.algorithm: full_domain knows k and sensitive.COLUMN.distinct; for other models take algorithm: mondrian"
        )


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


def _frozen(tuples: DataFrame, kernel: Kernel, levels: Levels) -> FrozenLevels:
    """The levels with what they show, all of it of kept people."""
    codings = kernel.codings
    keys = [PARTITION, *names(id_column, levels)]
    held = at_levels(tuples, codings, levels).join(kept_classes(tuples, kernel, levels).select(*keys), keys, "left_semi")
    nulls = held.agg(
        *[F.max(F.col(code_column(i)) == F.lit(int(NULL))).alias(code_column(i)) for i in range(len(codings))]
    ).first()
    assert nulls is not None  # an aggregation without groups has one row
    has_null = tuple(bool(nulls[code_column(i)]) for i in range(len(codings)))
    bare = FrozenLevels(codings, levels, has_null, {})
    k = kernel.settings.k
    ends = {each.name: _ends(held, each, i, k) for i, each in enumerate(codings) if bare.is_top(i) and not each.is_text}
    means = {each.name: _representatives(held, each, i, ends.get(each.name), k) for i, each in enumerate(codings) if levels[i]}
    return FrozenLevels(codings, levels, has_null, means, ends)


def _ends(held: DataFrame, coding: Coding, i: int, k: int) -> tuple[int, int]:
    """How far the kept rows of a number or date reach; an end that fewer than k people hold is moved outward."""
    code = F.col(code_column(i))
    known = held.where(code != F.lit(int(NULL)))
    row = known.agg(F.min(code).alias("low"), F.max(code).alias("high")).first()
    if row is None or row["low"] is None:
        return int(NULL), int(NULL)
    holders = [F.count_distinct(F.when(code == F.lit(row[end]), F.col(PERSON))).alias(end) for end in ("low", "high")]
    people = known.agg(*holders).first()
    assert people is not None  # an aggregation without groups has one row
    return outer_ends(coding, (row["low"], row["high"]), (people["low"] >= k, people["high"] >= k), k)


def _representatives(held: DataFrame, coding: Coding, i: int, ends: tuple[int, int] | None, k: int) -> NDArray[Any]:
    """Per node the rounded mean over people or the code that most, and k, people hold; one row per node comes to the driver."""
    known = held.where(F.col(id_column(i)) >= 0)
    values = _without_people(coding)
    if coding.is_text:
        people = known.groupBy(id_column(i), code_column(i)).agg(F.countDistinct(PERSON).alias("people"))
        mode = F.max_by(code_column(i), F.struct("people", -F.col(code_column(i))))
        found = people.where(F.col("people") >= k).groupBy(id_column(i)).agg(mode.alias("value"))
    else:
        mean = F.sum(F.col("rows") * F.col(f"middle_{i}")) / F.sum("rows")
        each = known.where(F.col(code_column(i)) != F.lit(int(NULL))).groupBy(id_column(i), PERSON).agg(mean.alias("value"))
        found = each.groupBy(id_column(i)).agg(F.avg("value").alias("value"))
    for row in found.collect():
        values[row[id_column(i)]] = row["value"]
    return values if coding.is_text else rounded(values, *coding.middles_of_range(*_ranges(coding, ends)), k)


def _ranges(coding: Coding, ends: tuple[int, int] | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How far each node reaches; the root as far as the release."""
    low, high = ends if ends is not None else (int(NULL), int(NULL))
    if coding.taxonomy is None:
        return np.array([low]), np.array([high])
    lower = coding.lower(coding.taxonomy.first.astype(np.int64))
    upper = coding.upper(coding.taxonomy.last.astype(np.int64))
    if ends is not None:
        lower[0], upper[0] = low, high
    return lower, upper


def _without_people(coding: Coding) -> NDArray[Any]:
    """What nodes show that no kept person holds."""
    nodes = len(coding.taxonomy.parent) if coding.taxonomy else 1
    return np.full(nodes, NULL) if coding.is_text else np.full(nodes, np.nan)


def _kept(clean: DataFrame, tuples: DataFrame, kernel: Kernel, frozen: FrozenLevels) -> DataFrame:
    """The clean rows of kept classes, beside the nodes that show them."""
    known = with_partition(clean.where(F.col(kernel.person).isNotNull()), kernel.settings)
    keys = [PARTITION, *names(id_column, frozen.levels)]
    types = dict(known.dtypes)

    def identify(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            ids = frozen.ids(kernel.codes(pa.Table.from_batches([batch])))
            yield pa.RecordBatch.from_arrays([*batch.columns, *(pa.array(column) for column in ids.T)], names=[*types, *keys[1:]])

    with_ids = known.mapInArrow(identify, ddl(types | dict.fromkeys(keys[1:], "bigint")))
    return with_ids.join(kept_classes(tuples, kernel, frozen.levels).select(*keys), keys, "left_semi")


def _rows(kept: DataFrame, kernel: Kernel, frozen: FrozenLevels, schema: StructType, tasks: int) -> DataFrame:
    """Kept rows as staging holds them; where noise has no names of rows, equal ones meet in one of `tasks`, to be counted."""

    def finish(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if batch.num_rows:
                yield from _finished(pa.Table.from_batches([batch]), kernel, frozen).to_batches()

    if not kernel.settings.noise or kernel.draws.named:
        return kept.mapInArrow(finish, schema)
    # A task's rows are together as they come; grouping them would sort every row to no end.
    together = of_all_batches(lambda table: _finished(table, kernel, frozen))
    return kept.repartition(tasks, *[F.col(f"`{name}`") for name in kept.columns]).mapInArrow(together, schema)


def _finished(table: pa.Table, kernel: Kernel, frozen: FrozenLevels) -> pa.Table:
    codes = kernel.codes(table)
    ids = frozen.ids(codes)
    first, classes = distinct_rows(ids)
    columns = {coding.name: frozen.shown(coding.name, codes[first, i]) for i, coding in enumerate(kernel.codings)}
    return kernel.rows(table, kernel.codings, Classified(classes.astype(np.int32), node_numbers(ids), columns))


def _trees(tuples: DataFrame, kernel: Kernel, frozen: FrozenLevels, schema: StructType) -> DataFrame:
    """One row per partition that has a released class."""
    ids = names(id_column, frozen.levels)

    def freeze(classes: pa.Table) -> pa.Table:
        kept = np.column_stack([classes[name].to_numpy() for name in ids])
        return kernel.tree_row(classes, published_levels(frozen, np.unique(kept, axis=0)).to_bytes())

    return kept_classes(tuples, kernel, frozen.levels).groupBy(PARTITION).applyInArrow(freeze, schema)

"""Fragments generalized by workers, also those that no worker takes whole.

A fragment is a giant when no cut parts it: most of its rows agree in every quasi-identifier, and often they are one
customer's. What decides about classes is which people hold which values, and that is little: one row per distinct
(quasi-identifiers, person, sensitive values) grows the giant's tree, and shares of its rows then get their classes from it.
"""

from dataclasses import replace
from functools import reduce

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from kveil.anonymize import fragments
from kveil.anonymize.arrow import of_all_batches
from kveil.anonymize.columns import TREE
from kveil.anonymize.fragments import FRAGMENT, Place
from kveil.anonymize.kernel import OUTSIDE, ROWS, Kernel
from kveil.privacy.frozen import FrozenPartition

_SHARE = "kveil_share"
_DISTINCT = "kveil_distinct"
_PARTS = 1 << 20


def by_fragments(rows: DataFrame, kernel: Kernel, schema: StructType) -> DataFrame:
    """Staging rows, trees among them, of clean rows (with the population's, if any); runs a job where there are giants."""
    cut, settings = kernel.fragments, kernel.settings
    numbered = cut.numbered(rows, kernel.codings)
    by = [*settings.partition_by, FRAGMENT]
    if not cut.giants and not cut.known and cut.all_cut and hasattr(DataFrame, "repartitionById"):
        # Every fragment is a task of its own: grouping would sort all rows first, to no end. Spark has this from 4.1 on.
        return numbered.repartitionById(cut.count, cut.place()).mapInArrow(of_all_batches(kernel.released), schema)
    if not cut.giants and not cut.known:
        return numbered.groupBy(*by).applyInArrow(kernel.function(), schema)
    trees = _known_trees(kernel)
    if cut.unknown_giants:
        grown = _trees(numbered.where(cut.is_unknown_giant()), kernel, schema)
        trees = pa.concat_tables([trees, grown.cast(trees.schema)])
    shared = numbered.withColumn(_SHARE, cut.share(rows.columns))
    knowing = replace(kernel, giants={**dict.fromkeys(cut.giants), **_by_place(trees, kernel)})
    made = shared.groupBy(*by, _SHARE).applyInArrow(knowing.function(), schema)
    return made.unionByName(rows.sparkSession.createDataFrame(trees, schema))


def _known_trees(kernel: Kernel) -> pa.Table:
    """The tree row of every fragment that keeps the classes of an earlier release."""
    tables = [kernel.schema.empty_table()]
    for (key, _), tree in kernel.fragments.known.items():
        values = {
            name: pa.array([value], pa.string()).cast(kernel.schema.field(name).type)
            for name, value in zip(kernel.settings.partition_by, key, strict=True)
        }
        tables.append(kernel.tree_row(pa.table(values or {TREE: pa.array([tree])}), tree))
    return pa.concat_tables(tables)


def _trees(giants: DataFrame, kernel: Kernel, schema: StructType) -> pa.Table:
    """The tree row of every giant that can be made safe; there are few giants, and a tree is as small as its classes are few."""
    stand_ins = _stand_ins(giants.where(F.col(kernel.person).isNotNull()), kernel)
    by = [*kernel.settings.partition_by, FRAGMENT]

    def tree_alone(table: pa.Table) -> pa.Table:
        return kernel.tree_alone(table)

    # Spark counts a bound method's arguments with self, and would hand over the group's key as well.
    return stand_ins.groupBy(*by).applyInArrow(tree_alone, schema).toArrow()


def _by_place(trees: pa.Table, kernel: Kernel) -> dict[Place, bytes | None]:
    """The frozen trees by their giants' partitions and numbers."""
    names = kernel.settings.partition_by
    keys = zip(*(trees[name].cast(pa.string()).to_pylist() for name in names), strict=True) if names else [()] * len(trees)
    found = zip(keys, trees[TREE].to_pylist(), strict=True)
    return {(tuple(key), FrozenPartition.from_bytes(tree).fragment): tree for key, tree in found}


def _stand_ins(giants: DataFrame, kernel: Kernel) -> DataFrame:
    """One row per distinct combination of what decides about classes, with the number of rows that it stands for.

    Where even these are too many, as of millions of people who agree in everything, those of some people do, and one more
    for every combination of quasi-identifiers, so that none is missing. More people never break k or distinct values; where
    the policy asks what more people could break, all stand in.
    """
    settings = kernel.settings
    place = [*settings.partition_by, FRAGMENT]
    outside = [OUTSIDE] if OUTSIDE in giants.columns else []
    label = [kernel.label] if settings.cuts == "label" and kernel.label not in settings.sensitive else []
    shown = [name for name in settings.quasi_identifiers if name not in settings.partition_by]
    held = [name for name in (kernel.person, *settings.sensitive, *outside, *label) if name not in (*place, *shown)]
    if any(reference.rule.asks_more for reference in kernel.references) or settings.population is not None:
        return giants.groupBy(*place, *shown, *held).agg(F.count(F.lit(1)).alias(ROWS))
    some = giants.where(_of_some_people(giants, place, [*shown, *held], kernel))
    each = giants.groupBy(*place, *shown).agg(F.min(F.struct(*held)).alias("kveil_held"))
    one = each.select(*place, *shown, *[F.col(f"kveil_held.{name}").alias(name) for name in held], F.lit(1).alias(ROWS))
    counted = some.groupBy(*place, *shown, *held).agg(F.count(F.lit(1)).alias(ROWS))
    return counted.unionByName(one)


def _of_some_people(giants: DataFrame, place: list[str], columns: list[str], kernel: Kernel) -> Column:
    """Whether a row belongs to the people, chosen by hash, that leave a worker as many stand-ins as it takes."""
    distinct = F.approx_count_distinct(F.xxhash64(*columns)).alias(_DISTINCT)
    counts = giants.groupBy(*place).agg(distinct).collect()
    part = F.pmod(F.xxhash64(F.col(kernel.person), F.lit("kveil")), F.lit(_PARTS))

    def chosen(row: dict[str, object]) -> Column:
        here = reduce(Column.__and__, [F.col(name).eqNullSafe(F.lit(row[name])) for name in place])
        return here & (part < int(_PARTS * min(1.0, fragments.ROWS_PER_FRAGMENT / max(int(str(row[_DISTINCT])), 1))))

    return reduce(Column.__or__, [chosen(row.asDict()) for row in counts], F.lit(False))

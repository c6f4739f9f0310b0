"""The classes of an earlier release, kept for the next one: rows that did not change stand in the classes they stood in."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import reduce

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.columns import TREE
from kveil.anonymize.compose.known import Known, shape_of
from kveil.anonymize.fragments import FRAGMENT, ROWS_PER_FRAGMENT, Fragments, Key, fragments
from kveil.anonymize.kernel import Kernel
from kveil.privacy.coding import Coding
from kveil.privacy.frozen import FrozenPartition
from kveil.privacy.tree import Tree
from kveil.settings import Policy

Trees = dict[Key, tuple[bytes, ...]]


def kept_trees(policy: Policy, known: Sequence[Known]) -> Trees:
    """The trees of the policy's latest release whose classes were asked to be the same; none where a class cannot be kept.

    Only trees can be kept: boxes overlap and levels are searched anew. What a class is asked to hold beside people and distinct
    values is compared with the whole table, which may have changed; then all classes are made anew.
    """
    settings = policy.anonymize
    compares = any(role.compares for role in settings.sensitive.values()) or settings.population is not None
    if settings.algorithm != "mondrian" or compares:
        return {}
    same = [each for each in known if each.policy == policy.name and each.shape == shape_of(policy)]
    return dict(same[0].trees) if same else {}


def trees_of(rows: pa.Table, partition_by: Sequence[str]) -> Trees:
    """The trees among staging's rows, by partition."""
    keys = zip(*(rows[name].cast(pa.string()).to_pylist() for name in partition_by), strict=True)
    found: dict[Key, list[bytes]] = {}
    for key, tree in zip(keys if partition_by else [()] * len(rows), rows[TREE].to_pylist(), strict=True):
        found.setdefault(tuple(key), []).append(tree)
    return {key: tuple(trees) for key, trees in found.items()}


def with_trees(kernel: Kernel, rows: DataFrame, trees: Trees) -> Kernel:
    """The kernel with fragments for all rows: partitions that have trees keep their classes, the others are cut as ever."""
    settings = kernel.settings
    cut = fragments(_of_others(rows, settings.partition_by, trees), settings, kernel.codings, kernel.person)
    return replace(kernel, fragments=_with_known(cut, rows, kernel, trees) if trees else cut)


def _of_others(rows: DataFrame, partition_by: Sequence[str], trees: Trees) -> DataFrame:
    """The rows of partitions that have no trees."""
    if not trees:
        return rows
    if not partition_by:
        return rows.limit(0)
    schema = ", ".join(f"`{name}` string" for name in partition_by)
    named = F.broadcast(rows.sparkSession.createDataFrame(list(trees), schema))
    same = [rows[name].cast("string").eqNullSafe(named[name]) for name in partition_by]
    return rows.join(named, reduce(Column.__and__, same), "left_anti")


def _with_known(cut: Fragments, rows: DataFrame, kernel: Kernel, trees: Trees) -> Fragments:
    tops: dict[Key, Tree] = {}
    codings: dict[Key, tuple[Coding, ...]] = {}
    known: dict[tuple[Key, int], bytes] = {}
    for key, parts in trees.items():
        for part in parts:
            partition = FrozenPartition.from_bytes(part)
            known[key, partition.fragment] = part
            if partition.top is not None:
                tops[key], codings[key] = partition.top, partition.top_codings
    both = replace(cut, trees={**cut.trees, **tops}, codings={**cut.codings, **codings}, all_cut=False, known=known)
    return replace(both, giants={**cut.giants, **_sizes(both.numbered(rows, kernel.codings), cut.partition_by, known)})


def _sizes(numbered: DataFrame, partition_by: Iterable[str], known: dict[tuple[Key, int], bytes]) -> dict[tuple[Key, int], int]:
    """How many rows the known fragments hold that are larger than a worker takes at once."""
    by = [F.col(name).cast("string").alias(name) for name in partition_by]
    large = numbered.groupBy(*by, FRAGMENT).count().where(F.col("count") > 3 * ROWS_PER_FRAGMENT // 2).collect()
    found = {(tuple(row[name] for name in partition_by), row[FRAGMENT]): int(row["count"]) for row in large}
    return {place: rows for place, rows in found.items() if place in known}

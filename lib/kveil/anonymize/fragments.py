"""Large partitions cut into fragments that fit a worker, each safely above the model, by a tree grown on a sample."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.arrow import codes_of, numbered
from kveil.anonymize.hierarchies import number_of
from kveil.privacy.coding import NULL, Coding
from kveil.privacy.models import Model, SensitiveRule
from kveil.privacy.mondrian import partition
from kveil.privacy.space import Fragment
from kveil.privacy.tree import LEAF, Tree
from kveil.settings.anonymize import Anonymize

FRAGMENT = "kveil_fragment"
ROWS_PER_FRAGMENT = 250_000
"""What one worker takes at once: some hundred megabytes as Arrow, classes and labels."""
SAMPLED_PER_FRAGMENT = 2_000
_SAFELY = 4
"""A fragment's sample alone holds so many times the people and values that the model asks for."""

Key = tuple[str, ...]


@dataclass(frozen=True)
class Fragments:
    """Per large partition (its values as texts, in the order of `partition_by`) the tree whose leaves are its fragments."""

    partition_by: tuple[str, ...] = ()
    trees: Mapping[Key, Tree] = field(default_factory=dict)

    def number(self, codings: tuple[Coding, ...]) -> Column:
        """The fragment of a clean row, 0 in partitions that are not cut."""
        number = F.lit(0)
        for key, tree in self.trees.items():
            here = F.lit(True)
            for name, value in zip(self.partition_by, key, strict=True):
                here &= F.col(name).cast("string").eqNullSafe(F.lit(value))
            number = F.when(here, _leaf(tree, codings, 0)).otherwise(number)
        return number

    def tree(self, key: Key) -> Tree | None:
        """The tree that cuts a partition, or None where it is one fragment."""
        return self.trees.get(key)


def fragments(clean: DataFrame, settings: Anonymize, codings: tuple[Coding, ...], person: str) -> Fragments:
    """How to cut the partitions that are too large; by a sample whose size is a fixed share of a fragment's."""
    by = [F.col(name).cast("string").alias(name) for name in settings.partition_by]
    large = clean.groupBy(*by).count().where(F.col("count") > 3 * ROWS_PER_FRAGMENT // 2).collect()
    if not large or not any(map(_in_sql, codings)):
        return Fragments(tuple(settings.partition_by))
    rows = clean.where(F.col(person).isNotNull())
    sample = rows.sample(SAMPLED_PER_FRAGMENT / ROWS_PER_FRAGMENT, seed=0).toArrow()
    keys = [tuple(row[name] for name in settings.partition_by) for row in large]
    grown = {key: _tree(_of_partition(sample, settings, key), settings, codings, person) for key in keys}
    return Fragments(tuple(settings.partition_by), {key: tree for key, tree in grown.items() if tree is not None})


def _of_partition(sample: pa.Table, settings: Anonymize, key: Key) -> pa.Table:
    for name, value in zip(settings.partition_by, key, strict=True):
        texts = pa.compute.cast(sample[name], pa.string())
        sample = sample.filter(pa.compute.is_null(texts) if value is None else pa.compute.equal(texts, value))
    return sample


def _tree(sample: pa.Table, settings: Anonymize, codings: tuple[Coding, ...], person: str) -> Tree | None:
    """Cuts at medians of the widest columns down to a fragment's rows; people and sensitive values are kept like diversity."""
    if sample.num_rows < 2 * SAMPLED_PER_FRAGMENT:
        return None
    # A column that SQL cannot test is held constant, so that it is never cut here.
    codes = np.column_stack(
        [codes_of(sample[each.name], each) if _in_sql(each) else np.zeros(sample.num_rows, np.int64) for each in codings]
    )
    kept = [numbered(sample[person]), *(numbered(sample[name]) for name in settings.sensitive)]
    least = [settings.k, *(role.distinct for role in settings.sensitive.values())]
    fragment = Fragment(
        codes,
        np.arange(sample.num_rows),
        np.column_stack(kept),
        tuple(each.is_set for each in codings),
        tuple(each.span for each in codings),
    )
    # `least` of a sensitive column cannot exceed what the column holds, so asking for more would forbid every cut.
    rules = tuple(
        SensitiveRule(min(_SAFELY * need, max(need, len(np.unique(of)) // 2))) for need, of in zip(least, kept, strict=True)
    )
    found = partition(fragment, Model(SAMPLED_PER_FRAGMENT, rules))
    return found[1] if found is not None and found[1].classes > 1 else None


def _in_sql(coding: Coding) -> bool:
    return coding.kind != "taxonomy"


def _leaf(tree: Tree, codings: tuple[Coding, ...], node: int) -> Column:
    """The leaf that a row reaches from a node, as an expression over its columns."""
    if tree.dimension[node] == LEAF:
        return F.lit(int(tree.leaf[node]))
    coding = codings[tree.dimension[node]]
    members = tree.member_code[tree.member_node == node]
    left = _is_member(coding, members) if members.size else _at_most(coding, int(tree.threshold[node]))
    return F.when(left, _leaf(tree, codings, tree.left[node])).otherwise(_leaf(tree, codings, tree.right[node]))


def _at_most(coding: Coding, threshold: int) -> Column:
    """Whether the code is at most the threshold; null is the lowest code."""
    column = F.col(coding.name)
    if coding.kind == "ordered":
        below = column.isin(list(coding.values[: threshold + 1])) if threshold >= 0 else F.lit(False)
    else:
        cell = F.floor(number_of(column) / coding.step) if coding.kind == "number" else F.unix_date(column)
        below = cell <= threshold
    return F.coalesce(below, F.lit(True))


def _is_member(coding: Coding, members: np.ndarray) -> Column:
    known = [coding.values[code] for code in members.tolist() if code >= 0]
    return F.coalesce(F.col(coding.name).isin(known), F.lit(bool((members == NULL).any())))

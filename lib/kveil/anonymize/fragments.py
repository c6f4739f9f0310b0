"""Large partitions cut into fragments that fit a worker, each safely above the model, by a tree grown on a sample."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.arrow import codes_of, numbered
from kveil.anonymize.tree_sql import leaf
from kveil.privacy.coding import Coding
from kveil.privacy.models import Model, SensitiveRule
from kveil.privacy.mondrian import partition
from kveil.privacy.space import Fragment
from kveil.privacy.tree import ONE_LEAF, Tree
from kveil.settings.anonymize import Anonymize

FRAGMENT = "kveil_fragment"
ROWS_PER_FRAGMENT = 250_000
"""What one worker takes at once: some hundred megabytes as Arrow, classes and labels."""
SAMPLED_PER_FRAGMENT = 2_000
_SAFELY = 4
"""A fragment's sample alone holds so many times the people and values that the model asks for."""
_GIANT = 3
"""A fragment of more than so many times ROWS_PER_FRAGMENT is a giant: cuts halve, so one that could be cut is smaller."""

I64 = NDArray[np.int64]
Key = tuple[str, ...]


Place = tuple[Key, int]
"""A partition and the number of a fragment in it."""


@dataclass(frozen=True)
class Fragments:
    """Per large partition (its values as texts, in the order of `partition_by`) the tree whose leaves are its fragments, and
    about how many rows the fragments hold that are larger than a worker takes, since no cut parts them. `all_cut` says that
    every partition has a tree.
    """

    partition_by: tuple[str, ...] = ()
    trees: Mapping[Key, Tree] = field(default_factory=dict)
    giants: Mapping[Place, int] = field(default_factory=dict)
    all_cut: bool = False

    @property
    def count(self) -> int:
        """How many fragments the partitions that are cut have together."""
        return sum(tree.classes for tree in self.trees.values())

    def place(self) -> Column:
        """Which of all fragments a row that has its fragment's number lies in, where every partition is cut; it lies in one."""
        place, before = F.lit(0), 0
        for key, tree in self.trees.items():
            place = F.when(self._in_partition(key), F.lit(before) + F.col(FRAGMENT)).otherwise(place)
            before += tree.classes
        return place.cast("int")

    def number(self, codings: tuple[Coding, ...]) -> Column:
        """The fragment of a clean row, 0 in partitions that are not cut."""
        number = F.lit(0)
        for key, tree in self.trees.items():
            number = F.when(self._in_partition(key), leaf(tree, codings)).otherwise(number)
        return number

    def is_giant(self) -> Column:
        """Whether a row that has its fragment's number lies in a giant."""
        giant = F.lit(False)
        for place in self.giants:
            giant |= self._at(place)
        return giant

    def share(self, columns: list[str]) -> Column:
        """Which of the shares that workers take of its giant a row belongs to, equal rows to the same; elsewhere 0."""
        number = F.lit(0).cast("bigint")
        for place, rows in self.giants.items():
            shares = F.lit(-(-rows // ROWS_PER_FRAGMENT))
            number = F.when(self._at(place), F.pmod(F.xxhash64(*columns), shares)).otherwise(number)
        return number

    def _at(self, place: Place) -> Column:
        key, number = place
        return self._in_partition(key) & (F.col(FRAGMENT) == number)

    def _in_partition(self, key: Key) -> Column:
        here = F.lit(True)
        for name, value in zip(self.partition_by, key, strict=True):
            here &= F.col(name).cast("string").eqNullSafe(F.lit(value))
        return here

    def tree(self, key: Key) -> Tree | None:
        """The tree that cuts a partition, or None where it is one fragment."""
        return self.trees.get(key)


def fragments(clean: DataFrame, settings: Anonymize, codings: tuple[Coding, ...], person: str) -> Fragments:
    """How to cut the partitions that are too large; by a sample whose size is a fixed share of a fragment's."""
    by = [F.col(name).cast("string").alias(name) for name in settings.partition_by]
    is_large = F.col("count") > 3 * ROWS_PER_FRAGMENT // 2
    sizes = clean.groupBy(*by).count()
    found = sizes.agg(
        F.count(F.lit(1)).alias("partitions"), F.collect_list(F.when(is_large, F.struct("count", *by))).alias("large")
    )
    partitions, large = found.collect()[0]
    if not large:
        return Fragments(tuple(settings.partition_by))
    rows = clean.where(F.col(person).isNotNull())
    sample = rows.sample(SAMPLED_PER_FRAGMENT / ROWS_PER_FRAGMENT, seed=0).toArrow()
    trees: dict[Key, Tree] = {}
    giants: dict[Place, int] = {}
    for key in (tuple(row[name] for name in settings.partition_by) for row in large):
        tree, sampled = _grown(_of_partition(sample, settings, key), settings, codings, person)
        if tree.classes > 1:
            trees[key] = tree
        for number in np.flatnonzero(sampled > _GIANT * SAMPLED_PER_FRAGMENT).tolist():
            giants[key, number] = int(sampled[number]) * ROWS_PER_FRAGMENT // SAMPLED_PER_FRAGMENT
    return Fragments(tuple(settings.partition_by), trees, giants, all_cut=len(trees) == partitions)


def _of_partition(sample: pa.Table, settings: Anonymize, key: Key) -> pa.Table:
    for name, value in zip(settings.partition_by, key, strict=True):
        texts = pa.compute.cast(sample[name], pa.string())
        sample = sample.filter(pa.compute.is_null(texts) if value is None else pa.compute.equal(texts, value))
    return sample


def _grown(sample: pa.Table, settings: Anonymize, codings: tuple[Coding, ...], person: str) -> tuple[Tree, I64]:
    """Cuts at medians of the widest columns down to a fragment's rows, and the sampled rows of each fragment.

    People and sensitive values are kept as in diversity.
    """
    if sample.num_rows < 2 * SAMPLED_PER_FRAGMENT:
        return ONE_LEAF, np.array([sample.num_rows])
    kept = [numbered(sample[person]), *(numbered(sample[name]) for name in settings.sensitive)]
    least = [settings.k, *(role.distinct for role in settings.sensitive.values())]
    fragment = Fragment(
        np.column_stack([codes_of(sample[each.name], each) for each in codings]),
        np.arange(sample.num_rows),
        np.column_stack(kept),
        tuple(each.is_set for each in codings),
        tuple(each.span for each in codings),
        tuple(each.taxonomy for each in codings),
    )
    # `least` of a sensitive column cannot exceed what the column holds, so asking for more would forbid every cut.
    rules = tuple(
        SensitiveRule(min(_SAFELY * need, max(need, len(np.unique(of)) // 2))) for need, of in zip(least, kept, strict=True)
    )
    found = partition(fragment, Model(SAMPLED_PER_FRAGMENT, rules))
    if found is None:
        return ONE_LEAF, np.array([sample.num_rows])
    return found[1], np.bincount(found[0], minlength=found[1].classes)

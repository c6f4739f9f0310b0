"""Large partitions cut into fragments that fit a worker, each safely above the model, by a tree grown on a sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.arrow import codes_of, numbered
from kveil.anonymize.tree_sql import leaf, with_cells, without_cells
from kveil.privacy.coding import Coding
from kveil.privacy.models import Model, SensitiveRule
from kveil.privacy.mondrian import partition
from kveil.privacy.own_values import own_column
from kveil.privacy.space import Fragment
from kveil.privacy.tree import ONE_LEAF, Tree
from kveil.settings.anonymize import Anonymize

FRAGMENT = "kveil_fragment"
ROWS_PER_FRAGMENT = 250_000
"""What one worker takes at once: some hundred megabytes as Arrow, classes and labels."""
SAMPLED_PER_FRAGMENT = 2_000
MOST_SAMPLED = 2_000_000
"""Sampled rows of all partitions together, which the driver holds at once; some hundred megabytes."""
_LEAST_SAMPLED = 50
"""Sampled rows that tell a fragment's size to a seventh."""
_SAFELY = 4
"""A full sample of a fragment alone holds so many times the people and values that the model asks for."""
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
    every partition has a tree. A tree's codes are those of the partition's own `codings`, which go into the generalizer. `known`
    holds the frozen trees of fragments that keep the classes of an earlier release.
    """

    partition_by: tuple[str, ...] = ()
    trees: Mapping[Key, Tree] = field(default_factory=dict)
    codings: Mapping[Key, tuple[Coding, ...]] = field(default_factory=dict)
    giants: Mapping[Place, int] = field(default_factory=dict)
    all_cut: bool = False
    known: Mapping[Place, bytes] = field(default_factory=dict)

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

    def numbered(self, rows: DataFrame, codings: tuple[Coding, ...]) -> DataFrame:
        """Clean rows with their FRAGMENT, 0 in partitions that are not cut."""
        number = F.lit(0)
        for key, tree in self.trees.items():
            number = F.when(self._in_partition(key), leaf(tree, self.codings[key], codings)).otherwise(number)
        return without_cells(with_cells(rows, codings).withColumn(FRAGMENT, number), codings)

    @property
    def unknown_giants(self) -> list[Place]:
        """The giants whose trees are still to be grown."""
        return [place for place in self.giants if place not in self.known]

    def is_unknown_giant(self) -> Column:
        """Whether a row that has its fragment's number lies in a giant whose tree is still to be grown."""
        giant = F.lit(False)
        for place in self.unknown_giants:
            giant |= self._at(place)
        return giant

    def share(self, columns: list[str]) -> Column:
        """Which of the shares that workers take of its giant a row belongs to, equal rows to the same; elsewhere 0."""
        number = F.lit(0).cast("bigint")
        for place, rows in self.giants.items():
            shares = F.lit(max(-(-rows // ROWS_PER_FRAGMENT), 1))
            number = F.when(self._at(place), F.pmod(F.xxhash64(*columns), shares)).otherwise(number)
        return number

    def _at(self, place: Place) -> Column:
        key, number = place
        return self._in_partition(key) & (F.col(FRAGMENT) == number)

    def _in_partition(self, key: Key) -> Column:
        return _is_partition(self.partition_by, key)

    def codings_of(self, key: Key) -> tuple[Coding, ...]:
        """How the tree that cuts a partition codes a row."""
        return self.codings[key]

    def tree(self, key: Key) -> Tree | None:
        """The tree that cuts a partition, or None where it is one fragment."""
        return self.trees.get(key)


@dataclass(frozen=True)
class Sampling:
    """How a table is sampled: `per_fragment` of every ROWS_PER_FRAGMENT rows."""

    per_fragment: int

    @classmethod
    def of(cls, rows: int, settings: Anonymize) -> "Sampling":
        """For so many rows together: at most MOST_SAMPLED of them, as long as a fragment's share can show that it is safe."""
        fitting = MOST_SAMPLED * ROWS_PER_FRAGMENT // max(rows, 1)
        return cls(min(SAMPLED_PER_FRAGMENT, max(fitting, _LEAST_SAMPLED, 2 * max(_needs(settings)))))

    @property
    def share(self) -> float:
        """The share of rows that is taken."""
        return self.per_fragment / ROWS_PER_FRAGMENT

    def rows(self, sampled: int) -> int:
        """About how many rows stand behind so many sampled ones."""
        return sampled * ROWS_PER_FRAGMENT // self.per_fragment

    def safely(self, need: int) -> int:
        """What a fragment's sample must hold where the model asks for `need`: what a smaller sample still can, never less."""
        return max(need, _SAFELY * need * self.per_fragment // SAMPLED_PER_FRAGMENT)


def _needs(settings: Anonymize) -> list[int]:
    """How many people a class must hold, and how many values of each sensitive column."""
    return [settings.k, *(role.distinct for role in settings.sensitive.values())]


def fragments(clean: DataFrame, settings: Anonymize, codings: tuple[Coding, ...], person: str) -> Fragments:
    """How to cut the partitions that are too large, by a sample of them that is bounded however large they are."""
    by = [F.col(name).cast("string").alias(name) for name in settings.partition_by]
    is_large = F.col("count") > 3 * ROWS_PER_FRAGMENT // 2
    sizes = clean.groupBy(*by).count()
    found = sizes.agg(
        F.count(F.lit(1)).alias("partitions"), F.collect_list(F.when(is_large, F.struct("count", *by))).alias("large")
    )
    partitions, large = found.collect()[0]
    if not large:
        return Fragments(tuple(settings.partition_by))
    keys = [tuple(row[name] for name in settings.partition_by) for row in large]
    sampling = Sampling.of(sum(row["count"] for row in large), settings)
    here = reduce(Column.__or__, [_is_partition(settings.partition_by, key) for key in keys])
    sample = _sample(clean.where(here), settings, person, sampling)
    trees: dict[Key, Tree] = {}
    giants: dict[Place, int] = {}
    own: dict[Key, tuple[Coding, ...]] = {}
    for key in keys:
        tree, sampled, made = _grown(_of_partition(sample, settings, key), settings, codings, sampling)
        if tree.classes > 1:
            trees[key], own[key] = tree, made
        for number in np.flatnonzero(sampled > _GIANT * sampling.per_fragment).tolist():
            giants[key, number] = sampling.rows(int(sampled[number]))
    return Fragments(tuple(settings.partition_by), trees, own, giants, all_cut=len(trees) == partitions)


def _sample(rows: DataFrame, settings: Anonymize, person: str, sampling: Sampling) -> pa.Table:
    """Sampled rows that have a person: partition, quasi-identifiers, and numbers that tell people and values apart."""
    names = dict.fromkeys([*settings.partition_by, *settings.quasi_identifiers])
    # By their hashes, since texts may be long; two that share one count once, so that a fragment is the safer for it.
    kept = [F.xxhash64(F.col(f"`{name}`")).alias(_kept(i)) for i, name in enumerate([person, *settings.sensitive])]
    known = rows.where(F.col(f"`{person}`").isNotNull()).select(*[F.col(f"`{name}`") for name in names], *kept)
    return known.sample(sampling.share, seed=0).toArrow()


def _kept(i: int) -> str:
    return f"kveil_kept_{i}"


def _is_partition(partition_by: Sequence[str], key: Key) -> Column:
    here = F.lit(True)
    for name, value in zip(partition_by, key, strict=True):
        here &= F.col(name).cast("string").eqNullSafe(F.lit(value))
    return here


def _of_partition(sample: pa.Table, settings: Anonymize, key: Key) -> pa.Table:
    for name, value in zip(settings.partition_by, key, strict=True):
        texts = pa.compute.cast(sample[name], pa.string())
        sample = sample.filter(pa.compute.is_null(texts) if value is None else pa.compute.equal(texts, value))
    return sample


def _grown(
    sample: pa.Table, settings: Anonymize, codings: tuple[Coding, ...], sampling: Sampling
) -> tuple[Tree, I64, tuple[Coding, ...]]:
    """Cuts at medians of the widest columns down to a fragment's rows, the sampled rows of each fragment, and the partition's
    own codings, whose cells k sampled people hold each.

    People and sensitive values are kept as in diversity.
    """
    if sample.num_rows < 2 * sampling.per_fragment:
        return ONE_LEAF, np.array([sample.num_rows]), codings
    least = _needs(settings)
    kept = [numbered(sample[_kept(i)]) for i in range(len(least))]
    own = [own_column(each, codes_of(sample[each.name], each), kept[0], settings.k) for each in codings]
    fragment = Fragment(
        np.column_stack([each.codes for each in own]),
        np.arange(sample.num_rows),
        np.column_stack(kept),
        tuple(each.is_set for each in codings),
        tuple(each.span for each in own),
        tuple(each.coding.taxonomy for each in own),
    )
    # `least` of a sensitive column cannot exceed what the column holds, so asking for more would forbid every cut.
    rules = tuple(
        SensitiveRule(min(sampling.safely(need), max(need, len(np.unique(of)) // 2)))
        for need, of in zip(least, kept, strict=True)
    )
    found = partition(fragment, Model(sampling.per_fragment, rules))
    made = tuple(each.coding for each in own)
    if found is None:
        return ONE_LEAF, np.array([sample.num_rows]), made
    return found[1], np.bincount(found[0], minlength=found[1].classes), made

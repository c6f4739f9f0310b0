"""Hierarchies that the data makes: categories clustered by how they stand in the clean table."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.errors import ContractError
from kveil.privacy.clustering import by_frequency, by_similarity, groups
from kveil.privacy.labels import of_set
from kveil.settings.hierarchies import ROOT, Clusters

MOST_CLUSTERED = 1_000
MOST_IN_PROFILE = 100


class People(NamedTuple):
    """The clean table, the column that names its people, and how many of them make a value common."""

    clean: DataFrame
    person: str
    k: int


def held_by_many(text: Column, people: People) -> list[str]:
    """The texts that k people hold, sorted; at most as many as are held at all."""
    held = people.clean.where(text.isNotNull()).groupBy(text.alias("value"))
    many = held.agg(F.count_distinct(F.col(f"`{people.person}`")).alias("people")).where(F.col("people") >= people.k)
    return sorted(row["value"] for row in many.select("value").collect())


def clustered(
    name: str, clusters: Clusters, values: Sequence[str], clean: DataFrame, found: Mapping[str, Any]
) -> Iterator[tuple[str, ...]]:
    """Leaf-first paths of the categories through the groups they fall into, which are named as sets.

    `found` holds, as NAME.values, the distinct values of all quasi-identifiers that have them.
    """
    if len(values) > MOST_CLUSTERED:
        raise ContractError(
            f"hierarchy.clusters: found {len(values):,} categories where {MOST_CLUSTERED:,} can be clustered; give a file or tree"
        )
    if len(values) < 2:
        yield from ((value, ROOT) for value in values)
        return
    if clusters.by == "frequency":
        merges = by_frequency(_counts(clean, name, values))
    else:
        merges = by_similarity(_profiles(clean, name, values, _companions(name, found)), _counts(clean, name, values))
    levels = [left for left in clusters.levels or _halves(len(values)) if left < len(values)]
    at_levels = [_group_names(groups(merges, left), values) for left in levels]
    yield from ((value, *(names[i] for names in at_levels), ROOT) for i, value in enumerate(values))


def _halves(count: int) -> list[int]:
    halves = []
    while (count := (count + 1) // 2) >= 2:
        halves.append(count)
    return halves


def _group_names(group: np.ndarray[Any, np.dtype[np.int64]], values: Sequence[str]) -> list[str]:
    held: dict[int, list[str]] = {}
    for number, value in zip(group.tolist(), values, strict=True):
        held.setdefault(number, []).append(value)
    names = {number: of_set(sorted(members), len(values) + 1, False) for number, members in held.items()}
    return [names[number] or "" for number in group.tolist()]


def _companions(name: str, found: Mapping[str, Any]) -> list[str]:
    """The other text columns with few enough values to make a profile of."""
    suffix = ".values"
    others = [key.removesuffix(suffix) for key in found if key.endswith(suffix) and key != name + suffix]
    few = [other for other in others if 2 <= len(found[other + suffix]) <= MOST_IN_PROFILE]
    if not few:
        raise ContractError(
            f"hierarchy.clusters.by: similarity needs another category of 2 to {MOST_IN_PROFILE} values; use frequency"
        )
    return few


def _counts(clean: DataFrame, name: str, values: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Rows per category, at most MOST_CLUSTERED."""
    text = F.col(f"`{name}`").cast("string")
    rows = clean.where(text.isNotNull()).groupBy(text.alias("value")).agg(F.count(F.lit(1)).alias("rows")).collect()
    counts = {row["value"]: float(row["rows"]) for row in rows}
    return np.array([counts[value] for value in values])


def _profiles(clean: DataFrame, name: str, values: Sequence[str], others: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Per category the share of its rows that each value of each other column has."""
    text = F.col(f"`{name}`").cast("string").alias("value")
    pairs = F.explode(F.array(*[F.struct(F.lit(o).alias("name"), F.col(f"`{o}`").cast("string").alias("text")) for o in others]))
    counted = clean.where(F.col(f"`{name}`").isNotNull()).select(text, pairs.alias("other")).groupBy("value", "other").count()
    row_of = {value: i for i, value in enumerate(values)}
    rows = [row for row in counted.collect() if row["value"] in row_of]
    column_of: dict[tuple[str, str | None], int] = {}
    for row in rows:
        column_of.setdefault((row["other"]["name"], row["other"]["text"]), len(column_of))
    profiles = np.zeros((len(values), len(column_of)))
    for row in rows:
        profiles[row_of[row["value"]], column_of[row["other"]["name"], row["other"]["text"]]] = row["count"]
    return profiles / profiles.sum(axis=1, keepdims=True)

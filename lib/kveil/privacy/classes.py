"""What each equivalence class shows of a column: label, bounds and a representative counted over people."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kveil.privacy import labels
from kveil.privacy.coding import NULL, Coding
from kveil.privacy.taxonomy import Taxonomy

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
Part = Literal["label", "bounds", "representative"]
PARTS: tuple[Part, ...] = ("label", "bounds", "representative")


@dataclass(frozen=True)
class Membership:
    """Which person stands in which class: each row's class and person number, both from 0, and how many rows a row stands
    for.
    """

    class_of_row: I32
    people: I64
    weight_of_row: F64 | None = None

    @cached_property
    def classes(self) -> int:
        """How many classes."""
        return int(self.class_of_row.max()) + 1

    @property
    def pair_of_row(self) -> I64:
        """Each row's pair of class and person."""
        return self._pairs[1]

    @property
    def class_of_pair(self) -> I64:
        """Each pair's class."""
        return self._pairs[0]

    @cached_property
    def _pairs(self) -> tuple[I64, I64]:
        # Only representatives are counted over pairs; sorting all rows for them is left out where none is shown.
        width = int(self.people.max()) + 1
        keys, pair_of_row = np.unique(self.class_of_row.astype(np.int64) * width + self.people, return_inverse=True)
        return keys // width, pair_of_row


@dataclass(frozen=True)
class Shown:
    """Per class: the label, the lowest and highest number or day without null (NULL where a class has nulls alone), and the
    representative: mean over people (number, date; NaN where null) or the code that most people hold (text).

    In a hierarchy label and bounds are those of the smallest node that covers the class. What was not asked for is null.
    """

    labels: list[str | None]
    lowest: I64
    highest: I64
    representative: F64 | I64


def shown(coding: Coding, codes: I64, membership: Membership, parts: Collection[Part] = PARTS) -> Shown:
    """What the classes show of one column of codes [n]: the parts that are asked for."""
    classes = membership.classes
    nothing = np.full(classes, NULL)
    texts: list[str | None] = [None] * classes
    lowest, highest = nothing, nothing
    if "label" in parts or "bounds" in parts:
        texts, lowest, highest = _covered(coding, codes, membership, "label" in parts)
    representative: F64 | I64 = nothing if coding.is_text else np.full(classes, np.nan)
    if "representative" in parts:
        representative = _mode(codes, membership) if coding.is_text else _mean(codes, membership, coding)
    return Shown(texts, coding.lower(lowest), coding.upper(highest), representative)


def _covered(coding: Coding, codes: I64, membership: Membership, labelled: bool) -> tuple[list[str | None], I64, I64]:
    """Labels, and the lowest and highest codes."""
    has_null = np.zeros(membership.classes, dtype=bool)
    has_null[membership.class_of_row[codes == NULL]] = True
    lowest, highest = _extremes(codes, membership)
    if coding.taxonomy is not None:
        return _of_nodes(coding, coding.taxonomy, lowest, highest, has_null)
    if not labelled:
        return [None] * membership.classes, lowest, highest
    if coding.is_set:
        return _set_labels(coding, codes, membership, has_null), lowest, highest
    return _range_labels(coding, lowest, highest, has_null), lowest, highest


def _extremes(codes: I64, membership: Membership) -> tuple[I64, I64]:
    known = codes != NULL
    classes, values = membership.class_of_row[known], codes[known]
    lowest = np.full(membership.classes, np.iinfo(np.int64).max)
    highest = np.full(membership.classes, NULL)
    np.minimum.at(lowest, classes, values)
    np.maximum.at(highest, classes, values)
    return np.where(highest == NULL, NULL, lowest), highest


def _of_nodes(
    coding: Coding, taxonomy: Taxonomy, lowest: I64, highest: I64, has_null: NDArray[np.bool_]
) -> tuple[list[str | None], I64, I64]:
    """Per class the name, first and last leaf of the smallest node that covers it."""
    known = highest != NULL
    low, high = np.where(known, lowest, 0), np.where(known, highest, 0)
    nodes = taxonomy.lowest_common(low, high)
    texts = [
        labels.of_node(taxonomy.names[node], null) if holds else None
        for node, holds, null in zip(nodes.tolist(), known.tolist(), has_null.tolist(), strict=True)
    ]
    first, last = taxonomy.first[nodes], taxonomy.last[nodes]
    if not coding.is_text and taxonomy.levels > 2:
        # The root covers all that the table holds, also what this class does not: it shows the coarsest units it lies in.
        top, is_root = taxonomy.ancestor_at(taxonomy.levels - 2), nodes == 0
        first = np.where(is_root, taxonomy.first[top[low]], first)
        last = np.where(is_root, taxonomy.last[top[high]], last)
    return texts, np.where(known, first, NULL), np.where(known, last, NULL)


def _set_labels(coding: Coding, codes: I64, membership: Membership, has_null: NDArray[np.bool_]) -> list[str | None]:
    known = codes != NULL
    domain = len(coding.values)
    keys = _sorted_distinct(membership.class_of_row[known].astype(np.int64) * domain + codes[known])
    starts = np.searchsorted(keys, np.arange(membership.classes + 1) * domain).tolist()
    # Members are listed in the order of their texts, whatever their codes; those without a name come last.
    place = np.empty(domain, dtype=np.int64)
    place[np.argsort(np.array(coding.values))] = np.arange(domain)
    if labels.OTHERS in coding.values:
        place[coding.values.index(labels.OTHERS)] = domain
    codes_held = (keys % max(domain, 1)).tolist()
    made: dict[tuple[tuple[int, ...], bool], str | None] = {}
    texts = []
    for (a, b), null in zip(pairwise(starts), has_null.tolist(), strict=True):
        held = tuple(codes_held[a:b]), null
        if held not in made:
            made[held] = labels.of_set([coding.values[code] for code in sorted(held[0], key=place.__getitem__)], domain, null)
        texts.append(made[held])
    return texts


def _range_labels(coding: Coding, lowest: I64, highest: I64, has_null: NDArray[np.bool_]) -> list[str | None]:
    known = highest != NULL
    # How far numbers and days reach is told by none but their own range.
    whole = (coding.kind == "ordered") & (lowest == coding.lowest) & (highest == coding.highest)
    start_of = {code: coding.text(code) for code in np.unique(lowest[known]).tolist()}
    end_of = {code: coding.text_of_end(code) for code in np.unique(highest[known]).tolist()}
    ends = zip(lowest.tolist(), highest.tolist(), whole.tolist(), has_null.tolist(), strict=True)
    return [None if high == NULL else labels.of_range(start_of[low], end_of[high], all_, null) for low, high, all_, null in ends]


def _sorted_distinct(keys: I64) -> I64:
    """Like np.unique; on millions of keys that are mostly distinct, sorting takes a third of the time of its hashing."""
    keys = np.sort(keys)
    return keys[np.concatenate([[True], keys[1:] != keys[:-1]])] if len(keys) else keys


def _mean(codes: I64, membership: Membership, coding: Coding) -> F64:
    """Mean over people of each person's mean, in the column's units (cell middles), so that no frequent buyer dominates."""
    known = codes != NULL
    pairs = membership.pair_of_row[known]
    middles = coding.middle(codes[known])
    size = len(membership.class_of_pair)
    weights = np.ones(len(pairs)) if membership.weight_of_row is None else membership.weight_of_row[known]
    rows = np.bincount(pairs, weights=weights, minlength=size)
    sums = np.bincount(pairs, weights=weights * middles, minlength=size)
    held = rows > 0
    classes = membership.class_of_pair[held]
    people = np.bincount(classes, minlength=membership.classes)
    total = np.bincount(classes, weights=sums[held] / rows[held], minlength=membership.classes)
    return np.divide(total, people, out=np.full(membership.classes, np.nan), where=people > 0)


def _mode(codes: I64, membership: Membership) -> I64:
    """The code (or NULL) that most people of the class hold; the smallest of equals."""
    values, index = np.unique(codes, return_inverse=True)
    width = len(values)
    held = _sorted_distinct(membership.pair_of_row * width + index)
    class_and_value = membership.class_of_pair[held // width] * width + held % width
    keys, people = np.unique(class_and_value, return_counts=True)
    best = np.lexsort((keys, -people, keys // width))
    first = np.unique(keys[best] // width, return_index=True)[1]
    return values[keys[best][first] % width]

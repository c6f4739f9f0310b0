"""Full-domain generalization: one level per column for the whole table, and what each value then shows.

A column with a hierarchy has its levels; any other has two: the value and the whole domain. Null is a value of its own
on every level but the top, which is the whole domain with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kveil.privacy import labels
from kveil.privacy.classes import Shown
from kveil.privacy.coding import NULL, Coding

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]


def height(coding: Coding) -> int:
    """How many levels a column has."""
    return coding.taxonomy.levels if coding.taxonomy else 2


def generalized(coding: Coding, codes: I64, level: int) -> I64:
    """The id of each code's generalized value: its node, or the code itself at level 0 of a column without a hierarchy.

    0 on the top level for every code; NULL and -1 (unlisted) stay themselves below it.
    """
    if level == height(coding) - 1:
        return np.zeros(len(codes), dtype=np.int64)
    if coding.taxonomy is None:
        return codes
    return np.where(codes >= 0, coding.taxonomy.ancestor_at(level)[np.maximum(codes, 0)], codes).astype(np.int64)


def penalty(coding: Coding, codes: I64, level: int) -> F64:
    """Each code's normalized certainty penalty at a level: (leaves of its node - 1) / (all leaves - 1)."""
    if level == height(coding) - 1:
        several = coding.highest > coding.lowest
        return np.full(len(codes), float(several))
    if coding.taxonomy is None or coding.taxonomy.leaves == 1:
        return np.zeros(len(codes))
    leaves = coding.taxonomy.sizes[coding.taxonomy.ancestor_at(level)]
    share = (leaves - 1) / (coding.taxonomy.leaves - 1)
    return np.where(codes >= 0, share[np.maximum(codes, 0)], 0.0)


@dataclass(frozen=True)
class FrozenLevels:
    """A level per column with what each generalized value shows.

    `representatives` holds, per column above level 0, one value per node (per column without a hierarchy one value):
    a rounded mean over people, or the code that most people hold, NULL for null. A label has one representative in the whole
    table. `ends` says how far the released rows of a number or date reach that is shown as the whole domain.
    """

    codings: tuple[Coding, ...]
    levels: tuple[int, ...]
    has_null: tuple[bool, ...]
    representatives: Mapping[str, NDArray[Any]]
    ends: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def ids(self, codes: I64) -> I64:
        """Generalized ids of rows of codes [n, d]."""
        columns = [
            generalized(coding, codes[:, i], level)
            for i, (coding, level) in enumerate(zip(self.codings, self.levels, strict=True))
        ]
        return np.column_stack(columns)

    def shown(self, name: str, codes: I64) -> Shown:
        """What each code of a column shows: label, lowest and highest number or day of its generalized value, representative."""
        at = next(i for i, coding in enumerate(self.codings) if coding.name == name)
        coding, level = self.codings[at], self.levels[at]
        found, index = np.unique(codes, return_inverse=True)
        lower, upper = self._ends(coding, level, found)
        texts = self._labels(at, found)
        representative = self._representatives(coding, level, found)
        index = index.reshape(-1)
        return Shown([texts[i] for i in index.tolist()], lower[index], upper[index], representative[index])

    def is_top(self, i: int) -> bool:
        """Whether a column is shown as its whole domain."""
        return self.levels[i] == height(self.codings[i]) - 1

    def _is_top(self, coding: Coding, level: int) -> bool:
        return level == height(coding) - 1

    def _ends(self, coding: Coding, level: int, codes: I64) -> tuple[I64, I64]:
        if self._is_top(coding, level):
            low, high = self.ends.get(coding.name, (NULL, NULL))
            return np.full(len(codes), low), np.full(len(codes), high)
        if coding.taxonomy is None:
            return coding.lower(codes), coding.upper(codes)
        nodes = coding.taxonomy.ancestor_at(level)[np.maximum(codes, 0)]
        known = codes >= 0
        first = np.where(known, coding.taxonomy.first[nodes], NULL)
        return coding.lower(first), coding.upper(np.where(known, coding.taxonomy.last[nodes], NULL))

    def _labels(self, at: int, codes: I64) -> list[str | None]:
        coding, level = self.codings[at], self.levels[at]
        if self._is_top(coding, level):
            name = coding.taxonomy.names[0] if coding.taxonomy else labels.WHOLE
            return [labels.of_node(name, self.has_null[at])] * len(codes)
        if coding.taxonomy is not None:
            ids = generalized(coding, codes, level).tolist()
            return [coding.taxonomy.names[node] if node >= 0 else self._no_node(node) for node in ids]
        return [self._single(coding, code) for code in codes.tolist()]

    def _no_node(self, code: int) -> str | None:
        return None if code == NULL else "unlisted"

    def _single(self, coding: Coding, code: int) -> str | None:
        if code == NULL:
            return None
        return labels.of_range(coding.text(code), coding.text_of_end(code), False, False)

    def _representatives(self, coding: Coding, level: int, codes: I64) -> NDArray[Any]:
        if level > 0:
            ids = generalized(coding, codes, level)
            found = self.representatives[coding.name][np.maximum(ids, 0)]
            return np.where(ids >= 0, found, NULL if coding.is_text else np.nan)
        if coding.is_text:
            return np.where(codes >= 0, codes, NULL)
        return np.where(codes == NULL, np.nan, coding.middle(np.where(codes == NULL, coding.lowest, codes)))


def node_numbers(ids: I64) -> I64:
    """62 bits that tell classes, rows of generalized ids [n, d], apart; two classes share them by accident alone."""
    found = np.full(len(ids), 0x9E3779B97F4A7C15, dtype=np.uint64)
    for column in ids.T:
        # The finalizer of SplitMix64 (Steele, Lea, Flood 2014) after each column.
        found = (found ^ column.astype(np.uint64)) + np.uint64(0x9E3779B97F4A7C15)
        found = (found ^ (found >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        found = (found ^ (found >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        found ^= found >> np.uint64(31)
    return (found >> np.uint64(2)).astype(np.int64)

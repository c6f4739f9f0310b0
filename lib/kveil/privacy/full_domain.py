"""Full-domain generalization: one level per column for the whole table, and what each value then shows.

A column with a hierarchy has its levels; any other has two: the value and the whole domain. Null is a value of its own
on every level but the top, which is the whole domain with it.
"""

import io
import json
from dataclasses import dataclass
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
    """A level per column with what each generalized value shows, and the classes of one partition that were released.

    `representatives` holds, per column above level 0, one value per node (per column without a hierarchy one value):
    a mean over people, or the code that most people hold, NULL for null. A label has one representative in the whole
    table. `kept` are the released classes as rows of generalized ids [classes, d].
    """

    codings: tuple[Coding, ...]
    levels: tuple[int, ...]
    has_null: tuple[bool, ...]
    representatives: dict[str, NDArray[Any]]
    kept: I64

    def ids(self, codes: I64) -> I64:
        """Generalized ids of rows of codes [n, d]."""
        columns = [
            generalized(coding, codes[:, i], level)
            for i, (coding, level) in enumerate(zip(self.codings, self.levels, strict=True))
        ]
        return np.column_stack(columns)

    def covers(self, codes: I64) -> NDArray[np.bool_]:
        """Whether each row's class was released."""
        return np.isin(_as_one(self.ids(codes)), _as_one(self.kept))

    def numbers(self, codes: I64) -> I64:
        """See frozen.Frozen."""
        return node_numbers(self.ids(codes))

    def shows(self, part: str, codes: I64) -> dict[str, NDArray[Any]]:
        """One part of what the release shows of each row of codes [n, d]; see frozen.Frozen."""
        found = {coding.name: self.shown(coding.name, codes[:, i]) for i, coding in enumerate(self.codings)}
        if part == "label":
            return {name: np.array([*each.labels, None], dtype=object)[:-1] for name, each in found.items()}
        if part == "bounds":
            return {name: np.column_stack([each.lowest, each.highest]) for name, each in found.items()}
        return {name: each.representative for name, each in found.items()}

    def shown(self, name: str, codes: I64) -> Shown:
        """What each code of a column shows: label, first and last code of its generalized value, representative."""
        at = next(i for i, coding in enumerate(self.codings) if coding.name == name)
        coding, level = self.codings[at], self.levels[at]
        found, index = np.unique(codes, return_inverse=True)
        lowest, highest = self._extremes(coding, level, found)
        texts = self._labels(at, found)
        representative = self._representatives(coding, level, found)
        index = index.reshape(-1)
        return Shown([texts[i] for i in index.tolist()], lowest[index], highest[index], representative[index])

    def _is_top(self, coding: Coding, level: int) -> bool:
        return level == height(coding) - 1

    def _extremes(self, coding: Coding, level: int, codes: I64) -> tuple[I64, I64]:
        if self._is_top(coding, level):
            return np.full(len(codes), coding.lowest), np.full(len(codes), coding.highest)
        if coding.taxonomy is None:
            return codes, codes
        nodes = coding.taxonomy.ancestor_at(level)[np.maximum(codes, 0)]
        known = codes >= 0
        return np.where(known, coding.taxonomy.first[nodes], codes), np.where(known, coding.taxonomy.last[nodes], codes)

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

    def to_bytes(self) -> bytes:
        """As a numpy archive that holds no pickles."""
        arrays: dict[str, Any] = {f"rep_{name}": value for name, value in self.representatives.items()}
        document = {
            "codings": [coding.to_dict() for coding in self.codings],
            "levels": self.levels,
            "has_null": self.has_null,
        }
        text = np.frombuffer(json.dumps(document).encode(), dtype=np.uint8)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, kept=self.kept, text=text, **arrays)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "FrozenLevels":
        """The levels that `to_bytes` wrote."""
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            text = json.loads(archive["text"].tobytes().decode())
            representatives = {name.removeprefix("rep_"): archive[name] for name in archive.files if name.startswith("rep_")}
            kept = archive["kept"]
        codings = tuple(Coding.from_dict(coding) for coding in text["codings"])
        return cls(codings, tuple(text["levels"]), tuple(text["has_null"]), representatives, kept)


def is_levels(data: bytes) -> bool:
    """Whether a frozen generalizer's bytes are levels rather than a tree."""
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return "kept" in archive.files


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


def _as_one(ids: I64) -> NDArray[Any]:
    """Rows of ids as single values that compare equal where the rows do."""
    rows = np.ascontiguousarray(ids, dtype=np.int64)
    return rows.view([("", np.int64)] * rows.shape[1]).reshape(-1)

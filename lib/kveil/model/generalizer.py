"""The frozen generalizer: gives a raw row the representatives that the release would have given it.

It is part of every deployed model, so that serving sees what training saw.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.coding import NULL, Coding
from kveil.privacy.taxonomy import Taxonomy
from kveil.privacy.tree import FrozenPartition
from kveil.settings.anonymize import Anonymize

Columns = Mapping[str, NDArray[Any]]


class Generalizer:
    """Partitions' trees by the values of the partition columns; numpy in, numpy out, picklable, no Spark.

    A row of a partition that the release does not have takes the latest earlier one in the order of its values'
    texts (months sort by time), or the earliest where there is none. New rows always take the `train` part's trees.
    """

    def __init__(self, partition_by: list[str], partitions: dict[tuple[str, ...], FrozenPartition]) -> None:
        self._by = partition_by
        self._partitions = dict(sorted(partitions.items()))

    @classmethod
    def from_rows(
        cls, settings: Anonymize, rows: Iterable[tuple[Mapping[str, str], bytes]], split: str = "train"
    ) -> "Generalizer":
        """From the generalizer table's rows (partition values, tree bytes), keeping one part of the split."""
        by = [name for name in settings.partition_by if name != "split"]
        chosen = {
            tuple(str(values[name]) for name in by): FrozenPartition.from_bytes(tree)
            for values, tree in rows
            if values.get("split", split) == split
        }
        if not chosen:
            raise ValueError(f"the release has no generalizer for split {split!r}")
        return cls(by, chosen)

    def representatives(self, rows: Columns) -> dict[str, NDArray[Any]]:
        """Per quasi-identifier the values that NAME_rep would have: floats, datetime64[D], or texts (None for null)."""
        return self._shown(rows, _representative)

    def labels(self, rows: Columns) -> dict[str, NDArray[Any]]:
        """Per quasi-identifier the label that the release shows for the row's class."""
        return self._shown(rows, lambda partition, name, leaf: np.array(partition.labels[name], dtype=object)[leaf])

    def covers(self, rows: Columns) -> NDArray[np.bool_]:
        """Whether the release has the row's own partition, so that no stand-in is used."""
        return np.array([key in self._partitions for key in self._keys(rows)], dtype=bool)

    @property
    def taxonomies(self) -> dict[str, Taxonomy]:
        """The hierarchies that the release used, by quasi-identifier."""
        codings = next(iter(self._partitions.values())).codings
        return {coding.name: coding.taxonomy for coding in codings if coding.taxonomy is not None}

    def _keys(self, rows: Columns) -> list[tuple[str, ...]]:
        size = len(next(iter(rows.values())))
        return list(zip(*(map(str, rows[name]) for name in self._by), strict=True)) if self._by else [()] * size

    def _shown(self, rows: Columns, show: Any) -> dict[str, NDArray[Any]]:
        keys = self._keys(rows)
        stand_in = {key: self._nearest(key) for key in set(keys)}
        names = [coding.name for coding in next(iter(self._partitions.values())).codings]
        result: dict[str, NDArray[Any]] = {name: np.empty(len(keys), dtype=object) for name in names}
        group = np.array([list(self._partitions).index(stand_in[key]) for key in keys], dtype=np.int64)
        for number in np.unique(group):
            at = np.flatnonzero(group == number)
            partition = list(self._partitions.values())[number]
            leaf = partition.tree.leaf_of(_codes(partition, rows, at))
            for name in names:
                result[name][at] = show(partition, name, leaf)
        return {name: _typed(self._coding(name), values) for name, values in result.items()}

    def _coding(self, name: str) -> Coding:
        codings = next(iter(self._partitions.values())).codings
        return next(coding for coding in codings if coding.name == name)

    def _nearest(self, key: tuple[str, ...]) -> tuple[str, ...]:
        earlier = [known for known in self._partitions if known <= key]
        return earlier[-1] if earlier else next(iter(self._partitions))

    def to_bytes(self) -> bytes:
        """As bytes without pickles."""
        parts = {json.dumps(key): partition.to_bytes().hex() for key, partition in self._partitions.items()}
        return json.dumps({"partition_by": self._by, "partitions": parts}).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Generalizer":
        """The generalizer that `to_bytes` wrote."""
        document = json.loads(data)
        parts = {
            tuple(json.loads(key)): FrozenPartition.from_bytes(bytes.fromhex(tree))
            for key, tree in document["partitions"].items()
        }
        return cls(document["partition_by"], parts)


def _codes(partition: FrozenPartition, rows: Columns, at: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.column_stack([coding.codes(rows[coding.name][at]) for coding in partition.codings])


def _representative(partition: FrozenPartition, name: str, leaf: NDArray[np.int32]) -> NDArray[Any]:
    values = partition.representatives[name][leaf]
    coding = next(coding for coding in partition.codings if coding.name == name)
    if coding.is_text:
        names = np.array([*coding.values, None], dtype=object)
        return names[np.where(values == NULL, len(coding.values), values)]
    return values


def _typed(coding: Coding, values: NDArray[Any]) -> NDArray[Any]:
    is_label = any(isinstance(value, str) for value in values[:64])
    if coding.is_text or is_label:
        return values
    if coding.holds == "date":
        days = values.astype(np.float64)
        return np.where(np.isnan(days), np.datetime64("NaT"), np.round(np.nan_to_num(days)).astype("datetime64[D]"))
    return values.astype(np.float64)

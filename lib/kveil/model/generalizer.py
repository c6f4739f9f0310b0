"""The frozen generalizer: gives a raw row the representatives that the release would have given it.

It is part of every deployed model, so that serving sees what training saw.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.coding import NULL, Coding
from kveil.privacy.full_domain import FrozenLevels, is_levels
from kveil.privacy.taxonomy import Taxonomy
from kveil.privacy.tree import FrozenPartition
from kveil.settings.anonymize import Anonymize

Columns = Mapping[str, NDArray[Any]]
Frozen = FrozenPartition | FrozenLevels


class Generalizer:
    """Partitions' trees (or levels) by the values of the partition columns; numpy in, numpy out, picklable, no Spark.

    A row of a partition that the release does not have takes the latest earlier one in the order of its values'
    texts (months sort by time), or the earliest where there is none. New rows always take the `train` part's trees.
    """

    def __init__(self, partition_by: list[str], partitions: dict[tuple[str, ...], Frozen]) -> None:
        self._by = partition_by
        self._partitions = dict(sorted(partitions.items()))

    @classmethod
    def from_rows(
        cls, settings: Anonymize, rows: Iterable[tuple[Mapping[str, str], bytes]], split: str = "train"
    ) -> "Generalizer":
        """From the generalizer table's rows (partition values, tree bytes), keeping one part of the split."""
        by = [name for name in settings.partition_by if name != "split"]
        chosen = {
            tuple(str(values[name]) for name in by): _frozen(tree) for values, tree in rows if values.get("split", split) == split
        }
        if not chosen:
            raise ValueError(f"the release has no generalizer for split {split!r}")
        return cls(by, chosen)

    def representatives(self, rows: Columns) -> dict[str, NDArray[Any]]:
        """Per quasi-identifier the values that NAME_rep would have: floats, datetime64[D], or texts (None for null)."""
        return self._shown(rows, _representative)

    def labels(self, rows: Columns) -> dict[str, NDArray[Any]]:
        """Per quasi-identifier the label that the release shows for the row's class."""
        return self._shown(rows, _label)

    def covers(self, rows: Columns) -> NDArray[np.bool_]:
        """Whether the release has the row's own partition and, where single classes were suppressed, its class."""
        keys = self._keys(rows)
        found = np.array([key in self._partitions for key in keys], dtype=bool)
        for key in {key for key, known in zip(keys, found, strict=True) if known}:
            partition = self._partitions[key]
            if isinstance(partition, FrozenLevels):
                at = np.flatnonzero([key == other for other in keys])
                found[at] = partition.covers(_codes(partition, rows, at))
        return found

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
            codes = _codes(partition, rows, at)
            place = partition.tree.leaf_of(codes) if isinstance(partition, FrozenPartition) else codes
            for name in names:
                result[name][at] = show(partition, name, place)
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
        parts = {tuple(json.loads(key)): _frozen(bytes.fromhex(tree)) for key, tree in document["partitions"].items()}
        return cls(document["partition_by"], parts)


def _frozen(data: bytes) -> Frozen:
    return FrozenLevels.from_bytes(data) if is_levels(data) else FrozenPartition.from_bytes(data)


def _codes(partition: Frozen, rows: Columns, at: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.column_stack([coding.codes(rows[coding.name][at]) for coding in partition.codings])


def _label(partition: Frozen, name: str, place: NDArray[Any]) -> NDArray[Any]:
    """Labels by the rows' leaves of a tree, or by their codes where levels decide."""
    if isinstance(partition, FrozenPartition):
        return np.array(partition.labels[name], dtype=object)[place]
    return np.array(partition.shown(name, _column(partition, name, place)).labels, dtype=object)


def _column(partition: FrozenLevels, name: str, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    return codes[:, [coding.name for coding in partition.codings].index(name)]


def _representative(partition: Frozen, name: str, place: NDArray[Any]) -> NDArray[Any]:
    if isinstance(partition, FrozenPartition):
        values = partition.representatives[name][place]
    else:
        values = partition.shown(name, _column(partition, name, place)).representative
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

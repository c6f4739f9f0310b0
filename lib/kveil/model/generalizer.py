"""The frozen generalizer: gives a raw row the representatives that the release would have given it.

It is part of every deployed model, so that serving sees what training saw.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.coding import NULL, Coding
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
        """The values of NAME_rep per quasi-identifier NAME that shows it: float64, datetime64[D] or texts (None for null)."""
        return self._of_classes(rows, _representatives)

    def labels(self, rows: Columns) -> dict[str, NDArray[Any]]:
        """Per quasi-identifier that shows it the label of the row's class."""
        return self._of_classes(rows, _labels)

    def released(self, rows: Columns) -> dict[str, NDArray[Any]]:
        """Every column by which the release shows the row's class, by the release's column names.

        Texts (None for null), float64 (NaN) or datetime64[D] (NaT).
        """

        def everything(partition: FrozenPartition) -> dict[str, NDArray[Any]]:
            representatives = {f"{name}_rep": values for name, values in _representatives(partition).items()}
            return {**_labels(partition), **_bounds(partition), **representatives}

        return self._of_classes(rows, everything)

    def covers(self, rows: Columns) -> NDArray[np.bool_]:
        """Whether the release has the row's own partition, so that no stand-in is used."""
        return np.array([key in self._partitions for key in self._keys(rows)], dtype=bool)

    def _keys(self, rows: Columns) -> list[tuple[str, ...]]:
        size = len(next(iter(rows.values())))
        return list(zip(*(map(str, rows[name]) for name in self._by), strict=True)) if self._by else [()] * size

    def _of_classes(self, rows: Columns, shown: Callable[[FrozenPartition], dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
        """What `shown` tells of a partition's classes, for each row's own class."""
        keys = self._keys(rows)
        known = list(self._partitions.values())
        place = {key: list(self._partitions).index(self._nearest(key)) for key in set(keys)}
        group = np.array([place[key] for key in keys], dtype=np.int64)
        result = {name: np.empty(len(keys), dtype=values.dtype) for name, values in shown(known[0]).items()}
        for number in np.unique(group):
            at = np.flatnonzero(group == number)
            leaf = known[number].tree.leaf_of(_codes(known[number], rows, at))
            for name, values in shown(known[number]).items():
                result[name][at] = values[leaf]
        return result

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


def _labels(partition: FrozenPartition) -> dict[str, NDArray[Any]]:
    return {name: np.array([*texts, None], dtype=object)[:-1] for name, texts in partition.labels.items()}


def _representatives(partition: FrozenPartition) -> dict[str, NDArray[Any]]:
    codings = {coding.name: coding for coding in partition.codings}
    return {name: _representative(codings[name], values) for name, values in partition.representatives.items()}


def _representative(coding: Coding, values: NDArray[Any]) -> NDArray[Any]:
    if coding.is_text:
        names = np.array([*coding.values, None], dtype=object)
        return names[np.where(values == NULL, len(coding.values), values)]
    return _days(values) if coding.kind == "date" else values.astype(np.float64)


def _bounds(partition: FrozenPartition) -> dict[str, NDArray[Any]]:
    codings = {coding.name: coding for coding in partition.codings}
    result: dict[str, NDArray[Any]] = {}
    for name, codes in partition.bounds.items():
        coding = codings[name]
        ends = np.where(codes == NULL, np.nan, codes * float(coding.step) + np.array([0, coding.step - 1]))
        for place, side in enumerate(("lo", "hi")):
            result[f"{name}_{side}"] = _days(ends[:, place]) if coding.kind == "date" else ends[:, place]
    return result


def _days(values: NDArray[Any]) -> NDArray[Any]:
    days = values.astype(np.float64)
    return np.where(np.isnan(days), np.datetime64("NaT"), np.round(np.nan_to_num(days)).astype("datetime64[D]"))

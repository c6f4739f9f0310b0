"""The frozen generalizer: gives a raw row the representatives that the release would have given it.

It is part of every deployed model, so that serving sees what training saw.
"""

import json
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.classes import PARTS, Part
from kveil.privacy.coding import NULL, Coding, Holds
from kveil.privacy.frozen import Frozen, frozen, joined, largest_shares
from kveil.settings.anonymize import Anonymize

Columns = Mapping[str, NDArray[Any]]
Key = tuple[str, ...]


class Generalizer:
    """Frozen partitions by the values of the partition columns; numpy in, numpy out, picklable, no Spark.

    A row of a partition that the release does not have takes the latest earlier one in the order of its values'
    texts (months sort by time), or the earliest where there is none. New rows always take the `train` part's trees.
    """

    def __init__(self, partition_by: list[str], parts: Mapping[Key, list[bytes]]) -> None:
        self._by = partition_by
        self._parts = dict(sorted(parts.items()))
        self._partitions: dict[Key, Frozen] = {key: frozen(data) for key, data in self._parts.items()}

    @classmethod
    def from_rows(
        cls, settings: Anonymize, rows: Iterable[tuple[Mapping[str, str], bytes]], split: str = "train"
    ) -> "Generalizer":
        """From the generalizer table's rows (partition values, frozen bytes), keeping one part of the split."""
        by = [name for name in settings.partition_by if name != "split"]
        chosen: dict[Key, list[bytes]] = {}
        for values, data in rows:
            if values.get("split", split) == split:
                chosen.setdefault(tuple(str(values[name]) for name in by), []).append(data)
        if not chosen:
            raise ValueError(f"the release has no generalizer for split {split!r}")
        return cls(by, chosen)

    def representatives(self, rows: Columns) -> dict[str, NDArray[Any]]:
        """The values of NAME_rep per quasi-identifier NAME that shows it: float64, datetime64[D] or texts (None for null)."""
        shown = self._shown(rows, "representative")
        return {name: _representative(self._holds[name], values) for name, values in shown.items()}

    def labels(self, rows: Columns) -> dict[str, NDArray[Any]]:
        """Per quasi-identifier that shows it the label of the row's class."""
        return self._shown(rows, "label")

    def released(self, rows: Columns) -> dict[str, NDArray[Any]]:
        """Every column by which the release shows the row's class, by the release's column names.

        Texts (None for null), float64 (NaN) or datetime64[D] (NaT).
        """
        return self._named({part: self._shown(rows, part) for part in PARTS})

    def fitting(self, rows: Columns) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
        """Every pair of a row and a released class of its own partition that it fits: the row's index, and by the release's
        column names what the class shows. Classes of local recoding overlap; otherwise a row fits its own class or none.
        """
        row, shown = np.empty(0, dtype=np.int64), {}
        for part in PARTS:
            row, shown[part] = self._fitting(rows, part)
        return row, self._named(shown)

    def _named(self, shown: Mapping[Part, Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
        bounds: dict[str, NDArray[Any]] = {}
        for name, values in shown["bounds"].items():
            if self._holds[name] != "text":
                bounds |= _bounds(name, self._holds[name], values)
        given = shown["representative"].items()
        return {
            **shown["label"],
            **bounds,
            **{f"{name}_rep": _representative(self._holds[name], values) for name, values in given},
        }

    def _fitting(self, rows: Columns, part: Part) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
        keys, found = self._keys(rows), []
        for key, partition in self._partitions.items():
            at = np.flatnonzero([key == other for other in keys])
            row, shown = partition.fitting(part, {name: column[at] for name, column in rows.items()})
            found.append((at[row], shown))
        return joined(found)

    def covers(self, rows: Columns) -> NDArray[np.bool_]:
        """Whether the release has the row's own partition and, where single classes were suppressed, its class."""
        keys = self._keys(rows)
        found = np.zeros(len(keys), dtype=bool)
        for key, partition in self._partitions.items():
            at = np.flatnonzero([key == other for other in keys])
            if at.size:
                found[at] = partition.covers({name: column[at] for name, column in rows.items()})
        return found

    @property
    def shares(self) -> dict[str, dict[str, float]]:
        """Per column with a hierarchy the share of the domain that each label leaves open, the largest of all partitions."""
        return largest_shares(partition.shares for partition in self._partitions.values())

    @property
    def codings(self) -> list[Coding]:
        """How the quasi-identifiers are coded, by every partition: what the release names of their values."""
        return [coding for partition in self._partitions.values() for coding in partition.codings]

    @property
    def _holds(self) -> dict[str, Holds]:
        return {coding.name: coding.holds for coding in next(iter(self._partitions.values())).codings}

    def _keys(self, rows: Columns) -> list[Key]:
        size = len(next(iter(rows.values())))
        return list(zip(*(map(str, rows[name]) for name in self._by), strict=True)) if self._by else [()] * size

    def _shown(self, rows: Columns, part: Part) -> dict[str, NDArray[Any]]:
        """One part of what each row's own class shows."""
        keys = self._keys(rows)
        stand_in = {key: self._nearest(key) for key in set(keys)}
        groups: dict[Key, list[int]] = {}
        for row, key in enumerate(keys):
            groups.setdefault(stand_in[key], []).append(row)
        result: dict[str, NDArray[Any]] = {}
        for key, members in (groups or {next(iter(self._partitions)): []}).items():
            at = np.array(members, dtype=np.int64)
            here = {name: column[at] for name, column in rows.items()}
            for name, values in self._partitions[key].shows(part, here).items():
                result.setdefault(name, np.empty((len(keys), *values.shape[1:]), dtype=values.dtype))[at] = values
        return result

    def _nearest(self, key: Key) -> Key:
        earlier = [known for known in self._partitions if known <= key]
        return earlier[-1] if earlier else next(iter(self._partitions))

    def to_bytes(self) -> bytes:
        """As bytes without pickles."""
        parts = {json.dumps(key): [zlib.compress(each).hex() for each in data] for key, data in self._parts.items()}
        return json.dumps({"partition_by": self._by, "partitions": parts}).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Generalizer":
        """The generalizer that `to_bytes` wrote."""
        document = json.loads(data)
        parts = {
            tuple(json.loads(key)): [zlib.decompress(bytes.fromhex(each)) for each in parts]
            for key, parts in document["partitions"].items()
        }
        return cls(document["partition_by"], parts)


def _representative(holds: Holds, values: NDArray[Any]) -> NDArray[Any]:
    if holds == "text":
        return values
    return _days(values) if holds == "date" else values.astype(np.float64)


def _bounds(name: str, holds: Holds, ends: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    sides = {"lo": ends[:, 0], "hi": ends[:, 1]}
    typed = {side: np.where(values == NULL, np.nan, values.astype(np.float64)) for side, values in sides.items()}
    return {f"{name}_{side}": _days(values) if holds == "date" else values for side, values in typed.items()}


def _days(values: NDArray[Any]) -> NDArray[Any]:
    days = values.astype(np.float64)
    return np.where(np.isnan(days), np.datetime64("NaT"), np.round(np.nan_to_num(days)).astype("datetime64[D]"))

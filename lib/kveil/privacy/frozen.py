"""A released partition, frozen: how to code a row, which class it belongs to and what that class shows."""

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.classes import Part, Shown
from kveil.privacy.coding import NULL, Coding, Columns, codes_of_rows, named
from kveil.privacy.local_recoding import Boxes
from kveil.privacy.published_levels import PublishedLevels, is_levels
from kveil.privacy.tree import Tree

I64 = NDArray[np.int64]


class Frozen(Protocol):
    """What serving and re-checking ask of a partition, by whichever algorithm it was made. Rows are columns of raw values."""

    @property
    def codings(self) -> tuple[Coding, ...]:
        """How a row is coded; of a partition that was cut into fragments, by each of them."""
        ...

    @property
    def shares(self) -> dict[str, dict[str, float]]:
        """Per column with a hierarchy the share of the domain, from 0 to 1, that each label leaves open."""
        ...

    def shows(self, part: Part, rows: Columns) -> dict[str, NDArray[Any]]:
        """One part of what the release shows of each row, per column that shows it: labels (objects), bounds [n, 2] as
        numbers or days (NULL for null), or representatives as numbers, days or texts.
        """
        ...

    def covers(self, rows: Columns) -> NDArray[np.bool_]:
        """Whether each row's class was released."""
        ...

    def fitting(self, part: Part, rows: Columns) -> tuple[I64, dict[str, NDArray[Any]]]:
        """Every pair of a row and a released class that it fits: the row's index, and of the class what `shows` says of a row.

        Classes of local recoding overlap, so a row may fit several; by any other algorithm it fits its own or none.
        """
        ...

    def numbers(self, rows: Columns) -> I64:
        """The number, in this partition, of the class of each row that `covers` says is covered; never negative."""
        ...


@dataclass(frozen=True)
class FrozenPartition:
    """A tree or boxes with how to code a row and what each class shows: per column, label, representative and bounds by class.

    Representatives are floats (numbers, mean over people), day numbers (dates) or codes (mode over people, NULL for null).
    Bounds [classes, 2] are the lowest and highest number or day (NULL for null). A column lacks what the release does not
    show of it. Where the partition was cut into fragments, this is number `fragment` of those that the tree `top` leads to,
    by codings of its own.
    """

    codings: tuple[Coding, ...]
    tree: Tree | Boxes
    labels: dict[str, list[str | None]]
    representatives: dict[str, NDArray[Any]]
    bounds: dict[str, I64] = field(default_factory=dict)
    top: Tree | None = None
    top_codings: tuple[Coding, ...] = ()
    fragment: int = 0

    @property
    def shares(self) -> dict[str, dict[str, float]]:
        """See Frozen."""
        return {coding.name: coding.shares for coding in self.codings if coding.taxonomy is not None}

    def shows(self, part: Part, rows: Columns) -> dict[str, NDArray[Any]]:
        """See Frozen."""
        return self._of_leaf(part, self.tree.leaf_of(codes_of_rows(self.codings, rows)))

    def _of_leaf(self, part: Part, leaf: NDArray[np.int32] | I64) -> dict[str, NDArray[Any]]:
        if part == "label":
            return {name: np.array([*texts, None], dtype=object)[leaf] for name, texts in self.labels.items()}
        if part == "bounds":
            return {name: values[leaf] for name, values in self.bounds.items()}
        by_name = {coding.name: coding for coding in self.codings}
        return {name: named(by_name[name], values)[leaf] for name, values in self.representatives.items()}

    def covers(self, rows: Columns) -> NDArray[np.bool_]:
        """See Frozen: every class of a released partition is."""
        return np.ones(len(next(iter(rows.values()))), dtype=bool)

    def fitting(self, part: Part, rows: Columns) -> tuple[I64, dict[str, NDArray[Any]]]:
        """See Frozen."""
        codes = codes_of_rows(self.codings, rows)
        row, leaf = (
            self.tree.fitting(codes) if isinstance(self.tree, Boxes) else (np.arange(len(codes)), self.tree.leaf_of(codes))
        )
        return row, self._of_leaf(part, leaf)

    def numbers(self, rows: Columns) -> I64:
        """See Frozen."""
        return leaf_numbers(self.tree.leaf_of(codes_of_rows(self.codings, rows)), self.fragment)

    def columns(self) -> dict[str, Shown]:
        """What each column's classes show; what the release does not show of them is null."""
        classes = self.tree.classes
        nothing = np.full(classes, NULL)
        found = {}
        for coding in self.codings:
            lowest, highest = self.bounds[coding.name].T if coding.name in self.bounds else (nothing, nothing)
            unknown = nothing if coding.is_text else np.full(classes, np.nan)
            texts = self.labels.get(coding.name, [None] * classes)
            found[coding.name] = Shown(texts, lowest, highest, self.representatives.get(coding.name, unknown))
        return found

    def to_bytes(self) -> bytes:
        """As a numpy archive that holds no pickles."""
        is_boxes = isinstance(self.tree, Boxes)
        arrays: dict[str, Any] = _arrays("box", self.tree) if is_boxes else {}
        arrays |= _arrays("tree", self.tree.tree if isinstance(self.tree, Boxes) else self.tree)
        arrays |= _arrays("top", self.top) if self.top is not None else {}
        arrays |= {f"rep_{name}": value for name, value in self.representatives.items()}
        arrays |= {f"bounds_{name}": value for name, value in self.bounds.items()}
        document = {
            "codings": [coding.to_dict() for coding in self.codings],
            "top_codings": [coding.to_dict() for coding in self.top_codings],
            "labels": self.labels,
            "fragment": self.fragment,
        }
        arrays["text"] = np.frombuffer(json.dumps(document).encode(), dtype=np.uint8)
        buffer = io.BytesIO()
        # Uncompressed: tables and archives that hold it compress it as a whole.
        np.savez(buffer, **arrays)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "FrozenPartition":
        """The partition that `to_bytes` wrote."""
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        text = json.loads(arrays["text"].tobytes().decode())
        tree, boxes = Tree(**_named("tree", arrays)), _named("box", arrays)
        top = _named("top", arrays)
        codings = tuple(Coding.from_dict(coding) for coding in text["codings"])
        return cls(
            codings,
            Boxes(tree=tree, **boxes) if boxes else tree,
            text["labels"],
            _named("rep", arrays),
            _named("bounds", arrays),
            Tree(**top) if top else None,
            tuple(Coding.from_dict(coding) for coding in text["top_codings"]),
            text["fragment"],
        )


def _arrays(prefix: str, holder: Tree | Boxes) -> dict[str, NDArray[Any]]:
    return {f"{prefix}_{each.name}": getattr(holder, each.name) for each in fields(holder) if each.name != "tree"}


def _named(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    start = f"{prefix}_"
    return {name.removeprefix(start): values for name, values in arrays.items() if name.startswith(start)}


@dataclass(frozen=True)
class FrozenFragments:
    """A partition that was cut into fragments: `top` leads to their numbers. A suppressed fragment is stood in for by the
    next released one.
    """

    top: Tree
    top_codings: tuple[Coding, ...]
    parts: Mapping[int, FrozenPartition]

    @property
    def codings(self) -> tuple[Coding, ...]:
        """See Frozen."""
        return tuple(coding for part in self.parts.values() for coding in part.codings)

    @property
    def shares(self) -> dict[str, dict[str, float]]:
        """See Frozen; where fragments differ, the largest."""
        return largest_shares(part.shares for part in self.parts.values())

    def shows(self, part: Part, rows: Columns) -> dict[str, NDArray[Any]]:
        """See Frozen."""
        released = np.array(sorted(self.parts))
        place = np.searchsorted(released, self._fragments(rows))
        number = released[np.minimum(place, len(released) - 1)]
        found: dict[str, NDArray[Any]] = {}
        for each in np.unique(number):
            at = np.flatnonzero(number == each)
            here = {name: column[at] for name, column in rows.items()}
            for name, values in self.parts[int(each)].shows(part, here).items():
                found.setdefault(name, np.empty((len(number), *values.shape[1:]), dtype=values.dtype))[at] = values
        if not found:
            return next(iter(self.parts.values())).shows(part, rows)
        return found

    def covers(self, rows: Columns) -> NDArray[np.bool_]:
        """See Frozen."""
        return np.isin(self._fragments(rows), list(self.parts))

    def fitting(self, part: Part, rows: Columns) -> tuple[I64, dict[str, NDArray[Any]]]:
        """See Frozen."""
        fragment = self._fragments(rows)
        found = []
        for number, here in self.parts.items():
            at = np.flatnonzero(fragment == number)
            row, shown = here.fitting(part, {name: column[at] for name, column in rows.items()})
            found.append((at[row], shown))
        return joined(found)

    def numbers(self, rows: Columns) -> I64:
        """See Frozen."""
        fragment = self._fragments(rows)
        found = np.zeros(len(fragment), dtype=np.int64)
        for number, part in self.parts.items():
            at = np.flatnonzero(fragment == number)
            found[at] = part.numbers({name: column[at] for name, column in rows.items()})
        return found

    def _fragments(self, rows: Columns) -> I64:
        return self.top.leaf_of(codes_of_rows(self.top_codings, rows)).astype(np.int64)


def joined(found: Sequence[tuple[I64, dict[str, NDArray[Any]]]]) -> tuple[I64, dict[str, NDArray[Any]]]:
    """Pairs of rows and what classes show, of several partitions, as one."""
    names = found[0][1]
    return np.concatenate([row for row, _ in found]), {
        name: np.concatenate([shown[name] for _, shown in found]) for name in names
    }


def largest_shares(parts: Iterable[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """Per column and label the largest of the shares that several partitions give."""
    found: dict[str, dict[str, float]] = {}
    for part in parts:
        for name, shares in part.items():
            known = found.setdefault(name, {})
            for label, share in shares.items():
                known[label] = max(share, known.get(label, 0.0))
    return found


def leaf_numbers(leaf: NDArray[np.int32], fragment: int) -> I64:
    """Numbers of classes that are apart for all fragments of a partition, from their leaves in one fragment's tree."""
    return leaf.astype(np.int64) + (fragment << 32)


def frozen(parts: Sequence[bytes]) -> Frozen:
    """One partition from the bytes of its generalizer's rows: one, or one per fragment."""
    if is_levels(parts[0]):
        return PublishedLevels.from_bytes(parts[0])
    found = [FrozenPartition.from_bytes(part) for part in parts]
    top = found[0].top
    if top is None:
        return found[0]
    return FrozenFragments(top, found[0].top_codings, {each.fragment: each for each in found})

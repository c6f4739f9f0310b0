"""A released partition, frozen: how to code a row, which class it belongs to and what that class shows."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.classes import Part, Shown
from kveil.privacy.coding import NULL, Coding
from kveil.privacy.full_domain import FrozenLevels, is_levels
from kveil.privacy.local_recoding import Boxes
from kveil.privacy.tree import Tree

I64 = NDArray[np.int64]


class Frozen(Protocol):
    """What serving and re-checking ask of a partition, by whichever algorithm it was made."""

    @property
    def codings(self) -> tuple[Coding, ...]:
        """How a row is coded."""
        ...

    def shows(self, part: Part, codes: I64) -> dict[str, NDArray[Any]]:
        """One part of what the release shows of each row of codes [n, d], per column that shows it: labels (objects),
        bounds [n, 2] as codes, or representatives as in FrozenPartition.
        """
        ...

    def covers(self, codes: I64) -> NDArray[np.bool_]:
        """Whether each row's class was released."""
        ...

    def numbers(self, codes: I64) -> I64:
        """The number, in this partition, of the class of each row that `covers` says is covered; never negative."""
        ...


@dataclass(frozen=True)
class FrozenPartition:
    """A tree or boxes with how to code a row and what each class shows: per column, label, representative and bounds by class.

    Representatives are floats (numbers, mean over people), day numbers (dates) or codes (mode over people, NULL for null).
    Bounds [classes, 2] are the lowest and highest codes (NULL for null). A column lacks what the release does not show of it.
    Where the partition was cut into fragments, this is number `fragment` of those that the tree `top` leads to.
    """

    codings: tuple[Coding, ...]
    tree: Tree | Boxes
    labels: dict[str, list[str | None]]
    representatives: dict[str, NDArray[Any]]
    bounds: dict[str, I64] = field(default_factory=dict)
    top: Tree | None = None
    fragment: int = 0

    def shows(self, part: Part, codes: I64) -> dict[str, NDArray[Any]]:
        """See Frozen."""
        leaf = self.tree.leaf_of(codes)
        if part == "label":
            return {name: np.array([*texts, None], dtype=object)[leaf] for name, texts in self.labels.items()}
        by_class: Mapping[str, NDArray[Any]] = self.bounds if part == "bounds" else self.representatives
        return {name: values[leaf] for name, values in by_class.items()}

    def covers(self, codes: I64) -> NDArray[np.bool_]:
        """See Frozen: every class of a released partition is."""
        return np.ones(len(codes), dtype=bool)

    def numbers(self, codes: I64) -> I64:
        """See Frozen."""
        return leaf_numbers(self.tree.leaf_of(codes), self.fragment)

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
        document = {"codings": [coding.to_dict() for coding in self.codings], "labels": self.labels, "fragment": self.fragment}
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
    parts: Mapping[int, FrozenPartition]

    @property
    def codings(self) -> tuple[Coding, ...]:
        """How all fragments code a row."""
        return next(iter(self.parts.values())).codings

    def shows(self, part: Part, codes: I64) -> dict[str, NDArray[Any]]:
        """See Frozen."""
        released = np.array(sorted(self.parts))
        place = np.searchsorted(released, self.top.leaf_of(codes))
        number = released[np.minimum(place, len(released) - 1)]
        found: dict[str, NDArray[Any]] = {}
        for each in np.unique(number):
            at = np.flatnonzero(number == each)
            for name, values in self.parts[int(each)].shows(part, codes[at]).items():
                found.setdefault(name, np.empty((len(codes), *values.shape[1:]), dtype=values.dtype))[at] = values
        return found

    def covers(self, codes: I64) -> NDArray[np.bool_]:
        """See Frozen."""
        return np.isin(self.top.leaf_of(codes), list(self.parts))

    def numbers(self, codes: I64) -> I64:
        """See Frozen."""
        fragment, found = self.top.leaf_of(codes), np.zeros(len(codes), dtype=np.int64)
        for number, part in self.parts.items():
            at = np.flatnonzero(fragment == number)
            found[at] = part.numbers(codes[at])
        return found


def leaf_numbers(leaf: NDArray[np.int32], fragment: int) -> I64:
    """Numbers of classes that are apart for all fragments of a partition, from their leaves in one fragment's tree."""
    return leaf.astype(np.int64) + (fragment << 32)


def frozen(parts: Sequence[bytes]) -> Frozen:
    """One partition from the bytes of its generalizer's rows: one, or one per fragment."""
    if is_levels(parts[0]):
        return FrozenLevels.from_bytes(parts[0])
    found = [FrozenPartition.from_bytes(part) for part in parts]
    top = found[0].top
    return found[0] if top is None else FrozenFragments(top, {each.fragment: each for each in found})

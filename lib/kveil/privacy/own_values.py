"""A partition's columns in cells that k of its people hold: what leaves the restricted zone of its values.

The coding that is made here is the partition's own. It names no category, number, day or leaf that fewer than k people of
the partition hold, and nothing of any other row: what is rare is coded as others are that nobody named, at serving as well.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.classes import Membership, Part, Shown, shown
from kveil.privacy.coding import NULL, Coding
from kveil.privacy.grain import Cells, holders, ordered_cells
from kveil.privacy.labels import OTHERS
from kveil.privacy.own_nodes import own_taxonomy
from kveil.privacy.representatives import rounded
from kveil.privacy.round_numbers import ListedPlaces, RoundDays, Roundest, RoundNumbers

I64 = NDArray[np.int64]
Flags = NDArray[np.bool_]

_ROUNDEST: dict[str, Roundest] = {"number": RoundNumbers(), "date": RoundDays(), "ordered": ListedPlaces()}


@dataclass(frozen=True)
class OwnColumn:
    """A column's rows by the partition's own `coding` and as they were `given`, by the whole table's."""

    coding: Coding
    codes: I64
    given: Coding
    given_codes: I64

    @property
    def labelled(self) -> tuple[Coding, I64]:
        """The coding and codes that labels and bounds are made of.

        An ordered list and a hierarchy are public, and a node that covers a class covers k people.
        """
        public = self.given.kind in ("ordered", "taxonomy")
        return (self.given, self.given_codes) if public else (self.coding, self.codes)

    @property
    def span(self) -> int:
        """What widths of cuts are measured against: the whole table's, of a hierarchy its own leaves."""
        return (self.coding if self.given.kind == "taxonomy" or self.given.is_set else self.given).span


def own_column(given: Coding, codes: I64, people: I64, k: int, inside: Flags | None = None) -> OwnColumn:
    """The column of a partition with a person number (from 0) per row; only rows `inside` count and are named."""
    counted = codes != NULL if inside is None else (codes != NULL) & inside
    known, who = codes[counted], people[counted]
    if given.kind == "taxonomy":
        coding, found = own_taxonomy(given, codes, known, who, k)
    elif given.is_set:
        coding, found = _categories(given, codes, known, who, k)
    else:
        coding, found = _ordered(given, codes, known, who, k)
    return OwnColumn(coding, found, given, codes)


def shown_of(own: OwnColumn, everyone: Membership, ours: Membership, inside: Flags, parts: Collection[Part], k: int) -> Shown:
    """What the classes show of a column: label and bounds cover everyone, the representative is that of rows `inside`."""
    coding, codes = own.labelled
    covers = shown(coding, codes, everyone, set(parts) - {"representative"} | {"bounds"})
    alone: list[Part] = ["representative"]
    representative = covers.representative
    if "representative" in parts and own.coding.is_text:
        representative = shown(own.coding, own.codes[inside], ours, alone).representative
    elif "representative" in parts:
        means = shown(own.given, own.given_codes[inside], ours, alone).representative.astype(np.float64)
        representative = rounded(means, *own.given.middles_of_range(covers.lowest, covers.highest), k)
    if "bounds" in parts:
        return replace(covers, representative=representative)
    nothing = np.full(len(covers.lowest), NULL)
    return replace(covers, lowest=nothing, highest=nothing, representative=representative)


def fits(own: OwnColumn, codes: I64) -> Flags:
    """Whether a row of the population lies in a cell of the column that has a name, or is null."""
    if own.coding.is_set:
        # Of an unnamed category no label tells whether it is inside, but where none has a name all labels are of everything.
        named = own.codes != own.coding.other if len(own.coding.values) > 1 else own.codes >= 0
        return (own.codes == NULL) | ((own.codes >= 0) & named)
    if own.coding.kind in ("number", "date") and own.coding.cells:
        return (codes == NULL) | ((codes >= own.codes) & (codes <= own.coding.cell_end(own.codes)))
    return codes != -1


def outer_ends(coding: Coding, ends: tuple[int, int], common: tuple[bool, bool], k: int) -> tuple[int, int]:
    """The range of a column from its lowest and highest code, as numbers or days.

    An end that is not `common`, since fewer than k people hold it, is moved outward; a hierarchy reaches as far as its
    coarsest units.
    """
    low, high = ends
    if coding.taxonomy is not None:
        top = coding.taxonomy.ancestor_at(max(coding.taxonomy.levels - 2, 0))
        low, high = int(coding.taxonomy.first[top[low]]), int(coding.taxonomy.last[top[high]])
    else:
        roundest, spread = _ROUNDEST[coding.kind], (high - low) // k
        low = low if common[0] else roundest.below(low, spread)
        high = high if common[1] else roundest.above(high, spread) - 1
    lower, upper = coding.lower(np.array([low])), coding.upper(np.array([high]))
    return int(lower[0]), int(upper[0])


def _ordered(given: Coding, codes: I64, known: I64, who: I64, k: int) -> tuple[Coding, I64]:
    cells = _cells(given, known, who, k)
    if not len(cells.low):
        return replace(given, lowest=0, highest=len(given.values) - 1 if given.values else 0), codes
    pairs = tuple(zip(cells.low.tolist(), cells.high.tolist(), strict=True))
    ends = (given.lowest, given.highest) if given.kind == "ordered" else (pairs[0][0], pairs[-1][0])
    own = replace(given, lowest=ends[0], highest=ends[1], cells=pairs)
    return own, np.where(codes == NULL, NULL, cells.low[cells.of(codes)])


def _cells(given: Coding, known: I64, who: I64, k: int) -> Cells:
    return ordered_cells(holders(known, who), k, _ROUNDEST[given.kind])


def _categories(given: Coding, codes: I64, known: I64, who: I64, k: int) -> tuple[Coding, I64]:
    held = holders(known, who)
    texts = [given.values[code] for code in held.values.tolist()]
    named = [many and text != OTHERS for many, text in zip((held.people >= k).tolist(), texts, strict=True)]
    values = [text for text, is_named in zip(texts, named, strict=True) if is_named]
    rare = len(values) < len(texts)
    names = (*values, OTHERS) if rare else tuple(values)
    own = replace(given, values=names, highest=max(len(names) - 1, 0), other=len(values) if rare else -1)
    place = np.full(len(given.values), own.other, dtype=np.int64)
    place[held.values[np.array(named, dtype=bool)]] = np.arange(len(values))
    if not len(place):
        return own, codes
    return own, np.where(codes >= 0, place[np.maximum(codes, 0)], codes)

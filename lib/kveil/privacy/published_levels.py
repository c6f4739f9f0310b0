"""One partition of a full-domain release, as it is published: its classes, and what their values show, of nothing else."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.classes import Part
from kveil.privacy.coding import NULL, Coding, Columns
from kveil.privacy.full_domain import FrozenLevels, node_numbers

I64 = NDArray[np.int64]


@dataclass(frozen=True)
class PublishedColumn:
    """A column's released values at its `level`, numbered by `coding`, and what each shows; last in each list what null shows.

    `whole` says that every value shows the same. A number or date without lists shows itself. `shares` says which share of
    the domain a hierarchy's label leaves open.
    """

    coding: Coding
    whole: bool
    labels: list[str | None]
    lowest: list[int]
    highest: list[int]
    representatives: list[Any]
    shares: dict[str, float]
    level: int = 0

    def places(self, rows: Columns) -> I64:
        """The number of each row's value: -1 for null, -2 for what was not released (nearest, for numbers and days)."""
        column = rows[self.coding.name]
        if self.whole:
            return np.zeros(len(column), dtype=np.int64)
        codes = self.coding.codes(column)
        return np.where(codes == NULL, -1, np.where(codes < 0, -2, codes)) if self.labels else codes

    def is_released(self, rows: Columns) -> NDArray[np.bool_]:
        """Whether each row's value is one that a class shows."""
        column = rows[self.coding.name]
        if self.whole or not self.labels:
            return np.ones(len(column), dtype=bool)
        return self.coding.codes(column) != -1 if self.coding.is_text else self.coding.holds_value(column)

    def shows(self, part: Part, rows: Columns) -> NDArray[Any]:
        """See frozen.Frozen."""
        places = self.places(rows)
        if not self.labels:
            return _itself(self.coding, part, places)
        if part == "label":
            return np.array([*self.labels, "unlisted", None], dtype=object)[:-1][_at(places, len(self.labels))]
        if part == "bounds":
            ends = np.array([[*self.lowest, NULL], [*self.highest, NULL]], dtype=np.int64).T
            return np.asarray(ends[_at(places, len(self.labels))])
        kind = object if self.coding.is_text else np.float64
        unknown = None if self.coding.is_text else np.nan
        values = [unknown if value is None else value for value in (*self.representatives, None)]
        found = np.array([*values, None], dtype=object)[:-1] if kind is object else np.array(values, dtype=np.float64)
        return np.asarray(found[_at(places, len(self.labels))])


def _at(places: I64, size: int) -> I64:
    """Places in lists whose last but one is what null shows, and whose last is what was not released."""
    return np.where(places == -1, size - 1, np.where(places == -2, size, places))


def _itself(coding: Coding, part: Part, codes: I64) -> NDArray[Any]:
    missing = codes == NULL
    if part == "label":
        texts = [None if code == NULL else _text(coding, code) for code in codes.tolist()]
        return np.array([*texts, None], dtype=object)[:-1]
    if part == "bounds":
        return np.column_stack([coding.lower(codes), coding.upper(codes)])
    return np.where(missing, np.nan, coding.middle(np.where(missing, 0, codes)))


def _text(coding: Coding, code: int) -> str:
    low, high = coding.text(code), coding.text_of_end(code)
    return low if low == high else f"{low} .. {high}"


@dataclass(frozen=True)
class PublishedLevels:
    """The columns of a partition and its released classes [classes, d] as numbers of their values."""

    columns: tuple[PublishedColumn, ...]
    kept: I64

    @property
    def codings(self) -> tuple[Coding, ...]:
        """See frozen.Frozen."""
        return tuple(column.coding for column in self.columns)

    @property
    def shares(self) -> dict[str, dict[str, float]]:
        """See frozen.Frozen."""
        return {column.coding.name: column.shares for column in self.columns if column.shares}

    def shows(self, part: Part, rows: Columns) -> dict[str, NDArray[Any]]:
        """See frozen.Frozen."""
        return {column.coding.name: column.shows(part, rows) for column in self.columns}

    def covers(self, rows: Columns) -> NDArray[np.bool_]:
        """See frozen.Frozen."""
        found = np.column_stack([column.places(rows) for column in self.columns])
        released = np.logical_and.reduce([column.is_released(rows) for column in self.columns])
        return released & np.isin(_as_one(found), _as_one(self.kept))

    def fitting(self, part: Part, rows: Columns) -> tuple[I64, dict[str, NDArray[Any]]]:
        """See frozen.Frozen."""
        at = np.flatnonzero(self.covers(rows))
        return at, self.shows(part, {name: column[at] for name, column in rows.items()})

    def numbers(self, rows: Columns) -> I64:
        """See frozen.Frozen."""
        return node_numbers(np.column_stack([column.places(rows) for column in self.columns]))

    def to_bytes(self) -> bytes:
        """As a numpy archive that holds no pickles."""
        document = [
            {**{key: value for key, value in vars(column).items() if key != "coding"}, "coding": column.coding.to_dict()}
            for column in self.columns
        ]
        text = np.frombuffer(json.dumps(document).encode(), dtype=np.uint8)
        buffer = io.BytesIO()
        np.savez(buffer, kept=self.kept, text=text)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "PublishedLevels":
        """The partition that `to_bytes` wrote."""
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            document, kept = json.loads(archive["text"].tobytes().decode()), archive["kept"]
        return cls(tuple(PublishedColumn(**{**each, "coding": Coding.from_dict(each["coding"])}) for each in document), kept)


def is_levels(data: bytes) -> bool:
    """Whether a frozen generalizer's bytes are levels rather than a tree."""
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return "kept" in archive.files


def published_levels(levels: FrozenLevels, kept: I64) -> PublishedLevels:
    """What is published of the levels for a partition whose released classes have these generalized ids [classes, d]."""
    columns, numbers = [], []
    for i, level in enumerate(levels.levels):
        column, number = _column(levels, i, kept[:, i])
        columns.append(replace(column, level=level))
        numbers.append(number)
    return PublishedLevels(tuple(columns), np.unique(np.column_stack(numbers), axis=0))


def _column(levels: FrozenLevels, i: int, ids: I64) -> tuple[PublishedColumn, I64]:
    """The column and each class's number of its value in it."""
    given = levels.codings[i]
    if levels.is_top(i):
        any_code = np.array([given.lowest])
        return _shown(levels, given, _plain(given), any_code, True), np.zeros(len(ids), dtype=np.int64)
    if given.taxonomy is None and not given.is_text:
        return PublishedColumn(replace(given, lowest=0, highest=0), False, [], [], [], [], {}), ids
    found = np.unique(ids[ids >= 0])
    number = np.where(ids >= 0, np.searchsorted(found, ids), -1)
    if given.taxonomy is None:
        names = tuple(given.values[code] for code in found.tolist())
        return _shown(levels, given, replace(_plain(given), values=names), found, False), number
    first = given.taxonomy.first[found].astype(np.int64)
    column = _shown(levels, given, _of_nodes(levels, i, found), first, False)
    sizes = given.taxonomy.sizes[found]
    total = max(int(sizes.sum()) - 1, 1)
    shares = {str(label): min(float(size - 1) / total, 1.0) for label, size in zip(column.labels, sizes.tolist(), strict=False)}
    return replace(column, shares=shares), number


def _plain(given: Coding) -> Coding:
    """A coding of the same name and type that knows no value."""
    kind = "category" if given.is_text else given.holds
    return Coding(given.name, "number" if kind == "number" else "date" if kind == "date" else "category", given.step)


def _of_nodes(levels: FrozenLevels, i: int, nodes: I64) -> Coding:
    """How a value finds its node: by the node's range or, of texts, by the leaves of the list or the form that prefixes share."""
    given, level = levels.codings[i], levels.levels[i]
    taxonomy = given.taxonomy
    assert taxonomy is not None  # the caller's condition
    if not given.is_text:
        cells = tuple((given.cells[taxonomy.first[node]][0], given.cells[taxonomy.last[node]][1]) for node in nodes.tolist())
        return Coding(given.name, "taxonomy", leaves_hold=given.holds, cells=cells)
    if given.prefix is not None:
        length, mask, steps = given.prefix
        form = (0, *steps)[level]
        routes = {taxonomy.names[node]: place for place, node in enumerate(nodes.tolist())}
        return replace(_plain(given), routes=routes or {"": -1}, prefix=(length, mask, (form,)))
    leaves = [(name, place) for place, node in enumerate(nodes.tolist()) for name in taxonomy.names_under(node)]
    routes = dict(leaves)
    other = routes.get(taxonomy.leaf_names[given.other], -1) if given.other >= 0 else -1
    return replace(_plain(given), routes=routes, other=other)


def _shown(levels: FrozenLevels, given: Coding, coding: Coding, codes: I64, whole: bool) -> PublishedColumn:
    """What codes, one for each released value, and null show."""
    shown = levels.shown(given.name, np.append(codes, NULL))
    values: Sequence[Any] = shown.representative.tolist()
    if given.is_text:
        names = [None if value == NULL else given.values[int(value)] for value in values]
    else:
        names = [None if np.isnan(value) else value for value in values]
    return PublishedColumn(coding, whole, shown.labels, shown.lowest.tolist(), shown.highest.tolist(), names, {})


def _as_one(ids: I64) -> NDArray[Any]:
    """Rows of ids as single values that compare equal where the rows do."""
    rows = np.ascontiguousarray(ids, dtype=np.int64)
    return rows.view([("", np.int64)] * rows.shape[1]).reshape(-1)

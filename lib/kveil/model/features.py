"""Rows to numbers: the same encoding for training, judging and serving, as plain numpy.

Categories become the smoothed mean label of their value (Micci-Barreca, "A preprocessing scheme for high-cardinality
categorical attributes in classification and prediction problems", SIGKDD Explorations 3(1), 2001).
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["number", "date", "ordered", "category"]
Column = NDArray[Any]
Matrix = NDArray[np.float64]

SMOOTHING = 20.0
"""Rows that the prior counts for against a category's own mean."""


def smoothed_mean(rows: float, positives: float, prior: float) -> float:
    """A category's encoding, (n*mean + m*prior) / (n + m) with m = SMOOTHING; the prior when it has no rows."""
    return (positives + SMOOTHING * prior) / (rows + SMOOTHING)


@dataclass(frozen=True)
class Encoding:
    """How one feature becomes a number.

    number: its value. date: its day of the month, 1 to 31. ordered: the index that `values` holds for the text.
    category: the smoothed mean label that `values` holds for the text. `missing` stands for null; `unseen` stands for
    a text that `values` does not hold. All encodings are finite.
    """

    name: str
    kind: Kind
    missing: float
    unseen: float
    values: Mapping[str, float] = field(default_factory=dict)

    def encode(self, column: Column) -> Matrix:
        """Float64 [n] of a column: float64 with NaN (number), datetime64[D] with NaT (date), or objects with None."""
        if self.kind == "number":
            return self._filled(np.asarray(column, dtype=np.float64))
        if self.kind == "date":
            return self._filled(day_of_month(column))
        table: dict[str | None, float] = {None: self.missing}
        table.update(self.values)
        return np.fromiter((table.get(text, self.unseen) for text in column), np.float64, len(column))

    def _filled(self, numbers: Matrix) -> Matrix:
        return np.where(np.isnan(numbers), self.missing, numbers)


@dataclass(frozen=True)
class FeatureMap:
    """The encodings of all features, in the order of the matrix's columns."""

    encodings: tuple[Encoding, ...]

    @property
    def names(self) -> list[str]:
        """The features' names, in order."""
        return [encoding.name for encoding in self.encodings]

    def matrix(self, rows: Mapping[str, Column]) -> Matrix:
        """Float64 [n, d], all finite where numbers are, of columns named like the features; KeyError where one lacks."""
        columns = [encoding.encode(rows[encoding.name]) for encoding in self.encodings]
        return np.column_stack(columns) if columns else np.empty((0, 0))

    def to_dict(self) -> dict[str, Any]:
        """The map as JSON values; exact, since JSON keeps every digit of a float."""
        return {"encodings": [asdict(encoding) for encoding in self.encodings]}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "FeatureMap":
        """The map that `to_dict` gave."""
        return cls(tuple(Encoding(**encoding) for encoding in document["encodings"]))


def number_encoding(name: str, mean: float | None) -> Encoding:
    """Numbers as they are; null as the training mean (0 when training saw none)."""
    return _filling(name, "number", mean)


def date_encoding(name: str, mean: float | None) -> Encoding:
    """Dates as day of the month; null as the training mean of it (0 when training saw none)."""
    return _filling(name, "date", mean)


def ordered_encoding(name: str, order: list[str], mean: float | None) -> Encoding:
    """Texts as their index in `order`; null and texts outside it as the training mean index (0 when training saw none)."""
    return _filling(name, "ordered", mean, {text: float(index) for index, text in enumerate(order)})


def category_encoding(name: str, counts: Mapping[str | None, tuple[int, float]], prior: float) -> Encoding:
    """Texts as their smoothed mean label, from (rows, positives) per text; null is a category, the unseen get the prior."""
    values = {text: smoothed_mean(*counted, prior) for text, counted in counts.items() if text is not None}
    return Encoding(name, "category", smoothed_mean(*counts.get(None, (0, 0.0)), prior), prior, values)


def day_of_month(dates: Column) -> Matrix:
    """1 to 31 as float64, NaN for NaT, of datetime64 values."""
    days = np.asarray(dates, dtype="datetime64[D]")
    number = (days - days.astype("datetime64[M]").astype("datetime64[D]")) / np.timedelta64(1, "D") + 1
    return np.asarray(number, dtype=np.float64)


def _filling(name: str, kind: Kind, mean: float | None, values: Mapping[str, float] | None = None) -> Encoding:
    fill = 0.0 if mean is None or not math.isfinite(mean) else mean
    return Encoding(name, kind, fill, fill, values or {})

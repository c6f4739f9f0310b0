"""Quasi-identifier values as integer codes and back: numbers on a grid, days, ordered values, categories, taxonomy leaves.

Codes are int64. NULL is a value of its own, below every other code. NaN counts as null.
"""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.taxonomy import Taxonomy

I64 = NDArray[np.int64]
NULL = np.int64(-(2**62))
_FARTHEST = 2**52

Kind = Literal["number", "date", "ordered", "category", "taxonomy"]
Holds = Literal["text", "number", "date"]


@dataclass(frozen=True)
class Coding:
    """How one column is coded. `values` are the ordered values, the categories found or the taxonomy's leaves; `lowest`
    and `highest` the codes of the whole table's extremes, which labels and information loss are measured against.

    A taxonomy's leaves are texts, or cells of numbers or days: leaf i covers `cells[i]`, a pair of its lowest and highest
    value, ascending. A text that the taxonomy misses gets the code `other`: its catch-all leaf, or -1.
    """

    name: str
    kind: Kind
    step: int = 1
    values: tuple[str, ...] = ()
    lowest: int = 0
    highest: int = 0
    taxonomy: Taxonomy | None = None
    leaves_hold: Holds = "text"
    cells: tuple[tuple[int, int], ...] = ()
    other: int = -1

    @classmethod
    def of_taxonomy(
        cls,
        name: str,
        taxonomy: Taxonomy,
        holds: Holds = "text",
        cells: tuple[tuple[int, int], ...] = (),
        other: str = "",
    ) -> "Coding":
        """The coding of a column whose values are a taxonomy's leaves."""
        leaves = taxonomy.leaf_names
        code = leaves.index(other) if other else -1
        return cls(name, "taxonomy", 1, leaves, 0, len(leaves) - 1, taxonomy, holds, cells, code)

    @property
    def holds(self) -> Holds:
        """What the column holds; numbers and days have bounds and a mean, texts have neither."""
        if self.kind == "taxonomy":
            return self.leaves_hold
        return "number" if self.kind == "number" else "date" if self.kind == "date" else "text"

    @property
    def is_set(self) -> bool:
        """Whether values have no order, so that classes hold sets of them."""
        return self.kind == "category"

    @property
    def is_text(self) -> bool:
        """Whether codes stand for listed texts."""
        return self.holds == "text"

    @property
    def span(self) -> int:
        """The distance between the table's extremes; at least 1."""
        return max(self.highest - self.lowest, 1)

    def codes(self, column: NDArray[Any]) -> I64:
        """Codes of a column of floats (NaN for null), datetime64[D] (NaT for null) or texts (None for null).

        A text that is not listed gets the code -1 (below every listed value, above null, in no set) or the catch-all's.
        A number or day outside a taxonomy's cells gets the nearest cell below it, or the first.
        """
        if self.holds == "text":
            index, other = self._code_of, self.other
            return np.array([NULL if text is None else index.get(text, other) for text in column], dtype=np.int64)
        found = self._of_numbers(column.astype(np.float64)) if self.holds == "number" else _of_days(column)
        if self.kind != "taxonomy":
            return found
        cells = np.searchsorted(self._ends[0], found, side="right") - 1
        return np.where(found == NULL, NULL, np.maximum(cells, 0))

    def _of_numbers(self, column: NDArray[np.float64]) -> I64:
        missing = np.isnan(column)
        # floor_divide, since dividing first rounds the smallest negative numbers up to zero.
        with np.errstate(invalid="ignore"):
            cells = np.floor_divide(np.clip(np.where(missing, 0.0, column), -_FARTHEST, _FARTHEST), self.step)
        return np.where(missing, NULL, cells.astype(np.int64))

    @cached_property
    def _code_of(self) -> dict[str, int]:
        return {value: code for code, value in enumerate(self.values)}

    @cached_property
    def _ends(self) -> tuple[I64, I64]:
        cells = np.array(self.cells, dtype=np.int64).reshape(-1, 2)
        return cells[:, 0], cells[:, 1]

    def lower(self, codes: I64) -> I64:
        """The lowest number or day of each code's cell; NULL stays NULL."""
        return self._in_units(codes, 0)

    def upper(self, codes: I64) -> I64:
        """The highest whole number or day of each code's cell; NULL stays NULL."""
        return self._in_units(codes, 1)

    def middle(self, codes: I64) -> NDArray[np.float64]:
        """The middle of each code's cell, of codes that are not NULL."""
        return (self.lower(codes).astype(np.float64) + self.upper(codes)) / 2

    def _in_units(self, codes: I64, end: int) -> I64:
        missing = codes == NULL
        known = np.where(missing, 0, codes)
        found = self._ends[end][known] if self.kind == "taxonomy" else known * self.step + end * (self.step - 1)
        return np.where(missing, NULL, found)

    def text(self, code: int) -> str:
        """A single value's text; for numbers the cell's lowest value."""
        if self.kind not in ("number", "date"):
            return self.values[code] if code >= 0 else "unlisted"
        return str(np.datetime64(code, "D")) if self.kind == "date" else str(code * self.step)

    def text_of_end(self, code: int) -> str:
        """The text of a range's upper end; for numbers the cell's highest whole value."""
        return str(code * self.step + self.step - 1) if self.kind == "number" else self.text(code)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.taxonomy is None:
            return {**plain, "values": list(self.values)}
        # The leaves' names are the taxonomy's.
        return {**plain, "values": [], "taxonomy": self.taxonomy.to_dict()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Coding":
        """The coding that `to_dict` described."""
        taxonomy = Taxonomy.from_dict(values["taxonomy"]) if values.get("taxonomy") else None
        texts = taxonomy.leaf_names if taxonomy else tuple(values["values"])
        cells = tuple((low, high) for low, high in values.get("cells", ()))
        return cls(**{**values, "values": texts, "taxonomy": taxonomy, "cells": cells})


def _of_days(column: NDArray[Any]) -> I64:
    days = column.astype("datetime64[D]")
    return np.where(np.isnat(days), NULL, days.astype(np.int64))

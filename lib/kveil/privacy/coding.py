"""Quasi-identifier values as integer codes and back: numbers on a grid, days, ordered values, categories, taxonomy leaves.

Codes are int64. NULL is a value of its own, below every other code. NaN counts as null.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.taxonomy import Taxonomy

I64 = NDArray[np.int64]
Columns = Mapping[str, NDArray[Any]]
NULL = np.int64(-(2**62))
_FARTHEST = 2**52

Kind = Literal["number", "date", "ordered", "category", "taxonomy"]
Holds = Literal["text", "number", "date"]


@dataclass(frozen=True)
class Coding:
    """How one column is coded. `values` are the ordered values, the categories found or the taxonomy's leaves; `lowest`
    and `highest` the codes of the extremes, which labels and information loss are measured against.

    A taxonomy's leaves are texts, or cells of numbers or days: leaf i covers `cells[i]`, a pair of its lowest and highest
    value, ascending. Cells of another column hold codes: all codes of a cell become its lowest. A text that `values` misses
    gets the code that `routes` gives to it or, masked as `prefix` (length, mask, steps) says, to the first form that it
    knows; else `other`: the code of what is not named, or -1. `sizes` says for how many leaves a taxonomy's nodes stand.
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
    routes: Mapping[str, int] = field(default_factory=dict, hash=False)
    prefix: tuple[int, str, tuple[int, ...]] | None = None
    sizes: tuple[int, ...] = ()

    @classmethod
    def of_taxonomy(
        cls,
        name: str,
        taxonomy: Taxonomy,
        holds: Holds = "text",
        cells: tuple[tuple[int, int], ...] = (),
        other: str = "",
        prefix: tuple[int, str, tuple[int, ...]] | None = None,
    ) -> "Coding":
        """The coding of a column whose values are a taxonomy's leaves."""
        leaves = taxonomy.leaf_names
        code = leaves.index(other) if other else -1
        return cls(name, "taxonomy", 1, leaves, 0, len(leaves) - 1, taxonomy, holds, cells, code, prefix=prefix)

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

    @property
    def shares(self) -> dict[str, float]:
        """Which share of the domain, from 0 to 1, each node of its hierarchy leaves open."""
        assert self.taxonomy is not None  # the caller's condition
        sizes = self.sizes or tuple(self.taxonomy.sizes.tolist())
        most = max(sizes[0] - 1, 1)
        return {name: (size - 1) / most for name, size in zip(self.taxonomy.names, sizes, strict=True)}

    def codes(self, column: NDArray[Any]) -> I64:
        """Codes of a column of floats (NaN for null), datetime64[D] (NaT for null) or texts (None for null).

        A text that is not listed gets the code -1 (below every listed value, above null, in no set) or that of others.
        A number or day outside all cells gets the nearest cell below it, or the first.
        """
        if self.holds == "text":
            found = np.array([NULL if text is None else self._of_text(text) for text in column], dtype=np.int64)
            return self._in_cells(found) if self.kind == "ordered" else found
        found = self._of_numbers(column.astype(np.float64)) if self.holds == "number" else _of_days(column)
        return self._in_cells(found)

    def _in_cells(self, found: I64) -> I64:
        """Codes of cells, where there are any."""
        if not self.cells:
            return found
        low = self._ends[0]
        cells = np.maximum(np.searchsorted(low, found, side="right") - 1, 0)
        return np.where(found < -(2**61), found, cells if self.kind == "taxonomy" else low[cells])

    def holds_value(self, column: NDArray[Any]) -> NDArray[np.bool_]:
        """Whether each value of a column of numbers or days, as `codes` takes it, lies in a cell or is null."""
        found = self._of_numbers(column.astype(np.float64)) if self.holds == "number" else _of_days(column)
        if not self.cells:
            return np.ones(len(found), dtype=bool)
        low, high = self._ends
        cells = np.maximum(np.searchsorted(low, found, side="right") - 1, 0)
        return (found == NULL) | ((found >= low[cells]) & (found <= high[cells]))

    def _of_text(self, text: str) -> int:
        code = self._code_of.get(text)
        if code is not None:
            return code
        if self.prefix is not None and self.routes:
            length, mask, steps = self.prefix
            if len(text) != length or mask in text:
                return self.other
            forms = (text[: length - step] + mask * step for step in steps)
            # In a hierarchy, what has no form that is known goes with the first of all.
            unknown = self.other if self.taxonomy is None else 0
            return next((self.routes[form] for form in (text, *forms) if form in self.routes), unknown)
        return self.routes.get(text, self.other)

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

    def middles_of_range(self, lower: I64, upper: I64) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The middles of the first and the last cell of `step` in ranges of numbers or days; NaN where they are
        NULL. The cells of a grid are taken to be alike.
        """
        width = self.cells[0][1] - self.cells[0][0] if self.kind == "taxonomy" else self.step - 1 if self.kind == "number" else 0
        half = width / 2
        ends = np.where(lower == NULL, np.nan, lower), np.where(upper == NULL, np.nan, upper)
        return ends[0] + half, ends[1] - half

    def _in_units(self, codes: I64, end: int) -> I64:
        missing = codes == NULL
        known = np.where(missing, 0, codes)
        if self.is_text:
            found = known
        elif self.kind == "taxonomy":
            found = self._ends[end][known]
        else:
            found = (self.cell_end(known) if end else known) * self.step + end * (self.step - 1)
        return np.where(missing, NULL, found)

    def cell_end(self, codes: I64) -> I64:
        """The highest code of each code's cell; the code itself where there are no cells."""
        if not self.cells:
            return codes
        low, high = self._ends
        return high[np.maximum(np.searchsorted(low, codes, side="right") - 1, 0)]

    def text(self, code: int) -> str:
        """A single value's text; for numbers the cell's lowest value."""
        if self.kind not in ("number", "date"):
            return self.values[code] if code >= 0 else "unlisted"
        return str(np.datetime64(code, "D")) if self.kind == "date" else str(code * self.step)

    def text_of_end(self, code: int) -> str:
        """The text of a range's upper end; for numbers the cell's highest whole value."""
        end = int(self.cell_end(np.array([code]))[0])
        return str(end * self.step + self.step - 1) if self.kind == "number" else self.text(end)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
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
        prefix = values.get("prefix")
        return cls(
            **{
                **values,
                "values": texts,
                "taxonomy": taxonomy,
                "cells": cells,
                "prefix": (prefix[0], prefix[1], tuple(prefix[2])) if prefix else None,
                "sizes": tuple(values.get("sizes", ())),
            }
        )


def _of_days(column: NDArray[Any]) -> I64:
    days = column.astype("datetime64[D]")
    return np.where(np.isnat(days), NULL, days.astype(np.int64))


def codes_of_rows(codings: Sequence[Coding], rows: Columns) -> I64:
    """Codes [n, d] of rows that are columns of raw values."""
    return np.column_stack([coding.codes(rows[coding.name]) for coding in codings])


def named(coding: Coding, values: NDArray[Any]) -> NDArray[Any]:
    """Codes of a text column as texts (None for NULL); the values of any other column as they are."""
    if not coding.is_text:
        return values
    names = np.array([*coding.values, None], dtype=object)
    return np.asarray(names[np.where(values == NULL, len(coding.values), values)])

"""Quasi-identifier values as integer codes and back: numbers on a grid, days, ordered values, categories.

Codes are int64. NULL is a value of its own, below every other code. NaN counts as null.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
NULL = np.int64(-(2**62))
_FARTHEST = 2**52

Kind = Literal["number", "date", "ordered", "category"]


@dataclass(frozen=True)
class Coding:
    """How one column is coded. `values` are the ordered values or the categories found; `lowest` and `highest` the
    codes of the whole table's extremes, which labels and information loss are measured against.
    """

    name: str
    kind: Kind
    step: int = 1
    values: tuple[str, ...] = ()
    lowest: int = 0
    highest: int = 0

    @property
    def is_set(self) -> bool:
        """Whether values have no order, so that classes hold sets of them."""
        return self.kind == "category"

    @property
    def is_text(self) -> bool:
        """Whether codes stand for listed texts."""
        return self.kind in ("ordered", "category")

    @property
    def span(self) -> int:
        """The distance between the table's extremes; at least 1."""
        return max(self.highest - self.lowest, 1)

    def codes(self, column: NDArray[Any]) -> I64:
        """Codes of a column of floats (NaN for null), datetime64[D] (NaT for null) or texts (None for null).

        A text that is not listed gets the code -1: below every listed value, above null, in no set.
        """
        if self.kind == "number":
            return self._of_numbers(column.astype(np.float64))
        if self.kind == "date":
            days = column.astype("datetime64[D]")
            return np.where(np.isnat(days), NULL, days.astype(np.int64))
        index = {value: code for code, value in enumerate(self.values)}
        return np.array([NULL if text is None else index.get(text, -1) for text in column], dtype=np.int64)

    def _of_numbers(self, column: NDArray[np.float64]) -> I64:
        missing = np.isnan(column)
        # floor_divide, since dividing first rounds the smallest negative numbers up to zero.
        with np.errstate(invalid="ignore"):
            cells = np.floor_divide(np.clip(np.where(missing, 0.0, column), -_FARTHEST, _FARTHEST), self.step)
        return np.where(missing, NULL, cells.astype(np.int64))

    def text(self, code: int) -> str:
        """A single value's text; for numbers the cell's lowest value."""
        if self.is_text:
            return self.values[code] if code >= 0 else "unlisted"
        return str(np.datetime64(code, "D")) if self.kind == "date" else str(code * self.step)

    def text_of_end(self, code: int) -> str:
        """The text of a range's upper end; for numbers the cell's highest whole value."""
        return str(code * self.step + self.step - 1) if self.kind == "number" else self.text(code)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {**self.__dict__, "values": list(self.values)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Coding":
        """The coding that `to_dict` described."""
        return cls(**{**values, "values": tuple(values["values"])})

"""A column's distinct values, and what they are taken for."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kveil.profile.concepts import RoleHint

MOST_VALUES = 3_000
"""Distinct values of a column that detectors look at."""

_KINDS_OF_NUMBER = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")


@dataclass(frozen=True)
class Values:
    """A column's distinct values as texts [n] with the rows of each [n], most frequent first, and its SQL type.

    `distinct` counts all of the sample's distinct values, of which there may be more than are given, `rows` its rows with one.
    """

    name: str
    type: str
    texts: pa.Array
    counts: NDArray[np.int64]
    distinct: int
    rows: int

    @property
    def is_number(self) -> bool:
        """Whether the SQL type is one of numbers."""
        return self.type.startswith(_KINDS_OF_NUMBER)

    @property
    def is_time(self) -> bool:
        """Whether the SQL type is one of days or moments."""
        return self.type.startswith(("date", "timestamp"))


@dataclass(frozen=True)
class Guess:
    """A semantic type, the role that it suggests, how sure both are (0 to 1), and the evidence in words, without any value.

    `proven` tells whether values show it, not a name alone. `pattern` is that of dates, `rival` one that reads as many.
    """

    semantic: str
    role: RoleHint | None
    confidence: float
    evidence: str
    proven: bool = False
    pattern: str = ""
    rival: str = ""


def of_texts(name: str, type_: str, texts: pa.Array) -> Values:
    """The distinct values of a column of texts [n]; nulls are left out."""
    counted = pc.value_counts(pc.drop_null(texts))
    values, counts = counted.field("values"), counted.field("counts").to_numpy(zero_copy_only=False)
    # Equally frequent values in the order of their texts, so that the order of rows decides nothing.
    keys = [("counts", "descending"), ("values", "ascending")]
    table = pa.table({"counts": pa.array(counts), "values": values})
    order = pc.sort_indices(table, sort_keys=keys)[:MOST_VALUES]
    kept = values.take(order)
    return Values(name, type_, kept, counts[order.to_numpy()], len(values), int(counts.sum()))


def percent(share: float) -> str:
    """A share in words: whole percents, below one with a decimal."""
    return f"{share:.0%}" if share >= 0.01 or not share else f"{share:.1%}"

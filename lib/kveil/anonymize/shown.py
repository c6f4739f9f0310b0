"""What a class shows of a quasi-identifier, as Arrow columns: label, bounds and representative."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kveil.privacy.classes import Shown
from kveil.privacy.coding import NULL, Coding


def shown_columns(coding: Coding, column: Shown, classes: pa.Array, wanted: Sequence[str]) -> dict[str, pa.Array]:
    """Per wanted column of a quasi-identifier, what each row's class shows."""
    shows: dict[str, Callable[[], pa.Array]] = {
        coding.name: lambda: pa.array(column.labels, pa.string()),
        f"{coding.name}_lo": lambda: _bound(coding, column.lowest),
        f"{coding.name}_hi": lambda: _bound(coding, column.highest),
        f"{coding.name}_rep": lambda: _representative(coding, column.representative),
    }
    return {name: made().take(classes) for name, made in shows.items() if name in wanted}


def _bound(coding: Coding, values: NDArray[np.int64]) -> pa.Array:
    missing = values == NULL
    if coding.holds == "date":
        return pa.array(np.where(missing, 0, values).astype(np.int32), pa.int32(), mask=missing).cast(pa.date32())
    return pa.array(np.where(missing, 0, values), mask=missing)


def _representative(coding: Coding, values: NDArray[Any]) -> pa.Array:
    if coding.is_text:
        missing = values == NULL
        return pa.array(coding.values, pa.string()).take(pa.array(np.where(missing, 0, values), mask=missing))
    missing = np.isnan(values)
    if coding.holds == "date":
        days = np.round(np.where(missing, 0, values)).astype(np.int32)
        return pa.array(days, pa.int32(), mask=missing).cast(pa.date32())
    return pa.array(values, mask=missing)

"""Numbers on a declared grid as whole numbers of its steps, and back, without floating point."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kveil.settings.noise import RowNoise

I64 = NDArray[np.int64]


def on_grid(column: pa.ChunkedArray, role: RowNoise) -> I64:
    """How many steps each value holds, rounded down; null is 0, and what 64 bits do not hold is the least or greatest number."""
    if not pa.types.is_decimal(column.type):
        return pc.fill_null(pc.cast(column, pa.int64()), 0).to_numpy(zero_copy_only=False) // int(role.step)
    rounded = pc.cast(pc.round(pc.fill_null(column, 0), role.places, "down"), pa.decimal128(38, role.places))
    return _low_words(rounded.combine_chunks()) // _units(role)


def off_grid(steps: I64, missing: NDArray[np.bool_], role: RowNoise) -> pa.Array:
    """The numbers that so many steps are, as bigint or, where a step has decimals, decimal(38, places)."""
    units = steps * _units(role)
    if not role.places:
        return pa.array(units, mask=missing)
    words = np.column_stack([units, units >> 63])  # the sign fills the high word
    valid = pa.py_buffer(np.packbits(~missing, bitorder="little").tobytes())
    kind = pa.decimal128(38, role.places)
    return pa.Array.from_buffers(kind, len(steps), [valid, pa.py_buffer(words.astype("<i8").tobytes())])


def _units(role: RowNoise) -> int:
    return int(role.step.scaleb(role.places))


def _low_words(column: pa.Array) -> I64:
    words = np.frombuffer(column.buffers()[1], dtype="<i8").reshape(-1, 2)[column.offset : column.offset + len(column)]
    low, high = words[:, 0].astype(np.int64), words[:, 1]
    fits = high == low >> 63
    extremes = np.iinfo(np.int64)
    return np.where(fits, low, np.where(high < 0, extremes.min, extremes.max))

"""Arrow columns as blocks of 128 bits: what a row is told from others by."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kveil.privacy.text_blocks import text_blocks

U64 = NDArray[np.uint64]


def blocks_of(column: pa.ChunkedArray, key: bytes) -> U64:
    """Two words per value [n, 2], equal for equal values and, but for accidents that the key hides, only then."""
    column = column.combine_chunks()
    kind = column.type
    if pa.types.is_date32(kind) or pa.types.is_time32(kind):
        return _of_numbers(pc.cast(column, pa.int32()))
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_temporal(kind):
        return _of_numbers(column)
    if pa.types.is_floating(kind):
        doubles = pc.fill_null(pc.cast(column, pa.float64()), 0.0).to_numpy(zero_copy_only=False)
        return np.column_stack([doubles.view(np.uint64), missing(column).astype(np.uint64)])
    return _of_texts(column, key)


def missing(column: pa.Array | pa.ChunkedArray) -> NDArray[np.bool_]:
    """Which values are null."""
    return pc.is_null(column).to_numpy(zero_copy_only=False).astype(bool)


def _of_numbers(column: pa.Array) -> U64:
    values = pc.fill_null(pc.cast(column, pa.int64()), 0).to_numpy(zero_copy_only=False)
    return np.column_stack([values.view(np.uint64), missing(column).astype(np.uint64)])


def _of_texts(column: pa.Array, key: bytes) -> U64:
    """Of each distinct text once; what is neither number nor text as Arrow writes it down. Null is a block of its own."""
    encoded = pc.dictionary_encode(column)
    words = encoded.dictionary
    if not pa.types.is_binary(words.type):
        words = pc.cast(words, pa.string())
    words = pc.cast(words, pa.large_binary())
    ends = np.frombuffer(words.buffers()[1], np.int64, len(words) + 1, 8 * words.offset)
    octets = words.buffers()[2]
    told = text_blocks(key, b"" if octets is None else octets.to_pybytes(), ends)
    null = np.array([[0, 1]], dtype=np.uint64)
    places = pc.fill_null(encoded.indices, len(words)).to_numpy(zero_copy_only=False)
    return np.concatenate([told, null])[places]

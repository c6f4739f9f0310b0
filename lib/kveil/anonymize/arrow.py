"""Arrow columns as the numbers that the kernels count with."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kveil.privacy.coding import NULL, Coding

I64 = NDArray[np.int64]


def codes_of(column: pa.ChunkedArray, coding: Coding) -> I64:
    """The column's codes [n], as `Coding.codes` gives them; each different text is looked up once."""
    if not coding.is_text:
        return coding.codes(numpy_of(column, coding))
    texts = pc.dictionary_encode(pc.cast(column, pa.string())).combine_chunks()
    encoded = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    codes = np.append(coding.codes(np.array([*encoded.dictionary.to_pylist(), None], dtype=object)[:-1]), NULL)
    places = pc.fill_null(encoded.indices, len(codes) - 1).to_numpy(zero_copy_only=False)
    return codes[places]


def numpy_of(column: pa.ChunkedArray, coding: Coding) -> NDArray[Any]:
    """A column of numbers or days as `Coding.codes` takes it."""
    if coding.holds == "date":
        return pc.cast(column, pa.date32()).to_numpy(zero_copy_only=False).astype("datetime64[D]")
    return pc.fill_null(pc.cast(column, pa.float64(), safe=False), float("nan")).to_numpy(zero_copy_only=False)


def of_all_batches(function: Callable[[pa.Table], pa.Table]) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """What `mapInArrow` calls so that all rows of a task reach `function` as one table; a task without rows yields none."""

    def made(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        held = [batch for batch in batches if batch.num_rows]
        if held:
            yield from function(pa.Table.from_batches(held)).to_batches()

    return made


def numbered(column: pa.ChunkedArray) -> I64:
    """Each value's number, from 0; null is a value of its own."""
    encoded = pc.dictionary_encode(column.combine_chunks(), null_encoding="encode")
    chunk = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    return chunk.indices.to_numpy(zero_copy_only=False).astype(np.int64)

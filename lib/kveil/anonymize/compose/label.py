"""The class that a clean row has in a release, by that release's frozen trees."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.arrow import numbered
from kveil.anonymize.columns import before, ddl
from kveil.anonymize.compose.known import Known
from kveil.anonymize.fragments import Key
from kveil.anonymize.kernel import POOL
from kveil.model.columns import from_arrow
from kveil.privacy.frozen import Frozen, frozen

_NO_VALUE = "\0"
_SPLIT = "split"


def class_id(partition_by: Sequence[str], number: Column) -> Column:
    """A class's id among all of its release: a hash of its partition and its number there; null where that is null."""
    texts = []
    for name in partition_by:
        text = F.coalesce(F.col(f"`{name}`").cast("string"), F.lit(_NO_VALUE))
        # Rows without cells lose their partition as well, all but the split.
        texts.append(text if name == _SPLIT else F.when(number == POOL, F.lit(_NO_VALUE)).otherwise(text))
    return F.when(number.isNotNull(), F.xxhash64(number, *texts))


def with_classes(rows: DataFrame, known: Sequence[Known]) -> DataFrame:
    """The rows beside the id of the class that each has in every known release, as `before(i)`; null where it has none.

    A row has a class where the release's trees lead it to one, whether or not it was there when the release was made.
    """
    types = dict(rows.dtypes) | {before(i): "bigint" for i in range(len(known))}

    def label(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        releases = [_Trees(each) for each in known]
        for batch in batches:
            table = pa.Table.from_batches([batch])
            more = [each.numbers(table) for each in releases]
            yield pa.RecordBatch.from_arrays([*batch.columns, *more], names=list(types))

    found = rows.mapInArrow(label, ddl(types))
    return found.withColumns({before(i): class_id(each.partition_by, F.col(before(i))) for i, each in enumerate(known)})


class _Trees:
    """A known release's frozen partitions, read once per task."""

    def __init__(self, release: Known) -> None:
        self._by, self._pooled = release.partition_by, release.pooled
        self._partitions: dict[Key, Frozen] = {key: frozen(trees) for key, trees in release.trees.items()}

    def numbers(self, table: pa.Table) -> pa.Array:
        """Each row's class number in its partition, null where it has none."""
        found, missing = np.zeros(table.num_rows, dtype=np.int64), np.ones(table.num_rows, dtype=bool)
        for key, at in self._rows_by_partition(table):
            partition = self._partitions.get(key)
            if partition is None:
                continue
            rows = from_arrow(table.take(pa.array(at)), {coding.name: coding.holds for coding in partition.codings})
            covered = partition.covers(rows)
            here = {name: column[covered] for name, column in rows.items()}
            found[at[covered]] = partition.numbers(here)
            missing[at[covered]] = False
        if self._pooled:
            found[missing], missing[:] = POOL, False
        return pa.array(found, mask=missing)

    def _rows_by_partition(self, table: pa.Table) -> Iterator[tuple[Key, NDArray[np.int64]]]:
        if not table.num_rows:
            return
        if not self._by:
            yield (), np.arange(table.num_rows)
            return
        numbers = np.column_stack([numbered(table[name]) for name in self._by])
        _, first, place = np.unique(numbers, axis=0, return_index=True, return_inverse=True)
        place = place.reshape(-1)
        texts = [pc.cast(table[name], pa.string()).take(pa.array(first)).to_pylist() for name in self._by]
        for number, key in enumerate(zip(*texts, strict=True)):
            yield key, np.flatnonzero(place == number)

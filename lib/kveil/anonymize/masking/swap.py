"""Columns whose values change places with others of their equivalence class, made when all rows of all classes are known."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.arrow import numbered, of_all_batches
from kveil.anonymize.identity import check_same, content
from kveil.anonymize.noise import Draws
from kveil.privacy.frequency import distinct_rows
from kveil.privacy.masking.swaps import swapped_rows
from kveil.privacy.randomness import KeyedBits, derived_key
from kveil.settings.anonymize import Anonymize
from kveil.settings.mask_checks import swapped_columns

ROWS_PER_TASK = 250_000
"""What one worker holds at once; a class is never parted, however large."""


def swapped(rows: DataFrame, settings: Anonymize, draws: Draws) -> DataFrame:
    """The release's rows with the values of each swapped column permuted within classes; the rows themselves where none is.

    Each column gets a permutation of its own, a function of the secret of `draws`, the column and what the rows hold: however the
    rows are parted among tasks, and whenever one is repeated, it is the same.
    """
    names = swapped_columns(settings.mask)
    if not names:
        return rows
    within = settings.class_columns()
    swaps = Swaps(tuple(names), tuple(within), draws)
    together = rows.repartition(1 + rows.count() // ROWS_PER_TASK, *[F.col(f"`{name}`") for name in within])
    return together.mapInArrow(of_all_batches(swaps.permuted), rows.schema)


@dataclass(frozen=True)
class Swaps:
    """The columns `names` to be permuted among rows that agree in the columns `within`, and what the permutations are made of."""

    names: tuple[str, ...]
    within: tuple[str, ...]
    draws: Draws

    def permuted(self, table: pa.Table) -> pa.Table:
        """The table, which must hold all rows of its classes, with these columns permuted."""
        keys = self.draws.row_keys(table)
        classes = _classes(table, self.within)
        cells = np.arange(table.num_rows)
        for name in self.names:
            bits = KeyedBits(derived_key(self.draws.secret, "swap", *self.draws.use, name), keys)
            source = swapped_rows(classes, keys, bits.words(cells, 2))
            place = table.column_names.index(name)
            table = table.set_column(place, table.schema.field(name), table[name].take(pa.array(source)))
        return table


def _classes(table: pa.Table, within: Iterable[str]) -> NDArray[np.int64]:
    return distinct_rows(np.column_stack([numbered(table[name]) for name in within]))[1]


def check_swapped(candidate: DataFrame, rows: DataFrame, settings: Anonymize) -> tuple[int, int]:
    """The candidate's content; GuaranteeError where its rows differ but for swapped columns, or a class holds other values."""
    names, within = swapped_columns(settings.mask), settings.class_columns()
    fixed = [name for name in rows.columns if name not in names]
    parts = {"candidate": fixed, **{f"candidate's classes in {name}": [*within, name] for name in names}}
    for what, columns in parts.items():
        found = content(candidate, columns)
        check_same(found, content(rows, columns), what)
    return content(candidate, rows.columns) if names else found

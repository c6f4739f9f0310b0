"""What is looked at of a source before steps are suggested: all values of columns with few, and some rows."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.clean.repair.counts import Counts, about_distinct, few_valued
from kveil.clean.repair.dependencies import Dependency, dependencies
from kveil.clean.repair.likeness import MOST_VALUES
from kveil.clean.suggest.words import known

MOST_ROWS = 20_000
"""Rows that are looked at one by one; chosen by their hash, so the same ones on any partitioning."""
_LONGEST_SEEN = 300
_TELLING = ("string", "int", "bigint", "date", "boolean")


@dataclass(frozen=True)
class Look:
    """A source's rows, declared types, the values of text columns with few of them, and a sample of rows as texts."""

    source: str
    rows: int
    types: Mapping[str, str]
    few: Counts
    sample: pa.Table

    @cached_property
    def texts(self) -> list[str]:
        """The text columns."""
        return [name for name, type_ in self.types.items() if type_ == "string"]

    @cached_property
    def dependencies(self) -> dict[str, list[Dependency]]:
        """Which columns tell which, in the sample; columns of amounts and moments, and words for nothing, tell nothing."""
        telling = [name for name, type_ in self.types.items() if type_ in _TELLING]
        return dependencies(pa.table({name: known(self.sample.column(name)) for name in telling}))

    @property
    def constant(self) -> list[str]:
        """The columns of one value or none."""
        return [name for name in self.types if self.rows > 1 and len(self.values(name)) < 2]

    def values(self, column: str) -> Mapping[str, int]:
        """A column's values with their cells: of all rows where it has few, else of the sample."""
        return self.few[column] if column in self.few else self._sampled[column]

    def seen(self, column: str) -> int:
        """The rows that `values` speaks of."""
        return self.rows if column in self.few else self.sample.num_rows

    @cached_property
    def _sampled(self) -> dict[str, dict[str, int]]:
        found = {name: Counter(self.sample.column(name).to_pylist()) for name in self.types}
        return {name: {value: count for value, count in values.items() if value is not None} for name, values in found.items()}


def look(source: str, rows: DataFrame, types: Mapping[str, str]) -> Look:
    """Four passes over the rows, whatever the number of columns. What is longer than 300 signs is seen by its beginning."""
    texts = [name for name, type_ in types.items() if type_ == "string"]
    seen = [F.left(F.col(name).cast("string"), F.lit(_LONGEST_SEEN)).alias(name) for name in types]
    sample = rows.select(*types).orderBy(F.xxhash64(*types)).limit(MOST_ROWS).select(*seen)
    return Look(source, rows.count(), types, few_valued(rows, about_distinct(rows, texts), MOST_VALUES), sample.toArrow())

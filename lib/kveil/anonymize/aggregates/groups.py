"""Groups whose keys nobody may know beforehand: which of them are shown is chosen privately, once per release."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from kveil.anonymize.aggregates.bounding import PERSON
from kveil.anonymize.aggregates.cells import CODE
from kveil.anonymize.aggregates.request import Request
from kveil.anonymize.contribution import bounded
from kveil.context import Context
from kveil.errors import ContractError
from kveil.privacy.randomness import KeyedBits, derived_key
from kveil.privacy.selection import kept
from kveil.settings.aggregates import Aggregate
from kveil.settings.group_keys import MOST_CELLS
from kveil.tables.schema import AGGREGATE_GROUPS
from kveil.tables.store import NO_STATISTICS

_NAME, _PEOPLE = "kveil_name", "kveil_people"


def kept_groups(ctx: Context, request: Request, rows: DataFrame, secret: bytes) -> DataFrame:
    """The unknown groups that are shown, numbered in CODE; kept in the restricted zone until the aggregate is published.

    A person counts in at most `contribution.groups` of them, those of the lowest keyed hashes of person and group.
    """
    asked, ref = request.asked, ctx.ref(AGGREGATE_GROUPS)
    columns = [F.col(f"`{column}`") for column in asked.unknown]
    assert asked.contribution.groups is not None  # the settings' condition
    pairs = rows.select(PERSON, *columns).dropna().distinct()
    counted = bounded(ctx.store, pairs, PERSON, asked.contribution.groups).groupBy(*columns)
    people = counted.agg(F.count(F.lit(1)).alias(_PEOPLE))
    named = people.withColumn(_NAME, F.substring(F.unhex(F.sha2(F.to_json(F.struct(*columns)), 256)), 1, 16))
    choice = _Choice.of(asked, derived_key(secret, "groups", request.release_id))
    chosen = named.mapInArrow(choice.function(), named.schema).select(*columns)
    numbered = chosen.withColumn(CODE, F.row_number().over(Window.orderBy(*columns)).cast("bigint") - 1)
    ctx.store.replace(ref, numbered, properties=NO_STATISTICS)
    found = ctx.store.read(ref)
    if (cells := found.count() * asked.public_cells) > MOST_CELLS:
        raise ContractError(
            f"anonymize.aggregates.{request.name}.group_by: {cells:,} groups would be shown, of at most {MOST_CELLS:,}; "
            "group by coarser keys"
        )
    return found


@dataclass(frozen=True)
class _Choice:
    """Which groups are shown, in Python workers: a function of their number of people and of a keyed word of their own."""

    key: bytes
    groups: int
    epsilon: Fraction
    delta: Fraction

    @classmethod
    def of(cls, asked: Aggregate, key: bytes) -> "_Choice":
        assert asked.selection is not None  # what unknown groups have
        assert asked.contribution.groups is not None
        return cls(key, asked.contribution.groups, Fraction(asked.selection.epsilon), Fraction(asked.selection.delta))

    def function(self) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
        """What `mapInArrow` calls."""
        return lambda batches: map(self.shown, batches)

    def shown(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The groups of a batch that are shown."""
        if not batch.num_rows:
            return batch
        names = np.frombuffer(b"".join(batch[_NAME].to_pylist()), dtype="<u8").reshape(-1, 2)
        words = KeyedBits(self.key, names).words(np.arange(len(names)))[:, 0]
        people = batch[_PEOPLE].to_numpy(zero_copy_only=False)
        return batch.filter(pa.array(kept(people, words, self.groups, self.epsilon, self.delta)))

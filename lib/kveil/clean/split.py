"""Who is held out: a secret, lasting choice per person, so that no person trains and judges a model."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.settings.clean import Split
from kveil.tables.keys import with_keyed_hash
from kveil.tables.store import TableStore

FEW_PEOPLE = 1_000_000
"""So many people's splits fit every executor's memory."""
_RANGE = 2**32


def person_splits(store: TableStore, persons: DataFrame, person: str, split: Split) -> DataFrame:
    """One row per distinct person: `person` and split (train or holdout).

    The first 32 bits of HMAC-SHA-256 of the id under the lake's key, as a share of their range, are below `holdout`
    for held-out people. Without the key nobody can tell who that is; with it the choice never changes.
    """
    hashed = with_keyed_hash(store, persons.select(person).distinct(), "split", F.col(person).cast("string"), "_kveil_hash")
    share = F.conv(F.substring("_kveil_hash", 1, 8), 16, 10).cast("bigint") / F.lit(_RANGE)
    return hashed.select(person, F.when(share < split.holdout, "holdout").otherwise("train").alias("split"))

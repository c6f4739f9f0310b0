"""At most so many rows per person: which ones depends on what the rows hold and a secret, not on where they lie."""

from collections.abc import Sequence

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from kveil.tables.keys import with_keyed_hash
from kveil.tables.store import TableStore

_KEY, _PLACE, _ORDER, _COUNT = "contribution", "kveil_place", "kveil_order", "kveil_count"


def bounded(store: TableStore, rows: DataFrame, person: str, most: int, told_by: Sequence[str] = ()) -> DataFrame:
    """The rows, of each person at most `most`: those of the lowest keyed hashes of the columns `told_by` (none: all). Rows equal
    in these may stand for one another.

    Only the rows of people who have more are sorted. Rows without a person stay; they are suppressed later.
    """
    over = rows.groupBy(F.col(person)).agg(F.count(F.lit(1)).alias(_COUNT)).where(F.col(_COUNT) > most).select(person)
    columns = [F.col(f"`{name}`") for name in rows.columns]
    # Two chains of 64 bits: what they do not tell apart would be chosen together.
    named = [F.col(f"`{name}`") for name in told_by or rows.columns]
    told = F.concat_ws(" ", F.xxhash64(*named).cast("string"), F.xxhash64(F.lit(_KEY), *named).cast("string"))
    hashed = with_keyed_hash(store, rows.join(over, person, "left_semi"), _KEY, told, _ORDER)
    placed = hashed.withColumn(_PLACE, F.row_number().over(Window.partitionBy(person).orderBy(_ORDER)))
    chosen = placed.where(F.col(_PLACE) <= most).select(*columns)
    return rows.join(over, person, "left_anti").select(*columns).unionByName(chosen)

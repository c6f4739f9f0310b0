"""Slices: clean rows that agree in the partition columns (without the split), which are released and paid for together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.identity import row_hash
from kveil.context import Context
from kveil.settings.anonymize import Anonymize
from kveil.tables.keys import with_keyed_hash
from kveil.tables.schema import RELEASE_SLICES

_KEY = "slices"


@dataclass(frozen=True)
class Slice:
    """Its values as JSON, its rows, the sum of their hashes, and a keyed hash of all that.

    The mark tells whether a slice changed. It is keyed, since the hash of a slice of one row could else be guessed.
    """

    name: str
    rows: int
    content: int
    mark: str


def slice_name(settings: Anonymize) -> Column:
    """A row's slice, as JSON; the same for all rows where only the split parts them."""
    by = settings.slice_columns
    return F.to_json(F.struct(*[F.col(f"`{name}`") for name in by])) if by else F.lit("{}")


def slices_of(ctx: Context, clean: DataFrame) -> list[Slice]:
    """The clean table's slices, in the order of their names, in one pass over the rows."""
    grouped = clean.groupBy(slice_name(ctx.policy.anonymize).alias("name")).agg(
        F.count(F.lit(1)).alias("rows"), F.sum(row_hash(clean.columns)).alias("content")
    )
    told = F.concat_ws(" ", F.lit(ctx.policy.name), "name", F.col("rows").cast("string"), F.col("content").cast("string"))
    marked = with_keyed_hash(ctx.store, grouped, _KEY, told, "mark").orderBy("name")
    return [Slice(row["name"], int(row["rows"]), int(row["content"]), row["mark"]) for row in marked.collect()]


def record_slices(ctx: Context, release_id: str, slices: Iterable[Slice], changed: Sequence[str] = ()) -> None:
    """Writes which slices a release added, and which of them the clean table no longer holds as they were."""
    rows: list[dict[str, Any]] = [
        {"release_id": release_id, "slice": each.name, "rows": each.rows, "mark": each.mark, "changed": each.name in changed}
        for each in slices
    ]
    ctx.store.replace_where(
        ctx.ref(RELEASE_SLICES), ctx.rows(RELEASE_SLICES, rows), policy=ctx.policy.name, release_id=release_id
    )


def released_slices(ctx: Context, lineage: Sequence[str]) -> dict[str, list[tuple[Slice, bool]]]:
    """Per release of a lineage the slices that it added, each with whether it was seen to be changed."""
    ref = ctx.ref(RELEASE_SLICES)
    found: dict[str, list[tuple[Slice, bool]]] = {release_id: [] for release_id in lineage}
    if not ctx.store.exists(ref):
        return found
    rows = ctx.store.read(ref).where((F.col("policy") == ctx.policy.name) & F.col("release_id").isin(list(lineage)))
    for row in rows.orderBy("slice").collect():
        found[row["release_id"]].append((Slice(row["slice"], row["rows"], 0, row["mark"]), row["changed"]))
    return found

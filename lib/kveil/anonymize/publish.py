"""From staging to a published release, and the destruction of what still knew the people."""

from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.columns import TREE, of_release
from kveil.anonymize.identity import check_same, content
from kveil.anonymize.ledger.heads import head_properties
from kveil.anonymize.masking.keys import KeyUse
from kveil.anonymize.masking.swap import check_swapped, swapped
from kveil.anonymize.noise import Draws
from kveil.anonymize.slices import slice_name
from kveil.anonymize.work import Work
from kveil.context import Context
from kveil.tables.heads import RELEASE_ID
from kveil.tables.schema import (
    CANDIDATE,
    COMPARED,
    FREQUENCIES,
    GENERALIZER,
    OVERLAPS,
    RELEASE,
    RELEASE_SECRET,
    STAGING,
    TRAJECTORIES,
    TRIED,
)
from kveil.tables.store import NO_STATISTICS

_LINK = (STAGING, CANDIDATE, FREQUENCIES, TRAJECTORIES, RELEASE_SECRET, COMPARED, TRIED, OVERLAPS)


def published_version(ctx: Context, work: Work, masked: KeyUse | None, swaps: Draws, again: DataFrame | None = None) -> int:
    """Publishes staging without the person and returns the release table's Delta version.

    The rows, with swapped columns permuted as `swaps` draws, are first written as a candidate in the restricted zone and
    compared with staging; the published table is compared with the candidate. Rows are sorted by what is released, so their
    order tells nothing of the source's. A release that extends another is added to its table, whose files stay as they are;
    `restored_version` undoes an addition cut short. The table says with which key it was `masked`. Rows of an earlier release
    that are shown `again` are added as they were.
    """
    clean_types = dict(ctx.store.read(ctx.ref(STAGING)).dtypes)
    columns = list(of_release(ctx.policy.anonymize, clean_types))
    rows = ctx.store.read(ctx.ref(STAGING)).where(F.col(TREE).isNull()).select(*columns)
    made = swapped(rows, ctx.policy.anonymize, swaps)
    write_candidate(ctx, made if again is None else made.unionByName(again))
    _write_generalizer(ctx, work.release_id)
    candidate = ctx.store.read(ctx.ref(CANDIDATE))
    promised = check_swapped(candidate, rows if again is None else rows.unionByName(again), ctx.policy.anonymize)
    if work.parent is None:
        partition_by = ctx.policy.anonymize.partition_by
        ctx.store.replace(ctx.ref(RELEASE), candidate, partition_by, release_properties(ctx, work.release_id, masked))
        check_same(content(ctx.store.read(ctx.ref(RELEASE)), columns), promised, "published table")
    else:
        before = _content_beside(ctx, work, columns)
        # Before the rows, so that the table's history names every release whose rows were ever visible.
        ctx.store.set_properties(ctx.ref(RELEASE), {RELEASE_ID: work.release_id, **head_properties(ctx)})
        ctx.store.append(ctx.ref(RELEASE), candidate)
        after = _content_beside(ctx, work, columns)
        check_same((after[0] - before[0], after[1] - before[1]), promised, "published addition")
    version = ctx.store.version(ctx.ref(RELEASE))
    assert version is not None  # just written
    return version


def release_properties(ctx: Context, release_id: str, masked: KeyUse | None) -> dict[str, str]:
    """The released table's properties: what it holds, and how far the audit is.

    Minima and maxima of tokens would stay in its log when a key is changed: it has none.
    """
    return {RELEASE_ID: release_id, **head_properties(ctx), **({**masked.properties, **NO_STATISTICS} if masked else {})}


def _content_beside(ctx: Context, work: Work, columns: list[str]) -> tuple[int, int]:
    """Content of the partitions that an addition touches: those of its slices, and that of rows without cells."""
    settings = ctx.policy.anonymize
    touched = slice_name(settings).isin([each.name for each in work.slices] + ["{}"])
    return content(ctx.store.read(ctx.ref(RELEASE)).where(touched), columns)


def is_published(ctx: Context, row: dict[str, Any]) -> bool:
    """Whether the release table holds this release: its id and all of its rows, and no half of another's addition."""
    ref = ctx.ref(RELEASE)
    named = ctx.store.property_of(ref, RELEASE_ID) == row["release_id"]
    return named and ctx.store.read(ref).count() == row["rows_released"]


def write_candidate(ctx: Context, rows: DataFrame) -> None:
    """Writes rows of a release as they will be published: sorted by what is released."""
    settings, columns = ctx.policy.anonymize, rows.columns
    partition_by = settings.partition_by
    shown = [settings.released_columns(name)[0] for name in settings.quasi_identifiers]
    gathered = rows.repartition(*partition_by) if partition_by else rows.repartitionByRange(*shown)
    ordered = gathered.sortWithinPartitions(*shown, F.xxhash64(*columns))
    ctx.store.replace(ctx.ref(CANDIDATE), ordered, partition_by, NO_STATISTICS)


def _write_generalizer(ctx: Context, release_id: str) -> None:
    partition_by = ctx.policy.anonymize.partition_by
    trees = ctx.store.read(ctx.ref(STAGING)).where(F.col(TREE).isNotNull())
    named = F.to_json(F.struct(*partition_by)) if partition_by else F.lit("{}")
    rows = trees.select(F.lit(release_id).alias("release_id"), named.alias("partition"), F.col(TREE).alias("tree"))
    ctx.store.replace_where(ctx.ref(GENERALIZER), rows, release_id=release_id)


def destroy_link(ctx: Context) -> int:
    """Removes all that still knows people or noise from tables and files; returns the data files left (0 is the promise)."""
    return sum(ctx.store.destroy(ctx.ref(table)) for table in _LINK)

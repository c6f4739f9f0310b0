"""From staging to a published release, and the destruction of what still knew the people."""

from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from kveil.anonymize.columns import TREE, of_release
from kveil.anonymize.identity import content
from kveil.context import Context
from kveil.errors import GuaranteeError
from kveil.tables.schema import CANDIDATE, GENERALIZER, RELEASE, STAGING, TRAJECTORIES
from kveil.tables.store import NO_STATISTICS

RELEASE_ID = "kveil.release_id"
"""The table property that says which release a table holds."""


def published_version(ctx: Context, release_id: str) -> int:
    """Publishes staging without the person and returns the release table's Delta version.

    The rows are first written as a candidate in the restricted zone and compared with staging; the published table is
    compared once more. Rows are sorted by what is released, so their order tells nothing of the source's.
    """
    clean_types = dict(ctx.store.read(ctx.ref(STAGING)).dtypes)
    columns = list(of_release(ctx.policy.anonymize, clean_types))
    rows = ctx.store.read(ctx.ref(STAGING)).where(F.col(TREE).isNull()).select(*columns)
    promised = content(rows, columns)
    _write_candidate(ctx, columns)
    _write_generalizer(ctx, release_id)
    candidate = ctx.store.read(ctx.ref(CANDIDATE))
    _check_same(content(candidate, columns), promised, "candidate")
    partition_by = ctx.policy.anonymize.partition_by
    ctx.store.replace(ctx.ref(RELEASE), candidate, partition_by, {RELEASE_ID: release_id})
    _check_same(content(ctx.store.read(ctx.ref(RELEASE)), columns), promised, "published table")
    version = ctx.store.version(ctx.ref(RELEASE))
    assert version is not None  # just written
    return version


def restored_version(ctx: Context, release_id: str, version: int) -> int:
    """Makes an earlier version of the release table the current one and returns the new version."""
    ref = ctx.ref(RELEASE)
    try:
        rows = ctx.store.read(ref, version)
        ctx.store.replace(ref, rows, ctx.policy.anonymize.partition_by, {RELEASE_ID: release_id})
    except PySparkException:
        raise GuaranteeError(
            f"anonymize: release {release_id} was published before, but version {version} of {ref} is gone; "
            "drawing its noise again would not be paid for, so change the guarantee or the data, or restore the table"
        ) from None
    restored = ctx.store.version(ref)
    assert restored is not None  # just written
    return restored


def _write_candidate(ctx: Context, columns: list[str]) -> None:
    partition_by = ctx.policy.anonymize.partition_by
    rows = ctx.store.read(ctx.ref(STAGING)).where(F.col(TREE).isNull()).select(*columns)
    labels = list(ctx.policy.anonymize.quasi_identifiers)
    gathered = rows.repartition(*partition_by) if partition_by else rows.repartitionByRange(*labels)
    ordered = gathered.sortWithinPartitions(*labels, F.xxhash64(*columns))
    ctx.store.replace(ctx.ref(CANDIDATE), ordered, partition_by, NO_STATISTICS)


def _write_generalizer(ctx: Context, release_id: str) -> None:
    partition_by = ctx.policy.anonymize.partition_by
    trees = ctx.store.read(ctx.ref(STAGING)).where(F.col(TREE).isNotNull())
    named = F.to_json(F.struct(*partition_by)) if partition_by else F.lit("{}")
    rows = trees.select(F.lit(release_id).alias("release_id"), named.alias("partition"), F.col(TREE).alias("tree"))
    ctx.store.replace_where(ctx.ref(GENERALIZER), rows, release_id=release_id)


def _check_same(found: tuple[int, int], promised: tuple[int, int], what: str) -> None:
    if found != promised:
        raise GuaranteeError(
            f"anonymize: the {what} holds {found[0]:,} rows that are not the {promised[0]:,} rows of staging; "
            "the release is not trustworthy, run again and check the storage"
        )


def destroy_link(ctx: Context) -> int:
    """Removes staging, candidate and histories from tables and files; returns the data files that are left (0 is the promise)."""
    return sum(ctx.store.destroy(ctx.ref(table)) for table in (STAGING, CANDIDATE, TRAJECTORIES))

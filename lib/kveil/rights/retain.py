"""Deletes rows that are older than the policy keeps them, from the files too (Art. 5(1)(e) GDPR, § 1798.100(a)(3) CCPA)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pyspark.sql import functions as F

from kveil.context import Context
from kveil.errors import SettingsError
from kveil.settings import Policy
from kveil.settings.regimes import age_column, limits
from kveil.tables.declaration import TableRef
from kveil.tables.erasure import delete_before, purge
from kveil.tables.schema import CLEAN, CLEANED_CELLS, RAW, RETENTION_LOG


@dataclass(frozen=True)
class Kept:
    """A table with a limit: for how many days its rows are kept, and the column that their age counts from, if there is one."""

    ref: TableRef
    days: int
    aged_by: str | None


def kept(policy: Policy) -> Iterator[Kept]:
    """Every table whose rows the policy keeps for a time."""
    days = limits(policy.law)
    if "raw" in days:
        for name in policy.sources:
            yield Kept(RAW.of(policy, name), days["raw"], age_column(policy.law, policy.clean, name))
    if "clean" in days:
        yield Kept(CLEAN.of(policy), days["clean"], "date")


def retain(ctx: Context) -> list[dict[str, Any]]:
    """Deletes what is too old, purges the files and writes a row per table to the retention log; returns these rows.

    SettingsError where the policy sets no limit. A second call deletes what has become too old since the first.
    """
    tables = list(kept(ctx.policy))
    if not tables:
        raise SettingsError(["law.retention: names no limit, so nothing is too old; give raw, clean or both, in days"])
    with ctx.store.lake.alone(ctx.policy.name):
        rows = [_deleted(ctx, table) for table in tables if ctx.store.exists(table.ref)]
        # Values that cleaning replaced have no age of their own; the next run keeps those of the rows that are left.
        ctx.store.destroy(ctx.ref(CLEANED_CELLS))
        ctx.store.append(ctx.ref(RETENTION_LOG), ctx.rows(RETENTION_LOG, rows))
    return rows


def _deleted(ctx: Context, table: Kept) -> dict[str, Any]:
    before = ctx.now - timedelta(days=table.days)
    with ctx.step(f"age of {table.ref}") as note:
        deleted = 0
        if table.aged_by:
            deleted = delete_before(ctx.store, table.ref, table.aged_by, f"{before:%Y-%m-%d %H:%M:%S}")
        # Also where nothing was deleted now: a call that was cut short may have left the files of what it deleted.
        purge(ctx.store, table.ref)
        ageless = F.count_if(F.col(table.aged_by).isNull()) if table.aged_by else F.count("*")
        counts = ctx.store.read(table.ref).agg(F.count("*").alias("left"), ageless.alias("ageless")).first()
        assert counts is not None  # an aggregation without groups has one row
        note.text = f"{deleted:,} rows deleted, {counts['left']:,} left"
    return {
        "table": str(table.ref), "aged_by": table.aged_by, "days": table.days, "before": before, "rows_deleted": deleted,
        "rows_without_time": counts["ageless"], "rows_left": counts["left"],
    }  # fmt: skip

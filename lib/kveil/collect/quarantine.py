"""Rows that were set aside: how they stand in the table quarantine, and whose they are."""

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.collect.contract import REASON, ROW, RULE
from kveil.collect.found import FILE, POSITION
from kveil.context import Context
from kveil.tables.schema import QUARANTINE


def as_quarantine(ctx: Context, name: str, rows: DataFrame, attempt: str | None = None) -> DataFrame:
    """Judged rows of a source as rows of the table quarantine; `attempt` is that of a batch, if it is one."""
    person = F.col(ctx.policy.person) if ctx.policy.person in rows.columns else F.lit(None)
    return rows.select(
        F.lit(ctx.policy.name).alias("policy"),
        F.lit("collect").alias("stage"),
        F.lit(name).alias("source"),
        F.col(REASON).alias("reason"),
        F.col(RULE).alias("rule"),
        person.cast("string").alias("person"),
        F.col(FILE).alias("file"),
        F.col(POSITION).alias("position"),
        F.lit(attempt).cast("string").alias("attempt"),
        F.col(ROW).alias("row"),
    )


def store_quarantine(ctx: Context, rows: Mapping[str, DataFrame | None]) -> None:
    """Makes the given rows the only ones that collect set aside of each source (None: none); what left is nowhere any more."""
    ref = ctx.ref(QUARANTINE)
    there = _sources_there(ctx)
    if there is None:
        ctx.store.append(ref, ctx.store.rows(QUARANTINE, []))
    changed = {name: new for name, new in rows.items() if new is not None or name in (there or ())}
    for name, new in changed.items():
        mine = {"policy": ctx.policy.name, "stage": "collect", "source": name}
        ctx.store.replace_where(ref, ctx.store.rows(QUARANTINE, []) if new is None else new, **mine)
    if changed:
        ctx.store.forget_history(ref)


def _sources_there(ctx: Context) -> set[str] | None:
    """The sources of which collect has set rows aside; None when there is no quarantine yet."""
    ref = ctx.ref(QUARANTINE)
    if not ctx.store.exists(ref):
        return None
    mine = ctx.store.read(ref).where((F.col("policy") == ctx.policy.name) & (F.col("stage") == "collect"))
    return {row["source"] for row in mine.select("source").distinct().collect()}


def quarantine_of(ctx: Context, name: str) -> DataFrame | None:
    """What collect set aside of a source; None when there is nothing."""
    ref, mine = ctx.ref(QUARANTINE), {"policy": ctx.policy.name, "stage": "collect", "source": name}
    if not ctx.store.has_rows(ref, **mine):
        return None
    same = (F.col("policy") == ctx.policy.name) & (F.col("stage") == "collect") & (F.col("source") == name)
    return ctx.store.read(ref).where(same)

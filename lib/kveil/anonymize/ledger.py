"""The budget ledger: what noise costs, booked before it is drawn, never twice for one release, never over the budget."""

from collections.abc import Sequence
from decimal import Decimal

from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from kveil.context import Context
from kveil.errors import BudgetError
from kveil.tables.schema import BUDGET_LEDGER

_TRIES = 20


def cost(ctx: Context) -> Decimal:
    """Epsilon of one row: the sum over the release's noisy columns."""
    return sum((role.epsilon for role in ctx.policy.anonymize.noise.values()), Decimal(0))


def book(ctx: Context, release_id: str, slices: Sequence[str] = ()) -> Decimal:
    """Books the release's cost unless it is booked, and returns it; BudgetError when the budget does not cover it.

    `slices` names the slices whose rows get noise; without any the release is counted against every row there is.
    Epsilon protects one row, and a row lies in one slice: what is spent is what was spent on the slice that cost most.
    Entries are numbered without gaps and inserted only where their number is free, so of two jobs that read the same
    sum one fails to insert, reads again and sees what the other spent.
    """
    settings = ctx.policy.anonymize
    if settings.budget is None:
        return Decimal(0)
    for _ in range(_TRIES):
        spent, last, booked = _state(ctx, release_id, slices)
        if booked:
            return cost(ctx)
        if spent + cost(ctx) > settings.budget.epsilon:
            raise BudgetError(
                f"anonymize.budget.epsilon: this release costs {cost(ctx)} and {spent} of {settings.budget.epsilon} is spent; "
                "raise the budget, or lower the epsilon of anonymize.noise"
            )
        entry = {
            "entry": last + 1, "release_id": release_id, "epsilon": cost(ctx), "unit": "row", "budget": settings.budget.epsilon,
            "slices": sorted(slices) or None,
        }  # fmt: skip
        try:
            ctx.store.insert_new(ctx.ref(BUDGET_LEDGER), ctx.rows(BUDGET_LEDGER, [entry]), keys=["entry", "release_id"])
        except PySparkException as error:
            if "CONCURRENT" not in str(error).upper():
                raise
    raise BudgetError(f"control.budget_ledger: other jobs kept booking during {_TRIES} tries; run again when they are done")


def _state(ctx: Context, release_id: str, slices: Sequence[str]) -> tuple[Decimal, int, bool]:
    """What the policy has spent on the rows of these slices, the last entry's number, and whether this release is booked."""
    ref = ctx.ref(BUDGET_LEDGER)
    if not ctx.store.exists(ref):
        return Decimal(0), 0, False
    entries = ctx.store.read(ref)
    own = entries.where(F.col("policy") == ctx.policy.name)
    row = entries.agg(
        F.coalesce(F.max("entry"), F.lit(0)).alias("last"),
        F.coalesce(F.bool_or(F.col("release_id") == release_id), F.lit(False)).alias("booked"),
    ).first()
    everywhere = own.where(F.col("slices").isNull()).agg(F.sum("epsilon").alias("spent")).first()
    per_slice = own.select("epsilon", F.explode("slices").alias("slice")).groupBy("slice").agg(F.sum("epsilon").alias("spent"))
    mine = per_slice.where(F.col("slice").isin(list(slices))) if slices else per_slice
    most = mine.agg(F.max("spent").alias("spent")).first()
    assert row is not None  # an aggregation without groups has one row
    assert everywhere is not None
    assert most is not None
    return Decimal(everywhere["spent"] or 0) + Decimal(most["spent"] or 0), int(row["last"]), bool(row["booked"])

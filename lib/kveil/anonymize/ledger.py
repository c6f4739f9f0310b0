"""The budget ledger: what noise costs, booked before it is drawn, never twice for one release, never over the budget."""

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


def book(ctx: Context, release_id: str) -> Decimal:
    """Books the release's cost unless it is booked, and returns it; BudgetError when the budget does not cover it.

    Entries are numbered without gaps and inserted only where their number is free, so of two jobs that read the same
    sum one fails to insert, reads again and sees what the other spent.
    """
    settings = ctx.policy.anonymize
    if settings.budget is None:
        return Decimal(0)
    for _ in range(_TRIES):
        spent, last, booked = _state(ctx, release_id)
        if booked:
            return cost(ctx)
        if spent + cost(ctx) > settings.budget.epsilon:
            raise BudgetError(
                f"anonymize.budget.epsilon: this release costs {cost(ctx)} and {spent} of {settings.budget.epsilon} is spent; "
                "raise the budget, or lower the epsilon of anonymize.noise"
            )
        entry = {
            "entry": last + 1, "release_id": release_id, "epsilon": cost(ctx), "unit": "row", "budget": settings.budget.epsilon,
        }  # fmt: skip
        try:
            ctx.store.insert_new(ctx.ref(BUDGET_LEDGER), ctx.rows(BUDGET_LEDGER, [entry]), keys=["entry", "release_id"])
        except PySparkException as error:
            if "CONCURRENT" not in str(error).upper():
                raise
    raise BudgetError(f"control.budget_ledger: other jobs kept booking during {_TRIES} tries; run again when they are done")


def _state(ctx: Context, release_id: str) -> tuple[Decimal, int, bool]:
    """What the policy has spent, the last entry's number, and whether this release is booked."""
    ref = ctx.ref(BUDGET_LEDGER)
    if not ctx.store.exists(ref):
        return Decimal(0), 0, False
    own = F.col("policy") == ctx.policy.name
    row = (
        ctx.store.read(ref)
        .agg(
            F.coalesce(F.sum(F.when(own, F.col("epsilon"))), F.lit(0)).alias("spent"),
            F.coalesce(F.max("entry"), F.lit(0)).alias("last"),
            F.coalesce(F.bool_or(F.col("release_id") == release_id), F.lit(False)).alias("booked"),
        )
        .first()
    )
    assert row is not None  # an aggregation without groups has one row
    return Decimal(row["spent"]), int(row["last"]), bool(row["booked"])

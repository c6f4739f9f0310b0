"""Amounts in any currency as whole euro cents: exact decimal arithmetic at the last known rate of the day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from kveil.errors import ContractError
from kveil.settings.clean import Money

RATE = "_kveil_rate"
"""Units of the currency per EUR on the row's day; null before the first known rate."""

_AMOUNT = "decimal(32,16)"  # 200 * amount + rate still fits 38 digits, so no product is rounded
_RATE = "decimal(16,8)"
_MOST_CENTS = 9 * 10**18  # bigint ends at 9.22e18


@dataclass(frozen=True)
class DailyRates:
    """A rate for every day from the first quoted one to `last`: columns day, RATE."""

    days: DataFrame
    last: date


def daily_rates(rates: DataFrame, money: Money) -> DailyRates:
    """The currency's rates filled forward: a day without a quote (weekend, holiday) has the latest one before it.

    `rates` holds currency, date, rate (1 EUR = rate units). Raises ContractError when the currency has no rate or
    two different ones on a day.
    """
    quoted = rates.where((F.col("currency") == money.currency) & F.col("date").isNotNull())
    quoted = quoted.select(F.col("date").alias("day"), F.col("rate").try_cast(_RATE).alias(RATE)).where(F.col(RATE) > 0)
    quoted = quoted.distinct()
    span = quoted.agg(F.count("*").alias("quotes"), F.count_distinct("day").alias("days"), F.max("day").alias("last")).first()
    if span is None or span["quotes"] == 0:
        raise ContractError(f"clean.money: source {money.rates} has no rate of {money.currency}; name a currency that it quotes")
    if span["quotes"] > span["days"]:
        twice = span["quotes"] - span["days"]
        raise ContractError(f"clean.money: source {money.rates} has {twice:,} second rates of {money.currency}; keep one per day")
    until = F.coalesce(F.date_sub(F.lead("day").over(Window.orderBy("day")), 1), F.col("day"))
    days = quoted.withColumn("until", until).select(F.explode(F.sequence("day", "until")).alias("day"), RATE)
    return DailyRates(days, span["last"])


def with_rate(rows: DataFrame, rates: DailyRates | None) -> DataFrame:
    """The rows with RATE by their column `date`; later days have the last rate, None stands for EUR itself."""
    if rates is None:
        return rows.withColumn(RATE, F.lit(1).cast(_RATE))
    day = F.least(F.col("date"), F.lit(rates.last))
    return rows.join(F.broadcast(rates.days), day == F.col("day"), "left").drop("day")


def with_cents(rows: DataFrame, columns: Mapping[str, str]) -> DataFrame:
    """The rows with every amount (key) as whole euro cents (value, bigint), half a cent rounded away from zero;
    RATE is gone. A floating-point amount counts as the shortest decimal that it prints as. Null where the amount or RATE is null,
    or where `not_convertible`.
    """
    made = {cents: F.when(_fits(_exact(amount)), _cents(_exact(amount))) for amount, cents in columns.items()}
    return rows.withColumns(made).drop(RATE)


def has_no_rate() -> Column:
    """Whether the row's day lies before the first known rate."""
    return F.col(RATE).isNull()


def not_convertible(columns: Mapping[str, str]) -> Column:
    """Whether an amount of the row is NaN, infinite or too large for a bigint of cents."""
    wrong = F.lit(False)
    for amount in columns:
        wrong = wrong | (F.col(amount).isNotNull() & ~F.coalesce(_fits(_exact(amount)), F.lit(False)))
    return wrong


def _exact(amount: str) -> Column:
    return F.col(amount).try_cast(_AMOUNT)


def _fits(amount: Column) -> Column:
    return F.abs(amount) < F.col(RATE) * F.lit(_MOST_CENTS // 100).cast("decimal(17,0)")


def _cents(amount: Column) -> Column:
    # Rounding a rounded quotient can miss by a cent; whole-number division of 100a/r + 1/2 = (200a + r) / 2r cannot.
    twice = F.lit(2).cast("decimal(1,0)") * F.col(RATE)
    half_up = F.call_function("div", F.lit(200).cast("decimal(3,0)") * F.abs(amount) + F.col(RATE), twice)
    return F.when(amount < 0, -half_up).otherwise(half_up)

"""Loans of a third of the customers, with a default that income, burden and age explain in part and luck does for the rest."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.generate.accounts import CURRENT, account_id
from kveil.generate.draws import Draws, at, constant
from kveil.generate.traits import age, customer_draws, since_opened, yearly_income

_BORROWERS = 0.33
_PURPOSES = {"home": 11.6, "car": 9.6, "renovation": 9.3, "consumer": 8.4, "education": 8.9}
"""Logarithm of the median amount in EUR."""
_TERMS = {"home": 240, "car": 60, "renovation": 84, "consumer": 36, "education": 96}


def loans(rows: DataFrame, seed: int) -> DataFrame:
    """Clean loans for rows of `customer_id`, one for each borrower of age; `defaulted` is true for about 5 %."""
    customer, draws = customer_draws(seed, F.col("customer_id")), Draws(seed, "loan", F.col("customer_id"))
    purpose = draws.pick((0.28, 0.24, 0.12, 0.28, 0.08), "purpose")
    drawn = rows.select("customer_id", age(customer).alias("_age"), purpose.alias("_purpose"))
    borrowers = drawn.where(draws.chance(_BORROWERS, "borrows") & (F.col("_age") >= 18))
    priced = borrowers.select("*", yearly_income(customer, F.col("_age")).alias("_income"), *_terms(draws))
    paid = priced.select("*", _annuity(F.col("principal"), F.col("rate"), F.col("term_months")).alias("_monthly"))
    return paid.select(
        F.col("customer_id").alias("loan_id"),
        "customer_id",
        account_id(F.col("customer_id"), F.lit(CURRENT)).alias("account_id"),
        at(constant(list(_PURPOSES), "array<string>"), F.col("_purpose")).alias("purpose"),
        F.col("principal").cast("decimal(12,2)").alias("principal"),
        F.col("rate").cast("decimal(5,2)").alias("rate"),
        "term_months",
        F.col("_monthly").cast("decimal(12,2)").alias("monthly_payment"),
        since_opened(customer, F.col("_age"), draws.uniform("granted")).alias("granted_on"),
        draws.chance(_default(draws), "defaults").alias("defaulted"),
    )


def _terms(draws: Draws) -> list[Column]:
    """What was agreed: principal (whole hundreds of EUR, log-normal), yearly rate in percent, months."""
    purpose = F.col("_purpose")
    middle = at(constant(list(_PURPOSES.values()), "array<double>"), purpose)
    principal = F.greatest(F.round(F.exp(middle + 0.6 * draws.normal("principal")) / 100) * 100, F.lit(500.0))
    rate = F.round(2.5 + 0.9 * purpose + 3.0 * draws.uniform("rate"), 2)
    return [
        principal.alias("principal"),
        rate.alias("rate"),
        at(constant(list(_TERMS.values()), "array<int>"), purpose).alias("term_months"),
    ]


def _annuity(principal: Column, rate: Column, months: Column) -> Column:
    monthly = rate / 1200
    return principal * monthly / (1 - F.pow(1 + monthly, -months))


def _default(draws: Draws) -> Column:
    """The probability of default: a logistic law of the burden (payment over income), age, rate and a trait nobody sees."""
    burden = F.least(12 * F.col("_monthly") / F.greatest(F.col("_income"), F.lit(1)), F.lit(1.5))
    youth = F.greatest(30 - F.col("_age"), F.lit(0)) / 10
    score = -5.2 + 2.6 * burden + 0.5 * youth + 0.22 * F.col("rate") + 0.7 * draws.normal("character")
    return 1 / (1 + F.exp(-score))

"""Accounts: every customer has a current account, many a credit card, some savings. Their numbers follow from the customer's."""

from operator import attrgetter

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.generate.draws import Draws, permuted
from kveil.generate.identifiers import digits, with_iban
from kveil.generate.traits import affluence, age, by_country, customer_draws, home, since_opened, yearly_income

CURRENT, CARD, SAVINGS = 1, 2, 3
"""The kinds of account: with the customer's number they make the account's."""
_KINDS = {CURRENT: "current", CARD: "credit card", SAVINGS: "savings"}
_CARD_HOLDERS, _SAVERS = 0.55, 0.4
_NUMBERS = 10**8


def account_id(customer: Column, kind: Column) -> Column:
    """The number of a customer's account, a bigint."""
    return (3 * (customer - 1) + kind).cast("bigint")


def has_card(draws: Draws) -> Column:
    """Whether the customer has a credit card with an account of its own."""
    return draws.chance(_CARD_HOLDERS, "has a card")


def with_account_iban(rows: DataFrame, customer: Column, kind: Column, seed: int) -> DataFrame:
    """The rows with `iban` of an account, in the customer's country, or in Germany for those outside the EU; all differ."""
    code = by_country(attrgetter("code"), home(customer_draws(seed, customer)))
    number = digits(permuted(account_id(customer, kind), _NUMBERS, "account", seed), 8)
    return with_iban(rows, F.when(code == "US", "DE").otherwise(code), number)


def accounts(rows: DataFrame, seed: int) -> DataFrame:
    """Clean accounts for rows of `customer_id`."""
    customer = customer_draws(seed, F.col("customer_id"))
    held = F.array_compact(
        F.array(
            F.lit(CURRENT),
            F.when(has_card(customer), CARD),
            F.when(customer.chance(_SAVERS, "saves"), SAVINGS),
        )
    )
    each = rows.select("customer_id", F.explode(held).alias("_kind"))
    each = with_account_iban(each, F.col("customer_id"), F.col("_kind"), seed)
    named = each.select("*", account_id(F.col("customer_id"), F.col("_kind")).alias("account_id"))
    draws, kind = Draws(seed, "account", F.col("account_id")), F.col("_kind")
    income = yearly_income(customer, age(customer))
    months = F.when(kind == SAVINGS, 5.0).when(kind == CARD, -0.3).otherwise(1.2)
    balance = income / 12 * months * F.exp(0.5 * affluence(customer) + 0.8 * draws.normal("balance"))
    return named.select(
        "account_id",
        "customer_id",
        F.element_at(F.create_map(*[F.lit(part) for pair in _KINDS.items() for part in pair]), kind).alias("kind"),
        "iban",
        F.lit("EUR").alias("currency"),
        balance.cast("decimal(14,2)").alias("balance"),
        since_opened(customer, age(customer), F.when(kind == CURRENT, 0.0).otherwise(draws.uniform("opened"))).alias("opened_on"),
        F.when(draws.chance(0.02, "closed"), "dormant").otherwise("open").alias("status"),
    )

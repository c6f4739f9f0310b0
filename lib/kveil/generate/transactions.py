"""Card payments, cash, transfers, rent and salaries of one year. Every value follows from the row's number and its customer's."""

from dataclasses import dataclass
from datetime import datetime, timezone

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.generate import fraud
from kveil.generate.accounts import CARD, CURRENT, account_id, has_card
from kveil.generate.draws import Draws, at, constant, permuted, zipf
from kveil.generate.merchants import PER_PLACE, category_of, descriptor, merchant_id, merchant_name
from kveil.generate.places import categories, countries
from kveil.generate.rhythm import MONTH_STARTS, PROFILES, RATES, daily_rates, day_weights, hour_weights
from kveil.generate.size import Bank
from kveil.generate.traits import FIRST_DAY, affluence, age, customer_draws, home, yearly_income

AFFLUENCE = 0.3
"""How much a person's affluence moves the logarithm of what they spend."""
_ABROAD = {"travel": 0.35, "subscriptions": 0.25, "electronics": 0.12, "clothing": 0.1, "cash": 0.04, "transfer": 0.03}
_ABROAD_ELSE = 0.05
_TRAVELLED = (0.14, 0.16, 0.17, 0.09, 0.06, 0.12, 0.04, 0.09, 0.07, 0.06)
"""Where one goes abroad, in the order of the countries."""
_NET = 0.68
_FLOOR, _POWER = 0.001, 0.25
_FIRST_SECOND = int(datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=timezone.utc).timestamp())
_NAMES = [category.name for category in categories()]
_RENT, _SALARY = _NAMES.index("rent"), _NAMES.index("salary")


@dataclass(frozen=True)
class _Blocks:
    """How the row numbers are shared out: first salaries, then rents, each twelve to a customer, then what is drawn."""

    salaries: int
    rents: int
    drawn: int

    @classmethod
    def of(cls, bank: Bank) -> "_Blocks":
        monthly = 12 * bank.customers
        salaries, rents = min(monthly, bank.transactions // 8), min(monthly, bank.transactions // 10)
        return cls(salaries, rents, bank.transactions - salaries - rents)


def transactions(rows: DataFrame, bank: Bank) -> DataFrame:
    """Clean transactions for rows of `row`, numbers from 0 to bank.transactions - 1."""
    draws, blocks = Draws(bank.seed, "transaction", F.col("row")), _Blocks.of(bank)
    return _finished(_priced(_placed(_begun(rows, draws, bank, blocks), draws, bank), draws, bank), draws, bank)


def _begun(rows: DataFrame, draws: Draws, bank: Bank, blocks: _Blocks) -> DataFrame:
    """Who and why: _mode (of a fraud), _block (an int: salary, rent or null), customer_id, _month."""
    row = F.col("row")
    block = F.when(row < blocks.salaries, _SALARY).when(row < blocks.salaries + blocks.rents, _RENT)
    share = fraud.SHARE * bank.transactions / max(1, blocks.drawn)
    started = rows.select("row", block.alias("_block"), fraud.fraud_mode(draws, block.isNull(), share).alias("_mode"))
    of_month = F.floor(F.when(F.col("_block") == _SALARY, row).otherwise(row - blocks.salaries) / 12)
    customer = (
        F.when(F.col("_block") == _SALARY, 1 + permuted(of_month, bank.customers, "earners", bank.seed))
        .when(F.col("_block") == _RENT, 1 + permuted(of_month, bank.customers, "tenants", bank.seed))
        .when(F.col("_mode").isNotNull(), fraud.victim(draws, bank.customers, bank.seed))
        .otherwise(1 + permuted(active_rank(draws, bank.customers), bank.customers, "active", bank.seed))
    )
    return started.select("*", customer.alias("customer_id"))


def active_rank(draws: Draws, customers: int) -> Column:
    """The rank, from 0, of the customer who acts: the share of the first x of them is a power of x, shifted off 0.

    The busiest have some fifty times the mean and half of all act less than half as often as the mean, whatever their number.
    """
    low, high = _FLOOR**_POWER, (1 + _FLOOR) ** _POWER
    part = F.pow(F.lit(low) + draws.uniform("active") * (high - low), F.lit(1 / _POWER)) - _FLOOR
    return F.least(F.floor(F.greatest(part, F.lit(0.0)) * customers), F.lit(customers - 1))


def _placed(rows: DataFrame, draws: Draws, bank: Bank) -> DataFrame:
    """What, when and where: _category, _day, _second (of the day), _country (of the merchant), _home, _online."""
    customer = customer_draws(bank.seed, F.col("customer_id"))
    mode, block = F.col("_mode"), F.col("_block")
    drawn = draws.pick([category.weight for category in categories()], "category")
    category = F.coalesce(block, F.when(mode.isNull(), drawn).otherwise(fraud.fraud_category(draws, mode, drawn)))
    rows = rows.select("*", category.cast("int").alias("_category"), home(customer).alias("_home"))
    rows = rows.select("*", _day(draws, customer, bank).alias("_day"), _hour(draws).alias("_hour"))
    abroad = _by_category([_ABROAD.get(name, _ABROAD_ELSE) for name in _NAMES])
    goes = block.isNull() & draws.chance(fraud.abroad_share(mode, abroad), "abroad")
    online = draws.chance(fraud.online_share(mode, _by_category([category.online for category in categories()])), "online")
    return rows.select(
        "*",
        F.when(goes, draws.pick(_TRAVELLED, "where abroad")).otherwise(F.col("_home")).alias("_country"),
        online.alias("_online"),
    )


def _day(draws: Draws, customer: Draws, bank: Bank) -> Column:
    """The day's index in the year: the payday and the first days of a month for salaries and rents."""
    month = at(constant(MONTH_STARTS, "array<int>"), F.pmod("row", F.lit(12)))
    return (
        F.when(F.col("_block") == _SALARY, month + 24 + customer.below(4, "payday"))
        .when(F.col("_block") == _RENT, month + customer.below(3, "rent day"))
        .when(F.col("_mode").isNotNull(), fraud.fraud_day(draws, F.col("customer_id"), bank.seed))
        .otherwise(draws.pick(day_weights(), "day"))
        .cast("int")
    )


def _hour(draws: Draws) -> Column:
    profile = at(constant([PROFILES.index(category.hours) for category in categories()], "array<int>"), F.col("_category"))
    at_night = F.col("_mode").isNotNull() & draws.chance(fraud.night_share(F.col("_mode")), "night")
    return draws.pick_of(hour_weights(), F.when(at_night, PROFILES.index("night")).otherwise(profile), "hour")


def _priced(rows: DataFrame, draws: Draws, bank: Bank) -> DataFrame:
    """How much and to whom: _cents (EUR), merchant_id."""
    customer = customer_draws(bank.seed, F.col("customer_id"))
    category, block = F.col("_category"), F.col("_block")
    median, sigma = (_by_category([getattr(each, what) for each in categories()]) for what in ("median", "sigma"))
    spread = F.when(block == _RENT, customer.normal("rent")).otherwise(draws.normal("amount"))
    spent = median * F.exp(sigma * spread + AFFLUENCE * affluence(customer) + fraud.log_amount_shift(F.col("_mode")))
    earned = _NET / 12 * yearly_income(customer, age(customer))
    euros = F.when(block == _SALARY, earned).otherwise(spent)
    whole = F.when(category == _NAMES.index("cash"), F.greatest(F.round(euros / 10) * 10, F.lit(10.0))).otherwise(euros)
    # A tenant pays one landlord and an employee is paid by one employer, all year.
    rank = F.when(block.isNull(), draws.pick(zipf(PER_PLACE), "merchant")).otherwise(customer.below(PER_PLACE, "monthly"))
    return rows.select(
        "*",
        F.greatest(F.floor(whole * 100 + 0.5), F.lit(1)).alias("_cents"),
        merchant_id(category, F.col("_country"), rank).alias("merchant_id"),
    )


def _finished(rows: DataFrame, draws: Draws, bank: Bank) -> DataFrame:
    """The columns of the table `transactions`, in its order."""
    customer = customer_draws(bank.seed, F.col("customer_id"))
    name, town = merchant_name(bank.seed, F.col("merchant_id"), F.col("_category"), F.col("_country"))
    named = rows.select("*", name.alias("_name"), town.alias("_town"), _currency_index().alias("_currency"))
    is_card = _by_category([category.kind == "card" for category in categories()], "boolean")
    with_card = is_card & has_card(customer)
    rate = at(at(constant(daily_rates(), "array<array<double>>"), F.col("_currency")), F.col("_day"))
    second = _FIRST_SECOND + F.col("_day").cast("bigint") * 86_400 + F.col("_hour") * 3600 + draws.below(3600, "second")
    text = F.when(is_card, descriptor(draws, F.col("_name"), F.col("_town"))).otherwise(F.col("_name"))
    return named.select(
        (1 + permuted(F.col("row"), max(1, bank.transactions), "transaction", bank.seed)).alias("transaction_id"),
        account_id(F.col("customer_id"), F.when(with_card, CARD).otherwise(CURRENT)).alias("account_id"),
        "customer_id",
        F.timestamp_seconds(second).alias("booked_at"),
        F.when(F.col("_block") == _SALARY, "credit").otherwise("debit").alias("direction"),
        _money(F.floor(F.col("_cents") * rate + 0.5)).alias("amount"),
        at(constant(list(RATES), "array<string>"), F.col("_currency")).alias("currency"),
        _money(F.col("_cents")).alias("amount_eur"),
        "merchant_id",
        text.alias("merchant"),
        category_of(F.col("_category")).alias("merchant_category"),
        _channel(draws).alias("channel"),
        at(constant([country.code for country in countries()], "array<string>"), F.col("_country")).alias("merchant_country"),
        F.col("_mode").isNotNull().alias("is_fraud"),
    )


def _by_category(values: list[float] | list[bool], kind: str = "double") -> Column:
    return at(constant(values, f"array<{kind}>"), F.col("_category"))


def _currency_index() -> Column:
    currencies = list(RATES)
    return at(constant([currencies.index(country.currency) for country in countries()], "array<int>"), F.col("_country"))


def _channel(draws: Draws) -> Column:
    """How it was paid: a property of the kind, or of the terminal."""
    kind = at(constant([category.kind for category in categories()], "array<string>"), F.col("_category"))
    at_terminal = F.when(draws.chance(0.72, "contactless"), "contactless").otherwise("chip")
    return (
        F.when(kind == "cash", "atm")
        .when(kind == "transfer", F.when(draws.chance(0.9, "at home"), "online banking").otherwise("branch"))
        .when(F.col("_online"), "online")
        .otherwise(at_terminal)
    )


def _money(cents: Column) -> Column:
    """Whole cents as decimal(12,2)."""
    return (cents.cast("decimal(12,0)") * F.lit("0.01").cast("decimal(3,2)")).cast("decimal(12,2)")

"""Fraud: what thieves do differently, by mode. Each difference is a shift that honest rows make too, so no column decides alone.

shopping: a stolen card's number, mostly online, dear goods, often abroad or at night. testing: small amounts that try a number.
quiet: looks like the victim's own, a little dearer. A victim's cases fall into a few days.
"""

from pyspark.sql import Column
from pyspark.sql import functions as F

from kveil.generate.draws import Draws, permuted
from kveil.generate.places import categories
from kveil.generate.traits import DAYS, age, customer_draws

SHARE = 0.002
"""Of all transactions."""
SHOPPING, TESTING, QUIET = 0, 1, 2
MODES = (0.55, 0.2, 0.25)
_VICTIMS_PER_CUSTOMER = 40
_BURST = 3
_TRIED = {"subscriptions": 0.4, "entertainment": 0.2, "public_transport": 0.15, "groceries": 0.15, "restaurants": 0.1}
"""Where numbers are tried."""


def fraud_mode(draws: Draws, ordinary: Column, share_of_ordinary: float) -> Column:
    """The mode of a fraudulent row, null for honest ones. Only drawn (ordinary) rows can be fraudulent."""
    cheats = ordinary & draws.chance(share_of_ordinary, "fraud")
    return F.when(cheats, draws.pick(MODES, "fraud mode"))


def victim(draws: Draws, customers: int, seed: int) -> Column:
    """Whose money: the older of two out of the few whose data was stolen. A customer's number, from 1."""
    pool = max(1, customers // _VICTIMS_PER_CUSTOMER)
    one, other = (1 + permuted(draws.below(pool, name), customers, "victims", seed) for name in ("victim", "other victim"))
    older = age(customer_draws(seed, one)) >= age(customer_draws(seed, other))
    return F.when(older, one).otherwise(other)


def fraud_day(draws: Draws, customer: Column, seed: int) -> Column:
    """A day of the few in which the victim's data was used."""
    first = customer_draws(seed, customer).below(DAYS - _BURST, "stolen")
    return (first + draws.below(_BURST, "day of burst")).cast("int")


def fraud_category(draws: Draws, mode: Column, ordinary: Column) -> Column:
    """What is bought."""
    dear = draws.pick([category.fraud for category in categories()], "dear category")
    tried = draws.pick([_TRIED.get(category.name, 0.0) for category in categories()], "tried category")
    return F.when(mode == SHOPPING, dear).when(mode == TESTING, tried).otherwise(ordinary)


def log_amount_shift(mode: Column) -> Column:
    """What is added to the logarithm of an honest amount; 0 for honest rows."""
    return F.when(mode == SHOPPING, 1.0).when(mode == TESTING, -1.3).when(mode == QUIET, 0.35).otherwise(0.0)


def abroad_share(mode: Column, ordinary: Column) -> Column:
    """The probability that the merchant is in another country."""
    return F.when(mode == SHOPPING, 0.5).when(mode == TESTING, 0.6).when(mode == QUIET, 0.2).otherwise(ordinary)


def online_share(mode: Column, ordinary: Column) -> Column:
    """The probability that no terminal is used."""
    return F.when(mode == SHOPPING, 0.8).when(mode == TESTING, 0.95).otherwise(ordinary)


def night_share(mode: Column) -> Column:
    """The probability that the hour follows the night's profile."""
    return F.when(mode == SHOPPING, 0.45).when(mode == TESTING, 0.6).when(mode == QUIET, 0.15).otherwise(0.0)

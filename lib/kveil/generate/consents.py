"""Consent as events: who said what about which purpose, from when on, and when the bank wrote it down."""

from operator import attrgetter

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.generate.draws import Draws
from kveil.generate.identifiers import digits
from kveil.generate.traits import by_country, customer_draws, home

PURPOSES = ("fraud_model", "credit_model", "marketing")
_ASKED, _GRANTS = 0.98, {"fraud_model": 0.93, "credit_model": 0.88, "marketing": 0.55}
"""Shares of those who were asked at all, and of these who agreed."""
_WITHDRAWS, _RETURNS = 0.06, 0.25
_FIRST_SECOND, _SECONDS = 1_609_459_200, 3 * 366 * 86_400
"""First words fall into 2021-2023, others at most a year after the one before."""
_YEAR = 366 * 86_400
_EVENTS = 3
_LATE_DAYS = 20


def consents(rows: DataFrame, seed: int) -> DataFrame:
    """Decisions of the customers in rows of `customer_id`, one row per event.

    A first word (grant or refuse); some who granted withdraw later, and some of these grant again. `recorded_at` is when the
    bank learned of it, at times days after `effective_from`. `decided_at` is `effective_from` under another name.
    """
    number = len(PURPOSES) * (F.col("customer_id") - 1) + F.col("_index")
    purposes = F.array(*[F.struct(F.lit(i).alias("_index"), F.lit(name).alias("purpose")) for i, name in enumerate(PURPOSES)])
    asked = rows.select("customer_id", F.inline(purposes)).select("*", number.alias("_number"))
    draws = Draws(seed, "consent", F.col("_number"))
    events = asked.where(draws.chance(_ASKED, "asked")).select("*", F.inline(_words(draws)))
    home_code = by_country(attrgetter("code"), home(customer_draws(seed, F.col("customer_id"))))
    event = Draws(seed, "consent event", _EVENTS * F.col("_number") + F.col("_event"))
    late = F.when(event.chance(0.2, "late"), event.below(_LATE_DAYS * 86_400, "days late")).otherwise(
        event.below(600, "seconds late")
    )
    return events.select(
        "customer_id",
        "purpose",
        # Under the CCPA people are told and may opt out; the GDPR's basis is a consent (Art. 6(1)(a)).
        F.when(home_code == "US", "notice").otherwise("consent").alias("basis"),
        "decision",
        F.timestamp_seconds("_second").alias("effective_from"),
        F.timestamp_seconds(F.col("_second") + late).alias("recorded_at"),
        F.concat(F.lit("form-"), digits(_EVENTS * F.col("_number") + F.col("_event"), 11)).alias("evidence"),
        F.timestamp_seconds("_second").alias("decided_at"),
    )


def _words(draws: Draws) -> Column:
    """An array of (_event, decision, _second), in the order of time."""
    share = F.element_at(F.create_map(*[F.lit(part) for pair in _GRANTS.items() for part in pair]), F.col("purpose"))
    agrees = draws.chance(share, "agrees")
    leaves = agrees & draws.chance(_WITHDRAWS, "withdraws")
    returns = leaves & draws.chance(_RETURNS, "returns")
    first = F.lit(_FIRST_SECOND) + draws.below(_SECONDS, "first")
    second = first + 86_400 + draws.below(_YEAR, "second")
    third = second + 86_400 + draws.below(_YEAR // 2, "third")
    return F.array_compact(
        F.array(
            _word(0, F.when(agrees, "grant").otherwise("refuse"), first),
            F.when(leaves, _word(1, F.lit("withdraw"), second)),
            F.when(returns, _word(2, F.lit("grant"), third)),
        )
    )


def _word(event: int, decision: Column, second: Column) -> Column:
    return F.struct(F.lit(event).alias("_event"), decision.alias("decision"), second.alias("_second"))

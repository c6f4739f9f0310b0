"""Decisions as events: what each person had decided as of a moment, as far as it was known then.

An event holds from `effective_from` and is known since `recorded_at` (the two times of a bitemporal table, Snodgrass 2000). Who
asks as of a moment sees neither what was recorded later nor what was to hold later, so a past run can be explained.
"""

from datetime import date, datetime, timezone

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.settings.consent import SimulatedConsent

CONSENTS = "_kveil_consents"
"""Whether the row may be used by its person's standing (see lawful.py); true on rows of sources without persons."""
EVENTS = ("person", "decision", "basis", "effective_from", "recorded_at")

_SALT = "kveil simulated consent "
_HASH_RANGE = 2**32


def registered(registry: DataFrame, person: str, purpose: str) -> DataFrame:
    """The registry's events for a purpose, with EVENTS; ids are text, and decided_at stands for both times where it is alone."""
    known = registry.columns
    effective = F.col("effective_from" if "effective_from" in known else "decided_at")
    recorded = F.col("recorded_at" if "recorded_at" in known else "decided_at")
    basis = F.lower(F.trim("basis")) if "basis" in known else F.lit(None).cast("string")
    return registry.where(F.col("purpose") == purpose).select(
        F.col(person).cast("string").alias("person"),
        "decision",
        basis.alias("basis"),
        effective.alias("effective_from"),
        recorded.alias("recorded_at"),
    )


def simulated(persons: DataFrame, settings: SimulatedConsent) -> DataFrame:
    """Made-up events for a column `person` of distinct ids, with EVENTS.

    What a person decides and when follows from the id alone. Someone who withdraws has an earlier grant.
    """
    lot, when, later = (_part(_digest(), i) for i in range(3))
    decision = F.when(lot < settings.grant, "grant").when(lot < settings.grant + settings.refuse, "refuse").otherwise("withdraw")
    first, seconds = _seconds(settings.first), _seconds(settings.last) - _seconds(settings.first)
    decided = F.lit(first) + F.floor(when * seconds)
    withdrawn = decided + 1 + F.floor(later * (F.lit(first + seconds) - decided - 1))
    drawn = persons.select("person", decision.alias("drawn"), decided.alias("decided"), withdrawn.alias("withdrawn"))
    withdraws = F.col("drawn") == "withdraw"
    first_word = F.struct(F.when(withdraws, "grant").otherwise(F.col("drawn")).alias("decision"), F.col("decided").alias("at"))
    second_word = F.when(withdraws, F.struct(F.lit("withdraw").alias("decision"), F.col("withdrawn").alias("at")))
    words = drawn.select("person", F.explode(F.array_compact(F.array(first_word, second_word))).alias("word"))
    at = F.timestamp_seconds("word.at")
    basis = F.lit("consent").alias("basis")
    return words.select("person", "word.decision", basis, at.alias("effective_from"), at.alias("recorded_at"))


def state(events: DataFrame, as_of: datetime) -> DataFrame:
    """One row per person, with EVENTS: of what was known and in force at `as_of`, the event that took effect last.

    Of two that took effect at once the one recorded later corrects the other; recorded at once, anything beats a grant.
    """
    word = F.struct("effective_from", "recorded_at", (F.col("decision") != "grant").alias("stops"), "decision", "basis")
    seen = F.col("person").isNotNull() & (_seen_from() <= F.lit(as_of))
    last = events.where(seen).groupBy("person").agg(F.max(word).alias("word"))
    return last.select("person", *[f"word.{name}" for name in EVENTS if name != "person"])


def next_change(events: DataFrame, as_of: datetime) -> datetime | None:
    """When, after `as_of`, the next event is known and in force: from then on time alone makes what rests on `state` stale."""
    seen = _seen_from()
    later = events.where(seen > F.lit(as_of)).agg(F.min(F.unix_micros(seen)).alias("at")).first()
    if later is None or later["at"] is None:
        return None
    seconds, micros = divmod(later["at"], 1_000_000)
    return datetime.fromtimestamp(seconds, timezone.utc).replace(microsecond=micros)


def _seen_from() -> Column:
    return F.greatest("effective_from", "recorded_at")


def in_utc(moment: datetime) -> datetime:
    """The moment with its zone; one written without a zone is meant as UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _digest() -> Column:
    return F.sha2(F.concat(F.lit(_SALT), F.col("person")), 256)


def _part(digest: Column, i: int) -> Column:
    """Eight hexadecimal digits as a number in [0, 1)."""
    return F.conv(F.substring(digest, 1 + 8 * i, 8), 16, 10).cast("bigint") / F.lit(_HASH_RANGE)


def _seconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=timezone.utc).timestamp())

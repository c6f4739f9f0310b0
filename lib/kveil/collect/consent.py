"""Whose rows may be used: each person's latest decision for the policy's purpose at a given time."""

from datetime import date, datetime, timezone

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.settings.sources import SimulatedConsent

DECISIONS = ("grant", "refuse", "withdraw")
CONSENTS = "_kveil_consents"
"""Whether the row's person grants; true on rows of sources without persons."""

_SALT = "kveil simulated consent "
_HASH_RANGE = 2**32


def registered(registry: DataFrame, person: str, purpose: str) -> DataFrame:
    """The registry's decisions for a purpose: person (string), decision, decided_at."""
    asked = registry.where(F.col("purpose") == purpose)
    return asked.select(F.col(person).cast("string").alias("person"), "decision", "decided_at")


def simulated(persons: DataFrame, settings: SimulatedConsent) -> DataFrame:
    """Made-up decisions for a column `person` of distinct ids: person, decision, decided_at.

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
    return words.select("person", "word.decision", F.timestamp_seconds("word.at").alias("decided_at"))


def latest(decisions: DataFrame, as_of: datetime) -> DataFrame:
    """One row per person: the last decision at or before `as_of`. At the same instant anything beats a grant."""
    word = F.struct("decided_at", (F.col("decision") != "grant").alias("stops"), "decision")
    known = decisions.where(F.col("person").isNotNull() & (F.col("decided_at") <= F.lit(as_of)))
    last = known.groupBy("person").agg(F.max(word).alias("word"))
    return last.select("person", "word.decision", "word.decided_at")


def next_change(decisions: DataFrame, as_of: datetime) -> datetime | None:
    """The earliest decision after `as_of`: from then on time alone makes what rests on `latest` stale."""
    later = decisions.where(F.col("decided_at") > F.lit(as_of)).agg(F.min(F.unix_micros("decided_at")).alias("at")).first()
    if later is None or later["at"] is None:
        return None
    seconds, micros = divmod(later["at"], 1_000_000)
    return datetime.fromtimestamp(seconds, timezone.utc).replace(microsecond=micros)


def with_consent(rows: DataFrame, person: str, decisions: DataFrame) -> DataFrame:
    """The rows with CONSENTS; ids are compared as text. Without the column `person` every row may be used."""
    if person not in rows.columns:
        return rows.withColumn(CONSENTS, F.lit(True))
    granting = decisions.where(F.col("decision") == "grant").select(F.col("person").alias("_kveil_granting"))
    joined = rows.join(granting, F.col(person).cast("string") == F.col("_kveil_granting"), "left")
    return joined.withColumn(CONSENTS, F.col("_kveil_granting").isNotNull()).drop("_kveil_granting")


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

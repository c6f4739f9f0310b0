"""Whose rows may be used on which basis: decisions, jurisdiction, age and erasure of each person, by the policy's regulations."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial, reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.collect.consent import CONSENTS, state
from kveil.settings import Policy
from kveil.settings.consent import CONSENTING_BASES, PARENTAL
from kveil.settings.law import Law
from kveil.settings.regimes import ASKS, STRICTEST, Asks, Regime, age_column, asked_by, limits, named_jurisdictions, regimes

STANDING = ("person", "decision", "basis", "decided_at", "recorded_at", "regulation", "allows", "outcome")


def standing(policy: Policy, sources: Mapping[str, DataFrame], events: DataFrame, as_of: datetime) -> DataFrame:
    """One row per known person, with STANDING: `allows` lists what a basis may ask for it to be met (ASKS).

    `sources` are rows by source. `regulation` is the one of the person's jurisdiction, STRICTEST where that is unknown or not
    single. `outcome` says how the policy's own basis fares: used, refused or withdrawn, no grant, or minor.
    """
    law = policy.law
    known = state(events, as_of).withColumnRenamed("effective_from", "decided_at")
    people = _people(policy, sources, known)
    for more in (_jurisdictions(policy, sources), _ages(policy, sources, as_of)):
        people = people.join(more, "person", "left") if more is not None else people
    for name, kind in (("regulation", "string"), ("age", "int")):
        people = people if name in people.columns else people.withColumn(name, F.lit(None).cast(kind))
    named = people.withColumn("regulation", F.coalesce("regulation", F.lit(STRICTEST)))
    allowed = {asks: _by_regulation(law, partial(_allowed, law, asks)) for asks in ASKS}
    allows = F.array_compact(F.array(*[F.when(condition, asks) for asks, condition in allowed.items()]))
    outcome = F.when(allowed[asked_by(law.basis)], "used").otherwise(_by_regulation(law, _why_not))
    return named.withColumns({"allows": allows, "outcome": outcome}).select(*STANDING)


def with_use(rows: DataFrame, policy: Policy, source: str, people: DataFrame, now: datetime) -> DataFrame:
    """The rows with CONSENTS: their person allows the source's basis, and they are no older than the raw zone's limit.

    `people` is `standing`'s result, as stored; ids are compared as text. Someone who is not in it is nobody who allows
    anything, and without the person's column every row may be used.
    """
    young = _young(rows, policy, source, now)
    if policy.person not in rows.columns:
        return rows.withColumn(CONSENTS, young)
    asks = asked_by(policy.law.basis_of(source))
    allowing = people.where(F.array_contains("allows", asks)).select(F.col("person").alias("_kveil_allowing"))
    joined = rows.join(allowing, F.col(policy.person).cast("string") == F.col("_kveil_allowing"), "left")
    return joined.withColumn(CONSENTS, F.col("_kveil_allowing").isNotNull() & young).drop("_kveil_allowing")


def counts(people: DataFrame, erased: DataFrame) -> DataFrame:
    """regulation, outcome, people: how many of `standing`'s result stand how, and how many were left out as erased."""
    gone = erased.select("regulation", F.lit("erased").alias("outcome"))
    everybody = people.select("regulation", "outcome").unionByName(gone)
    return everybody.groupBy("regulation", "outcome").agg(F.count("*").alias("people"))


def _young(rows: DataFrame, policy: Policy, source: str, now: datetime) -> Column:
    """Whether the row may still be kept; one without a time has no age that could be too high."""
    column, days = age_column(policy.law, policy.clean, source), limits(policy.law).get("raw")
    if column is None or days is None or column not in rows.columns:
        return F.lit(True)
    return F.coalesce(F.col(column).cast("timestamp") >= F.lit(now - timedelta(days=days)), F.lit(True))


def _people(policy: Policy, sources: Mapping[str, DataFrame], known: DataFrame) -> DataFrame:
    """`known`, and everybody else who might allow a use: who has a jurisdiction or an age, or rows where silence may allow it."""
    law = policy.law
    asking = {place.source for place in (law.jurisdiction, law.birth_date) if place}
    silence_counts = not regimes(law)[STRICTEST].opt_in
    asking |= {name for name in sources if silence_counts or asked_by(law.basis_of(name)) != "consent"}
    having = [_ids(sources[name], policy.person) for name in sorted(asking) if policy.person in sources[name].columns]
    if not having:
        return known
    return reduce(DataFrame.unionByName, having).where(F.col("person").isNotNull()).distinct().join(known, "person", "full_outer")


def _ids(rows: DataFrame, person: str) -> DataFrame:
    return rows.select(F.col(person).cast("string").alias("person"))


def _jurisdictions(policy: Policy, sources: Mapping[str, DataFrame]) -> DataFrame | None:
    """person, regulation: of those whose rows all name the same one; whoever has two, or an unknown value, is left out."""
    place = policy.law.jurisdiction
    if place is None:
        return None
    value = F.upper(F.trim(place.column))
    named = F.lit(None).cast("string")
    for code, name in named_jurisdictions(policy.law).items():
        named = F.when(value == code, name).otherwise(named)
    found = sources[place.source].select(F.col(policy.person).cast("string").alias("person"), named.alias("regulation"))
    single = found.groupBy("person").agg(
        F.min("regulation").alias("regulation"),
        (F.count_distinct("regulation") == 1).alias("single"),
        F.bool_or(F.col("regulation").isNull()).alias("unknown"),
    )
    return single.where(F.col("single") & ~F.col("unknown")).select("person", "regulation")


def _ages(policy: Policy, sources: Mapping[str, DataFrame], as_of: datetime) -> DataFrame | None:
    """person, age in whole years at `as_of`: by the latest of the person's birth dates; a text that is no date is none."""
    place = policy.law.birth_date
    if place is None:
        return None
    born = F.col(place.column).try_cast("date")
    months = F.months_between(F.lit(as_of.date()), F.max(born))
    rows = sources[place.source].where(born.isNotNull())
    return rows.groupBy(F.col(policy.person).cast("string").alias("person")).agg(F.floor(months / 12).cast("int").alias("age"))


def _by_regulation(law: Law, condition: Callable[[Regime], Column]) -> Column:
    """The condition of the regime that the row's column `regulation` names."""
    each = regimes(law)
    chosen = condition(each[STRICTEST])
    for name, regime in each.items():
        if name != STRICTEST:
            chosen = F.when(F.col("regulation") == name, condition(regime)).otherwise(chosen)
    return chosen


def _allowed(law: Law, asks: Asks, regime: Regime) -> Column:
    """Whether a person may be used where the basis asks this much."""
    allowed = F.lit(True)
    if regime.opt_in and asks == "consent":
        allowed = allowed & _grants()
    if regime.opt_out or (regime.opt_in and asks == "objection"):
        allowed = allowed & ~_refuses()
    if regime.opt_out or asks == "consent":
        allowed = allowed & ~_too_young(law, regime)
    return allowed


def _too_young(law: Law, regime: Regime) -> Column:
    """Whether the person's age asks for a grant that is not there; an unknown age is below any, where ages are asked at all."""
    if law.birth_date is None:
        return F.lit(False)

    def below(age: int) -> Column:
        return F.coalesce(F.col("age") < age, F.lit(age > 0))

    by_parent = _grants() & F.col("basis").eqNullSafe(PARENTAL)
    return (below(regime.parent_below) & ~by_parent) | (below(regime.opt_in_below) & ~_grants())


def _why_not(regime: Regime) -> Column:
    """Why a person is not used: they said no, nobody said yes where that is asked, or whoever did was too young to."""
    silent = ~_grants() & F.lit(regime.opt_in)
    return F.when(_refuses(), "refused or withdrawn").when(silent, "no grant").otherwise("minor")


def _grants() -> Column:
    """Whether the person consented: a grant on another basis, such as a notice, is no consent, but lifts a refusal."""
    consenting = F.col("basis").isNull() | F.col("basis").isin(*CONSENTING_BASES)
    return F.col("decision").eqNullSafe("grant") & consenting


def _refuses() -> Column:
    return F.coalesce(F.col("decision").isin("refuse", "withdraw"), F.lit(False))

"""Why a person is or was used: their decisions as known at a moment, and what follows from them."""

from collections.abc import Iterator
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.collect import lawful
from kveil.collect.stage import events, source_rows
from kveil.context import Context


def explained(ctx: Context, person: DataFrame, as_of: datetime) -> list[str]:
    """Lines for a terminal about one person (a row with `person`): every event known at `as_of`, the rules and the outcome.

    What was recorded later is not shown, so that the answer is the one that a run at that moment went by.
    """
    policy = ctx.policy
    places = (policy.law.jurisdiction, policy.law.birth_date)
    names = dict.fromkeys([policy.consent.registry or policy.clean.base, *(place.source for place in places if place)])
    found = {name: source_rows(ctx, name).rows for name in names}
    mine = events(ctx, found).join(F.broadcast(person), "person", "left_semi")
    rows = {name: _of(rows_found, policy.person, person) for name, rows_found in found.items()}
    known = mine.where(F.col("recorded_at") <= F.lit(as_of)).orderBy("effective_from", "recorded_at")
    told = [*_events(known), *_outcome(lawful.standing(policy, rows, mine, as_of))]
    return [f"purpose {policy.purpose}, as known at {as_of:%Y-%m-%dT%H:%M:%SZ}", *told]


def _of(rows: DataFrame, column: str, person: DataFrame) -> DataFrame:
    if column not in rows.columns:
        return rows
    asked = F.broadcast(person.select(F.col("person").alias("_kveil_asked")))
    return rows.join(asked, F.col(column).cast("string") == F.col("_kveil_asked"), "left_semi")


def _events(known: DataFrame) -> Iterator[str]:
    times = [F.date_format(name, "yyyy-MM-dd'T'HH:mm:ss'Z'").alias(name) for name in ("effective_from", "recorded_at")]
    # One person's decisions: a handful.
    for row in known.select("decision", "basis", *times).collect():
        basis = f", basis {row['basis']}" if row["basis"] else ""
        yield f"  {row['decision']} from {row['effective_from']}, recorded {row['recorded_at']}{basis}"


def _outcome(standing: DataFrame) -> Iterator[str]:
    row = standing.first()
    if row is None:
        yield "no decision, jurisdiction or age is known: not used where a grant is asked"
        return
    allows = ", ".join(row["allows"]) or "none"
    decided = f"decision {row['decision'] or 'none'}; regulation {row['regulation']}; outcome {row['outcome']}"
    yield f"{decided}; bases that are met: {allows}"

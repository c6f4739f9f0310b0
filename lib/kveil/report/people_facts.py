"""What the report says of people registered several times: how many, how sure, and what each column adds; nobody's own pair.

A match weight is log2 of the odds that two registrations are one person's: the prior's, and what each column adds to it
(Fellegi, Sunter 1969, A Theory for Record Linkage, JASA 64).
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.context import Context
from kveil.tables.schema import PEOPLE, PEOPLE_PAIRS

Fact = dict[str, Any]

_BARS = 8
_WEAKEST = 0.1
"""The share of people whose links are looked at as the weakest ones."""


def people_facts(ctx: Context) -> Fact | None:
    """Counts, the distribution of match weights and average waterfalls; None where nobody was looked for.

    Each person counts once, by the weakest of their links. Whatever is shown, and whatever can be had by subtracting one shown
    group from another, is of at least k people.
    """
    asked = ctx.policy.clean.people
    if asked is None or not all(ctx.store.exists(ctx.ref(table)) for table in (PEOPLE, PEOPLE_PAIRS)):
        return None
    # A row per unit of weight that occurs: some dozens, however many people there are.
    rows = per_unit_of_weight(ctx.read(PEOPLE), ctx.read(PEOPLE_PAIRS), list(asked.columns)).collect()
    units = sorted((row.asDict() for row in rows), key=lambda unit: unit["unit"])
    return summed_up(units, list(asked.columns), ctx.policy.anonymize.k, asked.threshold)


def per_unit_of_weight(people: DataFrame, pairs: DataFrame, columns: Sequence[str]) -> DataFrame:
    """Per whole unit of match weight the people whose weakest link lies there, their registrations, and sums of weights.

    Columns: unit, people, registrations, weight and sum_0, sum_1, ... in the order of `columns`; what a link does not know is 0.
    """
    several = people.groupBy("survivor").agg(F.count("*").alias("registrations"))
    link = F.struct("weight", *[_part(name).alias(f"part_{i}") for i, name in enumerate(columns)])
    weakest = F.min_by(link, F.struct("weight", "person", "other")).alias("link")
    # A weight without an end, of two that no doubt is left about, has no place among means.
    ended = pairs.where(F.abs("weight") < math.inf)
    links = ended.join(people, "person").groupBy("survivor").agg(weakest).select("survivor", "link.*")
    sums = [F.sum(f"part_{i}").alias(f"sum_{i}") for i in range(len(columns))]
    counts = [F.count("*").alias("people"), F.sum("registrations").alias("registrations"), F.sum("weight").alias("weight")]
    return links.join(several, "survivor").groupBy(F.floor("weight").alias("unit")).agg(*counts, *sums)


def _part(name: str) -> Any:
    return F.coalesce(F.try_element_at(F.col("weights"), F.lit(name)), F.lit(0.0))


def summed_up(units: Sequence[Fact], columns: Sequence[str], k: int, threshold: float) -> Fact:
    """The fact of `per_unit_of_weight`'s rows, sorted by unit; with fewer than k people it holds counts alone."""
    people = sum(unit["people"] for unit in units)
    return {
        "people": people,
        "registrations": sum(unit["registrations"] for unit in units),
        "threshold": threshold,
        "threshold_weight": round(math.log2(threshold / (1 - threshold)), 2),
        "weights": list(_histogram(units, k)) if people >= k else [],
        "waterfalls": list(_waterfalls(units, columns, k)),
    }


def _histogram(units: Sequence[Fact], k: int) -> Iterator[Fact]:
    """At most so many ranges of weight, [lower, upper), each with at least k people: narrower ones are joined with the next."""
    first, last = units[0]["unit"], units[-1]["unit"] + 1
    width = max(1, math.ceil((last - first) / _BARS))
    left = sum(unit["people"] for unit in units)
    lower, inside = first, 0
    for upper in range(first + width, last + width, width):
        inside += sum(unit["people"] for unit in units if upper - width <= unit["unit"] < upper)
        # What is left must be enough for a range of its own, too.
        if inside >= k and (left - inside >= k or left == inside):
            yield {"lower": lower, "upper": upper, "people": inside}
            left -= inside
            lower, inside = upper, 0


def _waterfalls(units: Sequence[Fact], columns: Sequence[str], k: int) -> Iterator[Fact]:
    """Averages over all, and over the weakest where they and the others are k people each."""
    people = sum(unit["people"] for unit in units)
    if people < k:
        return
    yield _waterfall("all", units, columns)
    enough = max(k, math.ceil(_WEAKEST * people))
    reached = 0
    for place, unit in enumerate(units, start=1):
        reached += unit["people"]
        if reached >= enough:
            if people - reached >= k:
                yield _waterfall("weakest", units[:place], columns)
            return


def _waterfall(whose: str, units: Sequence[Fact], columns: Sequence[str]) -> Fact:
    """Mean prior, mean part of each column and mean match weight, which is their sum but for rounding to hundredths."""
    people = sum(unit["people"] for unit in units)
    parts = [sum(unit[f"sum_{i}"] for unit in units) / people for i in range(len(columns))]
    weight = sum(unit["weight"] for unit in units) / people
    return {
        "whose": whose,
        "people": people,
        "prior": round(weight - sum(parts), 2),
        "columns": [{"column": name, "weight": round(part, 2)} for name, part in zip(columns, parts, strict=True)],
        "weight": round(weight, 2),
    }

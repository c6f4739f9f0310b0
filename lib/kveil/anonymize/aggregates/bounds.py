"""Bounds that are bought: quantiles of the measure's own values, chosen privately before the measure is made."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.aggregates.bounding import HIGH, ITEM, LIMB, LOW, SLOT, Part, totals
from kveil.anonymize.aggregates.cells import CELL, Grid
from kveil.anonymize.aggregates.request import Request
from kveil.anonymize.aggregates.rows import rows_of
from kveil.anonymize.aggregates.secret import secret_of
from kveil.anonymize.aggregates.total import Total
from kveil.context import Context
from kveil.privacy.consistency import Tree
from kveil.privacy.randomness import KeyedBits, derived_key
from kveil.privacy.sensitivity import Sensitivity, noise_of
from kveil.privacy.threshold import MANTISSA_BITS, chosen, place_of, thresholds
from kveil.settings.bounds import BoughtBounds


def with_bounds(ctx: Context, request: Request, clean: DataFrame, few_people: bool) -> Request:
    """The request with all bounds that it buys; as long as the secret lives, each call finds the same.

    Counted are the rows of public groups, and of unknown ones whether they will be shown or not.
    """
    asked = request.asked.measures.items()
    bought = {name: (role.column, role.bounds) for name, role in asked if role.column is not None and role.bounds is not None}
    if not bought:
        return request
    rows = rows_of(ctx, request.asked, clean)
    inside = rows.where(Grid(request.asked, dict(rows.dtypes)).has_row())
    key = derived_key(secret_of(ctx), "bounds", request.release_id)
    search = BoundSearch(inside, request.asked.rows_per_person, key, few_people)
    return request.within({name: search.bounds_of(name, *bought[name]) for name in bought})


@dataclass(frozen=True)
class BoundSearch:
    """The rows in which bounds are looked for, how many of a person count whole, and what the choice is a function of.

    `rows` have PERSON, never null. With at most `most` rows of a person counted, a bound's choice is epsilon-DP for the person.
    """

    rows: DataFrame
    most: int
    key: bytes
    few_people: bool

    def bounds_of(self, name: str, column: str, bounds: BoughtBounds) -> tuple[int, int]:
        """The lower and the upper bound of a column under a name; a step apart where both shares lie at one value."""
        places, asked = thresholds(*bounds.within), bounds.asked
        total = _total(name, column, bounds, self.most, len(places))
        counts = _counts(self.rows, total, self.few_people)
        ends = [0, len(places) - 1]
        for end, share in asked:
            bits = KeyedBits(derived_key(self.key, name, end), np.arange(len(places), dtype=np.uint64))
            epsilon = Fraction(bounds.epsilon) / len(asked)
            ends[end] = chosen(counts, Fraction(share), self.most * total.noise.grain, epsilon, end == 1, bits)
        lower = min(ends[0], len(places) - 2)
        return places[lower], places[max(ends[1], lower + 1)]


def _total(name: str, column: str, bounds: BoughtBounds, most: int, items: int) -> Total:
    """The number of rows from each threshold to the next, of people who add up to `most` each."""
    kept = Sensitivity(1, most)
    # Only its grain matters: no noise is added to a count, but to the score of a threshold.
    tree = Tree((), (noise_of(kept, Fraction(bounds.epsilon) / 4, 1),))
    return Total(name, 0, "items", column, *bounds.within, 0, 0, items, 1, None, (kept,), tree)


def _counts(rows: DataFrame, total: Total, few_people: bool) -> list[int]:
    """Rows from each threshold to the next, in units of 1 / grain; a handful of numbers that no table holds."""
    value = F.col(f"`{total.column}`").cast("bigint")
    clamped = F.least(F.lit(total.upper), F.greatest(F.lit(total.lower), value)).cast("bigint")
    item = _place(clamped) - F.lit(place_of(total.lower))
    placed = rows.where(value.isNotNull()).withColumn(CELL, F.lit(0).cast("bigint")).withColumn(ITEM, item)
    counts = [0] * total.items
    for row in totals(Part((total,), placed, (F.lit(1),), placed), few_people).collect():
        counts[row[SLOT]] = row[HIGH] * 2**LIMB + row[LOW]
    return counts


def _place(value: Column) -> Column:
    """`place_of` in SQL's integers."""
    size = F.when(value < 0, F.bitwise_not(value)).otherwise(value)
    shift = F.greatest(F.lit(0), F.length(F.bin(size)) - MANTISSA_BITS)
    place = shift * 2 ** (MANTISSA_BITS - 1) + F.call_function("shiftright", size, shift)
    return F.when(value < 0, F.bitwise_not(place)).otherwise(place)

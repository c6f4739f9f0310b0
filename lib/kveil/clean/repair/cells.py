"""One score per cell and candidate: what the row's other cells, the column's other values and the cell's look say together."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.clean.repair.counts import LONGEST_VALUE
from kveil.clean.repair.facts import Determinants
from kveil.clean.repair.shapes import shape_of
from kveil.settings.recipe import Repair

THRESHOLD = 0.5
"""The score from which on a cell is corrected."""
_NOT_ALONE = 0.5
"""What votes count where the columns that tell this one tell it hardly better than chance."""
_SIGN = 0.25
"""What one more sign of an error counts: likeness to the candidate, rarity, an unusual look."""
_MEANT = 0.5
"""What it counts that the value is a misspelling of the candidate, where likeness is no chance."""
_FEWEST_VOTERS = 2
"""One column's word alone does not overrule a value: a first name tells most people's sex, and not everybody's."""
_SHORTEST_ALIKE = 4
"""Codes like DE and ES are near to each other by nature."""
_RARE = 0.1
"""A value is rare beside one that stands ten times as often."""
_FACTS = "_kveil_facts_"


def determinants(repairs: Sequence[Repair]) -> Determinants:
    """For each column to be repaired those that tell it."""
    return {repair.column: repair.by for repair in repairs}


def repaired(rows: DataFrame, repairs: Sequence[Repair], facts: DataFrame) -> DataFrame:
    """The rows, each once, with the columns of the repairs corrected, all by the rows as they are now.

    Score of a candidate: votes for it minus votes for the present value, per column that could vote (two at least), in
    [-1, 1]; plus what the other signs count. The best candidate (by name among equals) is taken from THRESHOLD on. Null is
    filled by votes alone.
    """
    names = sorted({name for repair in repairs for name in (repair.column, *repair.by)})
    known = rows
    for name in names:
        mine = facts.where(F.col("column") == name)
        value = f"{_FACTS}value"
        packed = mine.select(F.col("value").alias(value), F.struct("cells", "meant", "trust", "votes").alias(_FACTS + name))
        known = known.join(packed, known[name].cast("string") == packed[value], "left").drop(value)
    return known.withColumns({repair.column: _corrected(repair) for repair in repairs}).select(*rows.columns)


def _corrected(repair: Repair) -> Column:
    value, own = F.col(repair.column), F.col(_FACTS + repair.column)
    votes = F.array_compact(F.array(*[F.col(f"{_FACTS}{by}.votes")[repair.column] for by in repair.by]))
    if not repair.by:
        votes = F.expr("CAST(array() AS array<struct<told:string,weight:double,cells:bigint>>)")
    candidates = F.array_distinct(F.array_compact(F.concat(F.transform(votes, lambda vote: vote["told"]), F.array(own["meant"]))))
    others = F.filter(candidates, lambda told: ~told.eqNullSafe(value))
    scored = F.transform(
        others, lambda told: F.struct(_score(repair, value, own, votes, told).alias("score"), told.alias("told"))
    )
    best = F.array_max(scored)
    # Letters of a long document are not compared: that takes the product of the lengths.
    short = F.coalesce(F.length(value) <= LONGEST_VALUE, F.lit(True))
    right = F.when(short & (best["score"] >= THRESHOLD), best["told"]).otherwise(value)
    return right if repair.fill else F.when(value.isNotNull(), right)


def _score(repair: Repair, value: Column, own: Column, votes: Column, told: Column) -> Column:
    telling = F.lit(1.0 if repair.alone else _NOT_ALONE)
    of_it = F.filter(votes, lambda vote: vote["told"] == told)
    signs = [
        F.when(_alike(value, told), _SIGN).otherwise(0.0),
        F.when(own["cells"] < _RARE * F.array_max(F.transform(of_it, lambda vote: vote["cells"])), _SIGN).otherwise(-_SIGN),
        F.when(~shape_of(value).isin(repair.shapes), _SIGN).otherwise(0.0) if repair.shapes else F.lit(0.0),
        F.when(own["meant"] == told, _MEANT * own["trust"]).otherwise(0.0),
    ]
    voters = max(_FEWEST_VOTERS, len(repair.by))
    for_it = _weight(of_it) / voters * telling
    against = _weight(F.filter(votes, lambda vote: vote["told"].eqNullSafe(value))) / voters
    of_value = F.when(F.size(of_it) > 0, for_it + sum(signs[1:], signs[0])).otherwise(_SIGN + signs[-1])
    return F.when(value.isNull(), _weight(of_it) / max(1, len(repair.by))).otherwise(of_value - against)


def _weight(votes: Column) -> Column:
    return F.aggregate(votes, F.lit(0.0), lambda sum_, vote: sum_ + vote["weight"])


def _alike(value: Column, other: Column) -> Column:
    """Few letters of at least four differ, and no number: what `likeness.alike` says of words, in Spark and of whole values."""
    numbers = [F.regexp_extract_all(text, F.lit(r"[\p{L}]*\p{Nd}[\p{L}\p{Nd}]*"), F.lit(0)) for text in (value, other)]
    few = F.levenshtein(value, other) <= F.greatest(F.lit(1), F.floor(F.length(other) / 3))
    return few & (F.length(other) >= _SHORTEST_ALIKE) & numbers[0].eqNullSafe(numbers[1])

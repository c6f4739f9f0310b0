"""Why two registrations are taken for one person's: a waterfall in text, for whoever may read the restricted zone."""

from collections.abc import Iterator, Mapping

from pyspark.sql import functions as F

from kveil.context import Context
from kveil.errors import ContractError
from kveil.tables.people import id_as_text
from kveil.tables.schema import PEOPLE, PEOPLE_PAIRS

_WIDTH = 40


def pair_explained(ctx: Context, one: str, other: str) -> list[str]:
    """Lines for a terminal: the prior, what each column adds to the match weight or takes from it, and their sum.

    They hold names of columns and weights (log2 of the odds), no id and no value. ContractError where nobody is linked, or the
    two are no linked pair; it tells those who are one person's by way of a third registration from those who are not.
    """
    asked = ctx.policy.clean.people
    if asked is None or not all(ctx.store.exists(ctx.ref(table)) for table in (PEOPLE, PEOPLE_PAIRS)):
        raise ContractError("people: no registrations are linked; give clean.people and run kveil clean")
    given = ctx.spark.createDataFrame([(one, other)], "one string, other string")
    ids = given.selectExpr(*[id_as_text(ctx.policy, name) for name in given.columns]).first()
    assert ids is not None, "one row was given"
    is_one = F.array_sort(F.array("person", "other")) == F.array_sort(F.array(*map(F.lit, ids)))
    pair = ctx.store.read(ctx.ref(PEOPLE_PAIRS)).where(is_one).first()
    if pair is None:
        raise ContractError(f"people --pair: {_no_pair(ctx, list(ids))}")
    parts = {name: pair["weights"][name] for name in asked.columns if name in pair["weights"]}
    return [*waterfall(parts, pair["weight"]), f"probability {pair['probability']:.6f}; linked from {asked.threshold:g} on"]


def waterfall(parts: Mapping[str, float], weight: float) -> Iterator[str]:
    """A line per bar: its name, its height and the bar itself on one scale, + for what adds and - for what takes away."""
    prior = weight - sum(parts.values())
    ends = [0.0, prior]
    for part in parts.values():
        ends.append(ends[-1] + part)
    low, high = min(ends), max(ends)
    broad = max(map(len, [*parts, "match weight"]))

    def line(name: str, start: float, end: float, sign: str) -> str:
        first, last = sorted(round((each - low) / ((high - low) or 1) * _WIDTH) for each in (start, end))
        shown = f"{end:8.2f}" if sign == "=" else f"{end - start:+8.2f}"
        return f"{name:<{broad}} {shown}  {' ' * first}{sign * max(last - first, 1)}"

    yield line("prior", 0, prior, "=")
    for name, start, end in zip(parts, ends[1:], ends[2:], strict=False):
        yield line(name, start, end, "-" if end < start else "+")
    yield line("match weight", 0, weight, "=")


def _no_pair(ctx: Context, ids: list[str]) -> str:
    """Why there is no such pair; ids are not said again."""
    known = ctx.store.read(ctx.ref(PEOPLE)).where(F.col("person").isin(ids))
    people = known.agg(F.count_distinct("person").alias("ids"), F.count_distinct("survivor").alias("people")).first()
    if people is not None and (people["ids"], people["people"]) == (2, 1):
        return "the two are one person's by way of others alone; ask for each with one of these, see the table of pairs"
    return "the two are not taken for one person's; give two ids that the table of pairs holds"

"""Applies a recipe's accepted steps to a source's rows, pass after pass, until nothing changes."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from kveil.clean.repair.cells import determinants, repaired
from kveil.clean.repair.counts import Counts, few_valued
from kveil.clean.repair.facts import MEANT_DDL, facts
from kveil.clean.repair.likeness import MOST_VALUES, SHORTEST, likeness
from kveil.clean.repair.spelling import merged
from kveil.clean.steps import CellStep, after
from kveil.settings.recipe import Fill, Merge, Repair, Step

MOST_PASSES = 8
"""Passes after which columns that still change are left as they were."""
_TURNS = ("rows", "rows_in_turn")
"""A pass reads what the one before it wrote, so they write in turn."""
_SHORTEST_TOLD = 2
"""Where other columns speak for or against a misspelling, it may be this short."""

Keep = Callable[[DataFrame, str], DataFrame]
"""Writes rows to a working table of a name and reads them back, so that they are computed once."""


@dataclass
class Applied:
    """The rows after a recipe: cells changed by step, the passes it took, and columns whose repair did not settle."""

    rows: DataFrame
    cells: dict[int, int]
    passes: int
    unsettled: list[str] = field(default_factory=list)


def applied(rows: DataFrame, steps: Sequence[Step], keep: Keep) -> Applied:
    """The rows, each once, after all steps, in passes until one changes nothing, so that doing it again changes nothing.

    Repairs that depend on each other in a circle may never come to rest: after MOST_PASSES those of the columns that still
    change are left out and the rest begins anew. `cells` are counted per step, by its place in `steps`. Steps on
    types, columns or rows (cast, drop, duplicates) are left to the stage.
    """
    left_out: list[str] = []
    while True:
        asked = [(i, step) for i, step in enumerate(steps) if step.column not in left_out]
        found, changing = _to_rest(rows, asked, keep)
        if not changing:
            found.unsettled = left_out
            return found
        left_out += changing


def _to_rest(rows: DataFrame, steps: Sequence[tuple[int, Step]], keep: Keep) -> tuple[Applied, list[str]]:
    total: Counter[int] = Counter()
    changed: Counter[int] = Counter()
    for number in range(1, MOST_PASSES + 1):
        rows, changed = _passed(rows, steps, keep, _TURNS[number % 2])
        total += changed
        if not +changed:
            return Applied(rows, dict(total), number), []
    return Applied(rows, dict(total), MOST_PASSES), sorted({step.column for i, step in steps if changed[i]})


def _passed(rows: DataFrame, steps: Sequence[tuple[int, Step]], keep: Keep, name: str) -> tuple[DataFrame, Counter[int]]:
    """The rows after one pass, and the cells that each step changed. What repairs make of them is kept under the name."""
    first = [(i, step) for i, step in steps if isinstance(step, CellStep) and not isinstance(step, Fill)]
    rows, changed = _cell_by_cell(rows, first)
    merges = [(i, step) for i, step in steps if isinstance(step, Merge)]
    if merges:
        rows, cells = _merged(rows, merges)
        changed += cells
    repairs = [(i, step) for i, step in steps if isinstance(step, Repair)]
    if repairs:
        rows, cells = _repaired(rows, repairs, keep, name)
        changed += cells
    fills = [(i, step) for i, step in steps if isinstance(step, Fill)]
    rows, cells = _cell_by_cell(rows, fills)
    return rows, changed + cells


def _cell_by_cell(rows: DataFrame, steps: Sequence[tuple[int, CellStep]]) -> tuple[DataFrame, Counter[int]]:
    if not steps:
        return rows, Counter()
    values: dict[str, Column] = {}
    differ = {}
    for i, step in steps:
        before = values.get(step.column, F.col(step.column))
        values[step.column] = after(step, before, rows)
        differ[i] = ~before.eqNullSafe(values[step.column])
    return rows.withColumns(values), _counted(rows, differ)


def _merged(rows: DataFrame, merges: Sequence[tuple[int, Merge]]) -> tuple[DataFrame, Counter[int]]:
    counts = few_valued(rows, sorted({step.column for _, step in merges}), MOST_VALUES)
    changed: Counter[int] = Counter()
    for i, step in merges:
        others = merged(counts.get(step.column, {}), step.by)
        changed[i] = sum(counts[step.column][value] for value in others)
        if others:
            rows = _replaced(rows, step.column, others)
            counts[step.column] = _after_merge(counts[step.column], others)
    return rows, changed


def _after_merge(counts: dict[str, int], others: dict[str, str]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for value, count in counts.items():
        found[others.get(value, value)] += count
    return dict(found)


def _replaced(rows: DataFrame, column: str, others: dict[str, str]) -> DataFrame:
    """The rows with the column's values exchanged as told; a join, since a plan with thousands of branches is slow."""
    table = rows.sparkSession.createDataFrame(list(others.items()), "_kveil_value string, _kveil_other string")
    found = rows.join(F.broadcast(table), rows[column] == F.col("_kveil_value"), "left")
    return found.withColumn(column, F.coalesce("_kveil_other", column)).select(*rows.columns)


def _repaired(rows: DataFrame, repairs: Sequence[tuple[int, Repair]], keep: Keep, name: str) -> tuple[DataFrame, Counter[int]]:
    asked = [repair for _, repair in repairs]
    counts = few_valued(rows, [repair.column for repair in asked], MOST_VALUES)
    known = keep(facts(rows, determinants(asked), _meant(rows.sparkSession, asked, counts)), "facts")
    before = {repair.column: F.col(repair.column).alias(f"_kveil_before_{repair.column}") for repair in asked}
    both = keep(repaired(rows.select("*", *before.values()), asked, known), name)
    differ = {i: ~F.col(repair.column).eqNullSafe(F.col(f"_kveil_before_{repair.column}")) for i, repair in repairs}
    return both.select(*rows.columns), _counted(both, differ)


def _meant(spark: SparkSession, repairs: Sequence[Repair], counts: Counts) -> DataFrame:
    listed = []
    for repair in repairs:
        found = likeness(counts.get(repair.column, {}), _SHORTEST_TOLD if repair.by else SHORTEST)
        listed += [(repair.column, value, meant, found.trust) for value, meant in found.meant.items()]
    return spark.createDataFrame(listed, MEANT_DDL)


def _counted(rows: DataFrame, differ: dict[int, Column]) -> Counter[int]:
    counts = rows.agg(*[F.count_if(condition).alias(str(i)) for i, condition in differ.items()]).first()
    assert counts is not None, "an aggregation without groups has one row"
    return Counter({i: counts[str(i)] for i in differ})

"""Applies a recipe's accepted steps to a source's rows, pass after pass, until nothing changes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from kveil.clean.repair.cells import determinants, repaired
from kveil.clean.repair.counts import Counts, about_distinct, few_valued
from kveil.clean.repair.facts import MEANT_DDL, facts
from kveil.clean.repair.likeness import MOST_VALUES, SHORTEST, likeness
from kveil.clean.repair.spelling import merged
from kveil.clean.steps import CellStep, after
from kveil.clean.working import Keep
from kveil.settings.recipe import Fill, Merge, NullTokens, Outlier, Repair, Step, Unusual

MOST_PASSES = 8
"""Passes after which columns that still change are left as they were."""
_TURNS = ("rows", "rows_in_turn")
"""A pass reads what the one before it wrote, so they write in turn."""
_AT_ONCE = (NullTokens, Unusual, Outlier, Fill, Merge)
"""Steps that have nothing left to do on a column on which they alone were done."""
_FEW = 100
"""Values up to which exchanging them is a part of the plan."""
_DISTINCT = "distinct "
_SHORTEST_TOLD = 2
"""Where other columns speak for or against a misspelling, it may be this short."""


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
        steps = _still_to_ask(steps, changed)
        if not steps:
            return Applied(rows, dict(total), number), []
    return Applied(rows, dict(total), MOST_PASSES), sorted({step.column for i, step in steps if changed[i]})


def _still_to_ask(steps: Sequence[tuple[int, Step]], changed: Counter[int]) -> Sequence[tuple[int, Step]]:
    """The steps that may change more: only repairs look at other columns, so without them a column that stayed will stay."""
    if any(isinstance(step, Repair) for _, step in steps):
        return steps
    moved = {step.column for i, step in steps if changed[i]}
    on = Counter(step.column for _, step in steps)
    return [(i, step) for i, step in steps if step.column in moved and not (on[step.column] == 1 and isinstance(step, _AT_ONCE))]


def _passed(rows: DataFrame, steps: Sequence[tuple[int, Step]], keep: Keep, name: str) -> tuple[DataFrame, Counter[int]]:
    """The rows after one pass, and the cells that each step changed. What repairs make of them is kept under the name."""
    first = [(i, step) for i, step in steps if isinstance(step, CellStep) and not isinstance(step, Fill)]
    merges = [(i, step) for i, step in steps if isinstance(step, Merge)]
    rows, changed, distinct = _cell_by_cell(rows, first, sorted({step.column for _, step in merges}))
    if merges:
        rows, cells = _merged(rows, merges, distinct)
        changed += cells
    repairs = [(i, step) for i, step in steps if isinstance(step, Repair)]
    if repairs:
        rows, cells = _repaired(rows, repairs, keep, name)
        changed += cells
    fills = [(i, step) for i, step in steps if isinstance(step, Fill)]
    rows, cells, _ = _cell_by_cell(rows, fills)
    return rows, changed + cells


def _cell_by_cell(
    rows: DataFrame, steps: Sequence[tuple[int, CellStep]], merging: Sequence[str] = ()
) -> tuple[DataFrame, Counter[int], dict[str, int]]:
    """The rows after the steps, the cells that each changed, and about how many values the columns to be merged then have."""
    values: dict[str, Column] = {}
    differ = {}
    for i, step in steps:
        before = values.get(step.column, F.col(step.column))
        values[step.column] = after(step, before, rows)
        differ[i] = ~before.eqNullSafe(values[step.column])
    asked = [F.count_if(condition).alias(str(i)) for i, condition in differ.items()]
    asked += [F.approx_count_distinct(values.get(name, F.col(name))).alias(_DISTINCT + name) for name in merging]
    if not asked:
        return rows, Counter(), {}
    found = _first(rows.agg(*asked))
    distinct = {name: found[_DISTINCT + name] for name in merging}
    return rows.withColumns(values), Counter({i: found[str(i)] for i in differ}), distinct


def _merged(rows: DataFrame, merges: Sequence[tuple[int, Merge]], distinct: Mapping[str, int]) -> tuple[DataFrame, Counter[int]]:
    counts = few_valued(rows, distinct, MOST_VALUES)
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
    """The rows with the column's values exchanged as told; many by a join, since a plan of thousands of values is slow."""
    if len(others) <= _FEW:
        # Most rows hold none of them, which a set tells at once.
        known = F.create_map(*[F.lit(text) for pair in others.items() for text in pair])
        value = F.col(column)
        return rows.withColumn(column, F.when(value.isin(list(others)), F.element_at(known, value)).otherwise(value))
    table = rows.sparkSession.createDataFrame(list(others.items()), "_kveil_value string, _kveil_other string")
    found = rows.join(F.broadcast(table), rows[column] == F.col("_kveil_value"), "left")
    return found.withColumn(column, F.coalesce("_kveil_other", column)).select(*rows.columns)


def _repaired(rows: DataFrame, repairs: Sequence[tuple[int, Repair]], keep: Keep, name: str) -> tuple[DataFrame, Counter[int]]:
    asked = [repair for _, repair in repairs]
    counts = few_valued(rows, about_distinct(rows, [repair.column for repair in asked]), MOST_VALUES)
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
    counts = _first(rows.agg(*[F.count_if(condition).alias(str(i)) for i, condition in differ.items()]))
    return Counter({i: counts[str(i)] for i in differ})


def _first(aggregated: DataFrame) -> Row:
    row = aggregated.first()
    assert row is not None, "an aggregation without groups has one row"
    return row

"""A source's raw rows after the policy's recipe, with the log of it, old values where they are kept, and decisions remembered."""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.clean.casts import typed
from kveil.clean.log import CleaningLog
from kveil.clean.recipe import Applied, applied
from kveil.clean.repair.shapes import masked
from kveil.clean.suggest.memory import kind_of
from kveil.clean.working import keeping
from kveil.context import Context
from kveil.settings.recipe import Cast, Drop, Duplicates, Step
from kveil.tables.schema import CLEANED_CELLS, RAW, SUGGESTIONS

_OLD = "_kveil_old_"
_TEXT = "_kveil_text_"
"""What the steps made of a cell before its column got another type."""


def by_recipe(ctx: Context, source: str, log: CleaningLog) -> DataFrame:
    """The raw rows, each once, after the accepted steps; as they are where the recipe has none for the source.

    Columns that the recipe leaves out are gone; which rows came twice is told later, of the rows that this gives.
    """
    raw, recipe = ctx.read(RAW, source), ctx.policy.clean.recipe
    steps = [step for step in recipe.accepted(source) if not isinstance(step, Duplicates)]
    if not steps:
        return raw
    columns = sorted({step.column for step in steps if not isinstance(step, Drop)})
    with ctx.step(f"recipe for {source}") as note:
        before = raw.select("*", *[F.col(name).alias(_OLD + name) for name in columns])
        done = applied(before, steps, keeping(ctx, source))
        types = recipe.types(source)
        texts = {_TEXT + name: F.col(name) for name in types}
        rows = done.rows.withColumns({**texts, **{name: typed(F.col(name), to) for name, to in types.items()}})
        # Where no step changed a cell, there is nothing to compare.
        moved = {steps[i].column for i, cells in done.cells.items() if cells} | set(types)
        differ = {name: _differs(name, types.get(name)) for name in columns if name in moved}
        told = _told(rows, differ, list(types)) | {"rows": raw.count()}
        note.text = f"{told['touched']:,} of {told['rows']:,} rows changed, in {done.passes} passes"
        if done.unsettled:
            note.text += f"; left as they were, since repairs of them never came to rest: {', '.join(done.unsettled)}"
    _log(log, source, steps, done, told)
    _keep_old_values(ctx, source, rows, differ)
    return rows.select(*[name for name in raw.columns if name not in recipe.dropped(source)])


def remember_decisions(ctx: Context) -> None:
    """Writes which steps of the recipe were accepted or refused, in place of what was known of this policy."""
    decided = [
        {
            "source": step.source, "column": step.column, "step": kind_of(step)[0], "way": kind_of(step)[1],
            "accepted": step.accept, "confidence": step.confidence,
        }
        for step in ctx.policy.clean.recipe.steps
        if step.accept != "ask"
    ]  # fmt: skip
    if decided:
        ctx.store.replace_where(ctx.ref(SUGGESTIONS), ctx.rows(SUGGESTIONS, decided), policy=ctx.policy.name)


def _told(rows: DataFrame, differ: Mapping[str, Column], typed_columns: Sequence[str]) -> dict[str, Any]:
    """The rows touched, and per column its changed cells, up to three masked changes, the same on any partitioning, and the
    cells that another type lost.
    """
    lost = {name: F.col(_TEXT + name).isNotNull() & F.col(name).isNull() for name in typed_columns}
    any_ = F.lit(False)
    asked = []
    for name, differs in differ.items():
        any_ = any_ | differs
        change = F.when(differs, F.concat_ws(" -> ", _masked(_OLD + name), _masked(name)))
        some = [F.min_by(change, _order(change)), F.max_by(change, _order(change)), F.min(change)]
        asked += [
            F.count_if(differs).alias(f"cells_{name}"),
            F.array_distinct(F.array_compact(F.array(*some))).alias(f"some_{name}"),
        ]
    asked += [F.count_if(is_lost).alias(f"lost_{name}") for name, is_lost in lost.items()]
    # Aggregates of texts are slow for every row, changed or not: only rows that they tell of reach them.
    told = rows.where(reduce(or_, lost.values(), any_))
    found = told.agg(*asked, F.count_if(any_).alias("touched")).first()
    assert found is not None, "an aggregation without groups has one row"
    return found.asDict()


def _differs(name: str, type_: str | None) -> Column:
    """Whether the cell holds something else than before; the same in another type, if it has got one, is no change."""
    old, new = F.col(_OLD + name), F.col(name)
    if type_ is None:
        return ~new.eqNullSafe(old)
    return ~new.eqNullSafe(typed(old, type_)) | (new.isNull() & old.isNotNull())


def _masked(name: str) -> Column:
    return masked(F.col(name).cast("string"))


def _order(change: Column) -> Column:
    return F.when(change.isNotNull(), F.xxhash64(change))


def _log(log: CleaningLog, source: str, steps: Sequence[Step], done: Applied, told: Mapping[str, Any]) -> None:
    rows = told["rows"]
    for i, step in enumerate(steps):
        rule = f"recipe: {step.step}: {step.column}"
        if isinstance(step, Drop):
            log.add(source, rule, rows, rows)
            continue
        cells = told[f"lost_{step.column}"] if isinstance(step, Cast) else done.cells.get(i, 0)
        if step.column in done.unsettled and not isinstance(step, Cast):
            rule += ", left out since it never came to rest"
        touched, samples = told.get(f"cells_{step.column}", 0), sorted(told.get(f"some_{step.column}", ()))
        log.add(source, rule, rows, rows, cells, rows_touched=touched, samples=samples)


def _keep_old_values(ctx: Context, source: str, rows: DataFrame, differ: Mapping[str, Column]) -> None:
    if not ctx.policy.clean.keep_old_values or not differ:
        return
    person, key = ctx.policy.person, ctx.policy.sources[source].key
    each = [
        F.struct(
            differs.alias("differs"),
            F.lit(name).alias("column"),
            F.col(_OLD + name).cast("string").alias("old"),
            F.col(name).cast("string").alias("new"),
        )
        for name, differs in differ.items()
    ]
    who = F.col(person).cast("string") if person in rows.columns else F.lit(None).cast("string")
    keyed = F.to_json(F.struct(*key)) if key else F.lit("{}")
    cells = rows.select(who.alias("person"), keyed.alias("key"), F.inline(F.array(*each)))
    marks = {"build": F.lit(ctx.build), "source": F.lit(source), "run_id": F.lit(ctx.run_id), "written_at": F.lit(ctx.now)}
    changed = cells.where("differs").withColumns(marks).select(*CLEANED_CELLS.names)
    ref = ctx.ref(CLEANED_CELLS)
    ctx.store.replace_where(ref, changed, source=source)
    ctx.store.forget_history(ref)

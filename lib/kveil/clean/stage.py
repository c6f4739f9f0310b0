"""Stage 2: makes one clean table of the raw ones, and logs every rule with its counts before and after."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.clean.by_recipe import by_recipe, remember_decisions
from kveil.clean.corrected import Copies, Corrected, corrected, corrected_and_compared
from kveil.clean.derive import derived, with_buckets
from kveil.clean.expect import judged
from kveil.clean.fate import Trail
from kveil.clean.history import history_columns, person_days, with_days
from kveil.clean.joins import FOUND, check_unique, joined
from kveil.clean.log import CleaningLog
from kveil.clean.money import daily_rates, has_no_rate, not_convertible, with_cents, with_rate
from kveil.clean.near import is_near_duplicate
from kveil.clean.people.run import made_one
from kveil.clean.rules import broken_range, in_words
from kveil.clean.split import FEW_PEOPLE, person_splits
from kveil.clean.working import destroy_working_tables, keeping
from kveil.context import Context, StageResult
from kveil.errors import ContractError
from kveil.session import SPARK_ERRORS, in_short_methods
from kveil.settings.expect import Referential
from kveil.settings.regimes import limits
from kveil.tables.schema import CLEAN, CLEANING_LOG, QUALITY_METRICS, QUARANTINE, RAW, RAW_ROW
from kveil.tables.store import NO_STATISTICS


def run(ctx: Context) -> StageResult:
    """Writes the clean table, the quarantine of clean and the cleaning log; nothing of it when no row would be left."""
    try:
        # A table of many text columns makes a long step of each look at its cells.
        with in_short_methods(ctx.spark):
            return _cleaned(ctx)
    finally:
        destroy_working_tables(ctx)


def _cleaned(ctx: Context) -> StageResult:
    log, clean = CleaningLog(), ctx.policy.clean
    raw, copies = _corrected_base(ctx, log)
    others = {name: _other(ctx, name, log) for name in _other_sources(ctx)}
    if clean.people is not None:
        # With one id per person, rows may have become alike.
        raw = replace(raw, rows=made_one(ctx, clean.base, raw.rows, log))
        copies = replace(copies, parts=None)
    with ctx.step(f"copies in {clean.base}"), _computable():
        once = copies.without(raw.rows, ctx.policy.person, keeping(ctx, clean.base))
    base = Trail(clean.base, once.drop(RAW_ROW))

    _remove_near_duplicates(ctx, base)
    _remove_out_of_range(ctx, base)
    _join_others(ctx, base, others)
    _date_and_convert(ctx, base, others)
    table = _with_people_and_derived(ctx, base.staying(), raw.rows, copies.people)

    with ctx.step("rows that stay") as note, _computable():
        counts = base.counts()
        note.rows(counts.get(None, 0))
    log.add(base.source, "exact duplicates: one of each stays", raw.count, sum(counts.values()))
    log.add_removals(base, counts)
    if not counts.get(None):
        raise ContractError(
            f"clean.table: {clean.table} would be empty, since no row of {clean.base} stays; compare clean.rules, "
            "joins and money with the data, and see whether anybody consents"
        )
    _store_clean(ctx, table, counts[None])
    _meet_expectations(ctx)
    _store_quarantine(ctx, [*others.values(), base])
    remember_decisions(ctx)
    ctx.store.replace_where(ctx.ref(CLEANING_LOG), ctx.rows(CLEANING_LOG, log.entries), policy=ctx.policy.name, build=ctx.build)
    return StageResult(rows_in=raw.count, rows_out=counts[None])


def _other_sources(ctx: Context) -> list[str]:
    clean = ctx.policy.clean
    rates = [clean.money.rates] if clean.money and clean.money.rates else []
    # Whoever tells which ids are one person's comes first.
    linked = [clean.people.source] if clean.people else []
    return list(dict.fromkeys([*linked, *(join.source for join in clean.joins), *rates]))


def _corrected_base(ctx: Context, log: CleaningLog) -> tuple[Corrected, Copies]:
    """The base's rows with their cells corrected, and where copies are; the log of it."""
    clean = ctx.policy.clean
    rows = _after_recipe(ctx, clean.base, log)
    with ctx.step(f"cells of {clean.base}") as note:
        fixed, copies = corrected_and_compared(rows, clean.missing, clean.categories, ctx.policy.person)
        note.text = _in_words(fixed)
    _log_corrected(ctx, clean.base, fixed, log)
    return fixed, copies


def _corrected_other(ctx: Context, name: str, log: CleaningLog) -> DataFrame:
    """A joined source's rows with their cells corrected, and the log of it."""
    rows = _after_recipe(ctx, name, log)
    with ctx.step(f"cells of {name}") as note:
        fixed = corrected(rows, ctx.policy.clean.missing, ctx.policy.clean.categories)
        note.text = _in_words(fixed)
    _log_corrected(ctx, name, fixed, log)
    return fixed.rows


def _after_recipe(ctx: Context, name: str, log: CleaningLog) -> DataFrame:
    with _computable():
        return by_recipe(ctx, name, log)


def _in_words(fixed: Corrected) -> str:
    return f"{fixed.made_null + fixed.made_alike:,} cells of {fixed.count:,} rows"


def _log_corrected(ctx: Context, name: str, fixed: Corrected, log: CleaningLog) -> None:
    if ctx.policy.clean.missing:
        log.add(name, "missing: listed tokens become null", fixed.count, fixed.count, fixed.made_null)
    if fixed.categories:
        rule = f"categories: trimmed, single blanks, lower case: {', '.join(fixed.categories)}"
        log.add(name, rule, fixed.count, fixed.count, fixed.made_alike)


def _other(ctx: Context, name: str, log: CleaningLog) -> Trail:
    """A joined source or the rates, corrected, with its own rules applied and logged."""
    joins = [join for join in ctx.policy.clean.joins if join.source == name]
    rows = _corrected_other(ctx, name, log) if joins else ctx.read(RAW, name)
    trail = Trail(name, made_one(ctx, name, rows.drop(RAW_ROW), log))
    _remove_out_of_range(ctx, trail)
    if trail.removals:
        log.add_removals(trail, trail.counts())
    for join in joins:
        with ctx.step(f"keys of {name}"):
            check_unique(trail.staying(), join)
    return trail


def _remove_near_duplicates(ctx: Context, base: Trail) -> None:
    near, time = ctx.policy.clean.sent_twice, ctx.policy.clean.time
    if near:
        reason = f"near duplicates: alike in {', '.join(near.by)} within {near.seconds} s of one before"
        base.remove(reason, is_near_duplicate(base.rows, near, time))


def _remove_out_of_range(ctx: Context, trail: Trail) -> None:
    for rule in ctx.policy.clean.rules:
        if rule.source == trail.source:
            trail.remove(in_words(rule), broken_range(trail.rows, rule))


def _join_others(ctx: Context, base: Trail, others: dict[str, Trail]) -> None:
    for join in ctx.policy.clean.joins:
        base.rows = joined(base.rows, others[join.source].staying(), join)
        left_out = ~F.col(FOUND) if join.how == "inner" else F.lit(False)
        base.remove(f"join: {join.how}, with {join.source} by {join.by}", left_out, set_aside=False)
        base.rows = base.rows.drop(FOUND)


def _date_and_convert(ctx: Context, base: Trail, others: dict[str, Trail]) -> None:
    """Adds date and month, then cents; a row without person or time has no day to live on and is set aside."""
    clean, person = ctx.policy.clean, ctx.policy.person
    base.remove(f"{person}: required but null", F.col(person).isNull())
    base.remove(f"{clean.time}: required but null", F.col(clean.time).isNull())
    base.rows = with_days(base.rows, clean.time)
    days = limits(ctx.policy.law).get("clean")
    if days is not None:
        # Else what `kveil retain` deleted would be back after the next run, as long as the raw zone keeps it.
        old = F.col("date").cast("timestamp") < F.lit(ctx.now - timedelta(days=days))
        base.remove(f"{clean.time}: older than the {days:,} days for which clean rows are kept", old, set_aside=False)
    if clean.money is None:
        return
    rates = daily_rates(others[clean.money.rates].staying(), clean.money) if clean.money.rates else None
    base.rows = with_rate(base.rows, rates)
    amounts = ", ".join(clean.money.columns)
    base.remove(f"money: {clean.money.currency} has no rate on or before the day", has_no_rate())
    base.remove(f"money: {amounts}: no finite amount, or too large", not_convertible(clean.money.columns))
    base.rows = with_cents(base.rows, clean.money.columns)


def _with_people_and_derived(ctx: Context, rows: DataFrame, raw: DataFrame, people: int) -> DataFrame:
    """The clean table: history, split and derived columns added, in the order in which they are declared."""
    clean, person = ctx.policy.clean, ctx.policy.person
    known, by = person_splits(ctx.store, raw.where(F.col(person).isNotNull()), person, clean.split), [person]
    if people <= FEW_PEOPLE:
        known = F.broadcast(known)
    if clean.history is not None:
        known, by = person_days(rows, person, clean.history).join(known, person), [person, "date"]
    full = rows.join(known, by).select(*rows.columns, *history_columns(clean.history), "split")
    return derived(with_buckets(full, clean.buckets), clean.derive)


def _store_clean(ctx: Context, table: DataFrame, expected: int) -> None:
    ref = ctx.ref(CLEAN)
    with ctx.step("clean table") as note, _computable():
        ctx.store.replace(ref, table, properties=NO_STATISTICS)
        written = ctx.store.read(ref).count()
        note.rows(written)
    if written != expected:
        raise ContractError(
            f"clean.{ctx.policy.clean.table}: {expected:,} rows stay but {written:,} were written; an expression of clean.derive "
            "makes several rows of one, use one that gives a single value"
        )
    ctx.store.forget_history(ref)


def _meet_expectations(ctx: Context) -> None:
    """Judges the clean table; where it is not what it must be, it is gone again and the metrics say why."""
    expected = ctx.policy.clean.expect
    if not expected:
        return
    with ctx.step("expectations") as note, _computable():
        sources = {one.source for one in expected if isinstance(one, Referential)}
        references = {name: ctx.read(RAW, name) for name in sources}
        metrics = judged(ctx.store.read(ctx.ref(CLEAN)), expected, references, ctx.now)
        unmet = [metric for metric in metrics if not metric["met"]]
        note.text = f"{len(metrics) - len(unmet)} of {len(metrics)} met"
    ref = ctx.ref(QUALITY_METRICS)
    ctx.store.replace_where(ref, ctx.rows(QUALITY_METRICS, metrics), policy=ctx.policy.name, build=ctx.build)
    failed = [metric for metric in unmet if metric["severity"] == "fail"]
    if failed:
        ctx.store.destroy(ctx.ref(CLEAN))
        said = "; ".join(f"{metric['expected']}, but {metric['failed']:,} of {metric['rows']:,} rows fail" for metric in failed)
        raise ContractError(f"clean.expect: {said}; clean the data, or change the expectation, its tolerance or its severity")


def _store_quarantine(ctx: Context, trails: list[Trail]) -> None:
    with ctx.step("quarantine"):
        ref, mine = ctx.ref(QUARANTINE), {"policy": ctx.policy.name, "stage": "clean"}
        marks = [F.lit(value).alias(column) for column, value in mine.items()]
        asides = [trail.aside().select(*marks, "source", "reason", "row") for trail in trails if trail.sets_aside]
        if not asides and ctx.store.exists(ref) and not ctx.store.has_rows(ref, **mine):
            return
        rows = ctx.store.rows(QUARANTINE, [])
        for aside in asides:
            rows = rows.unionByName(aside, allowMissingColumns=True)
        ctx.store.replace_where(ref, rows, **mine)
        ctx.store.forget_history(ref)


@contextmanager
def _computable() -> Iterator[None]:
    """Turns a failure inside Spark while rows are computed into one sentence: Spark's condition, never a value."""
    try:
        yield
    except SPARK_ERRORS as error:
        raise ContractError(
            f"clean: a row cannot be computed ({_condition(error)}); write clean.derive with functions that allow any value, "
            "like try_divide and try_cast, or set such rows aside by clean.rules"
        ) from None


def _condition(error: Exception) -> str:
    """Spark's name of the innermost failure. Only what follows an exception's class is looked at: messages hold values."""
    names = re.findall(r"^(?:Caused by: |: )?[\w.$]+(?:Exception|Error): \[([A-Z_.]+)\]", str(error), re.MULTILINE)
    if isinstance(error, PySparkException) and error.getCondition():
        names.append(str(error.getCondition()))
    return names[-1] if names else "failed in Spark"

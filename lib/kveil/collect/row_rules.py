"""The rules of one row: which of them it breaks, by name and in words, never with the value that breaks them."""

from collections.abc import Iterator
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

from kveil.matching import matches
from kveil.settings.contract import ColumnContract


@dataclass(frozen=True)
class Rule:
    """One rule of one column: its name COLUMN.RULE, the sentence for a row that breaks it, and when a row does."""

    name: str
    words: str
    broken: Column


def rules_of(name: str, contract: ColumnContract, raw: Column, typed: Column, texts: bool) -> Iterator[Rule]:
    """Every rule of a column; `raw` is the cell as it was found, `typed` in its declared type (null where it is none)."""
    if contract.required:
        yield Rule(f"{name}.required", f"{name}: required but null", raw.isNull())
    if texts and contract.type != "string":
        yield Rule(f"{name}.type", f"{name}: is no {contract.type}", raw.isNotNull() & typed.isNull())
    if contract.allowed is not None:
        outside = ~typed.cast("string").isin(contract.allowed)
        yield Rule(f"{name}.allowed", f"{name}: not an allowed value", typed.isNotNull() & outside)
    yield from _bounds(name, contract, typed)
    yield from _text_rules(name, contract, typed)


def broken_rules(rules: list[Rule]) -> tuple[Column, Column]:
    """The broken rules' sentences and their names, each as one text; null where the row breaks none."""
    if not rules:
        nothing = F.lit(None).cast("string")
        return nothing, nothing
    words = F.concat_ws("; ", *[F.when(rule.broken, F.lit(rule.words)) for rule in rules])
    names = F.concat_ws(", ", *[F.when(rule.broken, F.lit(rule.name)) for rule in rules])
    return F.nullif(words, F.lit("")), F.nullif(names, F.lit(""))


def _bounds(name: str, contract: ColumnContract, typed: Column) -> Iterator[Rule]:
    low, high = contract.limits
    if low is not None:
        yield Rule(f"{name}.min", f"{name}: below min ({contract.min})", typed < F.lit(low))
    if high is not None:
        # NaN is the greatest of numbers to Spark, so that it is above any max.
        yield Rule(f"{name}.max", f"{name}: above max ({contract.max})", typed > F.lit(high))


def _text_rules(name: str, contract: ColumnContract, typed: Column) -> Iterator[Rule]:
    if contract.pattern is not None:
        broken = typed.isNotNull() & ~matches(typed, contract.pattern)
        yield Rule(f"{name}.pattern", f"{name}: not of the pattern", broken)
    if contract.length is not None:
        least, most = contract.length.min, contract.length.max
        if least:
            yield Rule(f"{name}.length", f"{name}: shorter than {least} characters", F.length(typed) < least)
        if most is not None:
            yield Rule(f"{name}.length", f"{name}: longer than {most} characters", F.length(typed) > most)

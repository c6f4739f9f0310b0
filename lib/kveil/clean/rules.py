"""Corrections of single cells and rows: missing values, categories, ranges. Each names what it changes, so it can be counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, FloatType, StringType

from kveil.settings.clean import RangeRule

_BLANKS = "[\\s\u00a0]+"


@dataclass(frozen=True)
class Corrected:
    """A source's rows after its cells were corrected: how many, how many cells that concerned, and its categories.

    `all_differ`: no two rows are alike, so that nothing needs to look for duplicates again.
    """

    rows: DataFrame
    categories: list[str]
    count: int
    made_null: int
    made_alike: int
    all_differ: bool


def corrected(rows: DataFrame, missing: Sequence[str], categories: Sequence[str]) -> Corrected:
    """Missing tokens become null in string columns, then categories get one spelling; counted in one pass."""
    texts = [field.name for field in rows.schema if isinstance(field.dataType, StringType)]
    nulled = {name: without_tokens(F.col(name), missing) for name in texts} if missing else {}
    alike = {name: one_spelling(nulled.get(name, F.col(name))) for name in texts if name in categories}
    changed = {**nulled, **alike}
    counts = rows.agg(
        F.count("*").alias("rows"),
        _cells({name: F.col(name).isNotNull() & value.isNull() for name, value in nulled.items()}).alias("made_null"),
        _cells({name: ~value.eqNullSafe(nulled.get(name, F.col(name))) for name, value in alike.items()}).alias("made_alike"),
        F.count_distinct(_row_hash(rows, changed)).alias("hashes"),
    ).first()
    assert counts is not None, "an aggregation without groups has one row"
    all_differ = counts["hashes"] == counts["rows"]
    return Corrected(
        rows.withColumns(changed), list(alike), counts["rows"], counts["made_null"], counts["made_alike"], all_differ
    )


def without_duplicates(corrected: Corrected) -> DataFrame:
    """One of each set of rows that are alike in every column."""
    return corrected.rows if corrected.all_differ else corrected.rows.distinct()


def without_tokens(text: Column, tokens: Sequence[str]) -> Column:
    """Null where the text, trimmed and whatever its case, is one of the tokens; else the text as it is."""
    listed = [F.lower(F.lit(token.strip())) for token in tokens]
    return F.when(~F.lower(_trimmed(text)).isin(*listed), text)


def one_spelling(text: Column) -> Column:
    """Trimmed, inner white space as one blank, lower case."""
    return F.lower(_trimmed(text))


def broken_range(rows: DataFrame, rule: RangeRule) -> Column:
    """Whether the row's value is outside the rule's range or NaN; null is no value and passes."""
    value = F.col(rule.column)
    broken = F.lit(False)
    if rule.min is not None:
        broken = broken | (value < F.lit(rule.min))
    if rule.max is not None:
        broken = broken | (value > F.lit(rule.max))
    if isinstance(rows.schema[rule.column].dataType, DoubleType | FloatType):
        broken = broken | F.isnan(value)
    return F.coalesce(broken, F.lit(False))


def in_words(rule: RangeRule) -> str:
    """The rule as a sentence for log and quarantine: it names the bounds, never the value."""
    bounds = [f"{word} {bound:g}" for word, bound in (("at least", rule.min), ("at most", rule.max)) if bound is not None]
    return f"{rule.column}: must be {' and '.join(bounds)}"


def _trimmed(text: Column) -> Column:
    return F.trim(F.regexp_replace(text, _BLANKS, " "))


def _row_hash(rows: DataFrame, changed: Mapping[str, Column]) -> Column:
    """The same for rows that are alike; for others almost always another. Adding 0.0 makes -0.0 the 0.0 that it equals."""
    broken = {field.name for field in rows.schema if isinstance(field.dataType, DoubleType | FloatType)}
    return F.xxhash64(*[F.col(name) + 0.0 if name in broken else changed.get(name, F.col(name)) for name in rows.columns])


def _cells(changed: Mapping[str, Column]) -> Column:
    counts = [F.count_if(condition) for condition in changed.values()]
    return sum(counts[1:], counts[0]) if counts else F.lit(0)

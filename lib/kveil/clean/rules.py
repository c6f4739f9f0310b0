"""Rules for single cells and rows: missing values, categories, ranges."""

import re
from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, FloatType

from kveil.settings.clean import RangeRule

_BLANK_SIGNS = " \t\n\x0b\f\r\u00a0"
_BLANKS = f"[{_BLANK_SIGNS}]+"
_ODD = "^ | $|  |[\\t\\n\\x0b\\f\\r\u00a0]"


def without_tokens(text: Column, tokens: Sequence[str]) -> Column:
    """Null where the text, trimmed and whatever its case, is one of the tokens; else the text as it is."""
    bare = [re.sub(_BLANKS, " ", token).strip() for token in tokens]
    if any(" " in token for token in bare):
        return F.when(~_is_one_of(_trimmed(text), bare), text)
    # A text that is a token without blanks has none but around it. Most texts are longer than any token and have no blank to
    # lose, which is seen much faster than they are trimmed.
    may_be = (F.length(text) <= max(len(token) for token in bare)) | _may_have_blank_end(text)
    return F.when(~(may_be & _is_one_of(F.trim(text, F.lit(_BLANK_SIGNS)), bare)), text)


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
    """No blanks around, one blank inside. Most cells are so already, which is seen much faster than it is done."""
    return F.when(text.rlike(_ODD), F.trim(F.regexp_replace(text, _BLANKS, " "))).otherwise(text)


def _is_one_of(text: Column, tokens: Sequence[str]) -> Column:
    return F.lower(text).isin(*[F.lower(F.lit(token)) for token in tokens])


def _may_have_blank_end(text: Column) -> Column:
    """False only where no blank sign is at an end. All but one sort before any letter; asking for each would be a long method."""
    return (text < "!") | (F.substring(text, -1, 1) < "!") | text.contains("\u00a0")

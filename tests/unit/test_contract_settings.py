"""What a policy may ask of columns and of sources that grow; patterns that could run for ever are refused by their form."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.collect.watermarks import below_highest
from kveil.settings.incremental import incremental_problems
from kveil.settings.patterns import LONGEST_PATTERN, MOST_WAYS, bounded_pattern
from kveil.settings.sources import Source
from pydantic import ValidationError


@pytest.mark.parametrize(
    ("pattern", "matches", "misses"),
    [
        (r"[A-Z]{2}\d{2}(?: \d{4}){1,7}", "DE89 3704 0044", "DE8 3704"),
        (r"(?:card|cash)", "cash", "cheque"),
        (r"[(+*]{3}", "(+*", "(("),
        (r"\\\d+", r"\12", "12"),
        (r"(?:ab)?c+", "abcc", "abab"),
        (r"[^]x]+", "abc", "]"),
    ],
)
def test_plain_patterns_are_kept_as_they_are(pattern, matches, misses):
    assert bounded_pattern(pattern) == pattern
    assert re.fullmatch(pattern, matches) and not re.fullmatch(pattern, misses)


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("(a+)+", "repeats a group"),
        ("(a|a)*", "repeats a group"),
        ("((ab?){2})", "repeats a group"),
        ("(a{1,9}){1,9}", "repeats a group"),
        ("a*b*c*", "too many open repetitions"),
        ("a{1,40}b{1,40}c{1,40}d{1,40}", "too many open repetitions"),
        ("(a|aa)" * 28 + "b", "too many open repetitions or alternatives"),
        ("(a|b|ab)" * 25, "too many open repetitions or alternatives"),
        ("((a?|b)|c)" * 12, "too many open repetitions or alternatives"),
        ("(a*)*", "repeats a group"),
        ("a++b", "no regular expression"),
        (r"\p{Lower}", "no regular expression"),
        (r"a\Z", "no regular expression"),
        ("[a-z&&[^b]]", "a class within a class"),
        (r"a\b", "escapes of signs"),
        (r"(a)\1", "back-references"),
        ("(?=a)b", "look-around"),
        ("(?i)a", "look-around"),
        ("(", "no regular expression"),
        ("a" * (LONGEST_PATTERN + 1), "at most"),
    ],
)
def test_patterns_that_a_value_could_make_slow_are_refused(pattern, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        bounded_pattern(pattern)


@given(st.lists(st.sampled_from(["a", "[ab]", "(?:ab)", "*", "+", "?", "{2}", "{1,30}", "(", ")", "|"]), max_size=9))
def test_what_is_accepted_has_few_ways_to_divide_a_value(parts):
    """An own count of the accepted pattern's ways: each repetition's open lengths, multiplied along the pattern."""
    try:
        pattern = bounded_pattern("".join(parts))
    except ValueError:
        return
    ways = 1
    for sign, bounded in re.findall(r"([*+?])|(\{1,30\})", pattern.replace("(?:", "(")):
        ways *= 30 if bounded else 2 if sign == "?" and not pattern.startswith("?") else 1000
    assert ways <= MOST_WAYS
    assert not re.search(r"\([^()]*[*+|][^()]*\)[*+{]", pattern)


def column(**rules):
    return Source.model_validate({"uri": "x", "columns": {"c": rules}}).columns["c"]


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"type": "string", "min": 1}, "for numbers, dates and timestamps"),
        ({"type": "int", "pattern": "a"}, "for string columns"),
        ({"type": "double", "length": {"max": 3}}, "for string columns"),
        ({"type": "int", "min": "1.5"}, "min is no int"),
        ({"type": "int", "max": 2**40}, "max is no int"),
        ({"type": "date", "min": "yesterday"}, "min is no date"),
        ({"type": "decimal(9,2)", "min": 3, "max": 2}, "min must be at most max"),
        ({"type": "date", "min": "2021-01-01", "max": "2020-01-01"}, "min must be at most max"),
        ({"type": "string", "length": {"min": 4, "max": 3}}, "min must be at most max"),
        ({"type": "double", "max": "NaN"}, "max is no double"),
    ],
)
def test_rules_must_fit_the_column(rules, says):
    with pytest.raises(ValidationError, match=says):
        column(**rules)


def test_bounds_keep_the_digits_that_were_written():
    assert column(type="decimal(10,2)", min="0.10", max=99).limits == (Decimal("0.10"), Decimal(99))
    assert column(type="bigint", max=2**63 - 1).limits == (None, 2**63 - 1)


def growing(by, key=(), column_type="timestamp", **way):
    columns = {"id": "bigint", "at": column_type}
    source = {"uri": "x", "columns": columns, "key": list(key), "incremental": {"by": by, **way}}
    return Source.model_validate({**source, "format": "delta" if by == "version" else "parquet"})


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (growing("watermark", column="at"), "nobody can tell a late row"),
        (growing("watermark", ["id"], column="when"), "allowed: at, id"),
        (growing("watermark", ["id"], "string", column="at"), "allowed: a whole number"),
        (growing("watermark", ["id"], column="at", lateness=3), "a duration like 2d"),
        (growing("watermark", ["id"], "bigint", column="at", lateness="2d"), "allowed: a number"),
        (growing("watermark", ["id"], "date", column="at", lateness="36h"), "whole days"),
        (growing("file", ["nothing"]), "allowed: at, id"),
    ],
)
def test_ways_to_grow_that_cannot_work_are_told(source, says):
    assert any(says in sentence for _, sentence in incremental_problems({"base": source}, "registry"))


def test_what_works_has_no_problem():
    sources = {
        "a": growing("watermark", ["id"], column="at", lateness="36h"), "b": growing("file"), "c": growing("version"),
        "d": growing("stream"), "e": growing("watermark", ["id"], "bigint", column="at", lateness=5),
    }  # fmt: skip
    assert list(incremental_problems(sources, "registry")) == []
    assert [key for key, _ in incremental_problems(sources, "b")] == ["sources.b.incremental"]


@pytest.mark.parametrize(
    ("high", "lateness", "type_", "cut"),
    [
        ("2020-03-01", timedelta(days=1), "date", "2020-02-29"),
        ("2020-03-01 00:00:00", timedelta(hours=1), "timestamp", "2020-02-29 23:00:00"),
        ("2020-03-01 00:00:00.5", timedelta(seconds=1), "timestamp", "2020-02-29 23:59:59.500000"),
        ("0001-01-02", timedelta(days=9), "date", "0001-01-01"),
        ("17", Decimal("0.5"), "bigint", "16.5"),
        ("2020-03-01", Decimal(0), "date", "2020-03-01"),
    ],
)
def test_the_cut_is_the_watermark_less_the_lateness(high, lateness, type_, cut):
    assert below_highest(high, lateness, type_) == cut

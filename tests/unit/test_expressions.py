"""Expressions of one row: what may run, what is refused and why, and that nothing but what was read can run."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.settings import Policy
from kveil.settings.expressions import ExpressionError, names_in, parsed
from kveil.settings.expressions.tokens import quoted, tokens
from kveil.settings.formats import Jdbc
from pydantic import ValidationError

from tests.builders import shop

KNOWN = ["client", "booked", "amount", "Shop", "town", "born", "day", "a", "b"]

ALLOWED = {
    "Amount > 1 and not (town IN ('x', 'y') or b is null)": "`amount` > 1 and not ( `town` IN ( 'x' , 'y' ) or `b` is null )",
    "case when year(try_cast(born as date)) between 1900 and -1 then 'a' else 'b' end": None,
    "coalesce(a, 0) + coalesce(b, 0) > 0": "coalesce ( `a` , 0 ) + coalesce ( `b` , 0 ) > 0",
    "cast(a as decimal(10,2)) * b % 3 <=> a::int": None,
    "booked - interval 2 months > date '2024-01-01' or booked < interval '1' day + booked": None,
    "extract(year from booked) = timestampdiff(month, booked, `day`) and day(booked) is not distinct from day": None,
    "split(shop, '[ -]')[0] || element_at(split(town, ','), -1)": None,
    "lpad(regexp_replace(shop, '[0-9]+', '9'), 10, '0')": None,
    "`day` = position('a' in shop) - - 1e3": None,
    "'it''s' = shop or shop = \"it's\"": "'it\\'s' = `Shop` or `Shop` = 'it\\'s'",
    "shop = '$ \\\\d \\u00e9 \\%'": "`Shop` = '\\u0024 \\\\d é \\\\%'",
}


@pytest.mark.parametrize("text", ALLOWED)
def test_what_one_row_gives_may_run_with_every_name_quoted(text):
    read = parsed(text, KNOWN)
    assert read.columns <= set(KNOWN)
    assert ALLOWED[text] is None or read.sql.lower() == ALLOWED[text].lower()


def test_a_pattern_sees_the_first_characters_of_what_stands_before_it():
    assert "substring ( `Shop` , 1 , 1000 ) rlike '^a'" in parsed("not Shop rlike '^a'", KNOWN).sql
    assert (
        "substring ( upper ( trim ( `Shop` ) ) , 1 , 1000 ) not like 'A%'" in parsed("upper(trim(Shop)) not like 'A%'", KNOWN).sql
    )
    nested = parsed("regexp_replace(split(Shop, ',')[1], 'a', 'b') = town", KNOWN).sql
    assert nested.count("substring (") == 2 and nested.startswith("regexp_replace ( substring ( split ( substring ( `Shop` ,")


OTHER_ROWS = [
    "(select 1)", "(table text.`/etc/hostname`)", "(from delta.`x` |> aggregate max(a) as v)", "values (1)", "exists (select 1)",
    "a in (select client from x)", "with x as (select 1) select 1", "a > all (select 1)", "sum(a)", "max(a) over ()", "any(a)",
    "lead(a) over (partition by client order by booked)", "percentile(a, 0.5)", "window(booked, '1 day')", "first(a)",
]  # fmt: skip
OUTSIDE = [
    "reflect('java.lang.System', 'getProperty', a)", "java_method('a', 'b', a)", "try_reflect(a)", "input_file_name()",
    "secret('a', 'b')", "session_user", "session_user()", "user", "current_user()", "version()", "ai_query('m', shop)",
    "ai_some_day(a)", "http_request(a)", "read_files('x')", "identifier('a')", "current_database()",
]  # fmt: skip
RUNS = ["now()", "now", "current_date", "current_timestamp()", "rand()", "rand(1)", "uuid()", "shuffle(a)", "current_moment(a)"]
REFUSED = {
    "looks at other rows": OTHER_ROWS,
    "reads the session, the machine or a file": OUTSIDE,
    "differs from run to run": RUNS,
    "makes a hash without a key": ["md5(shop)", "SHA2(client, 256)", "hash(a)", "xxhash64(a)", "crc32(a)", "sha(a)"],
    "makes several rows": ["explode(split(shop, ','))", "stack(2, a, b)", "inline(a)"],
    "a lambda|function of its own": ["transform(split(shop, ''), x -> x)", "upper(x -> x)", "reduce(a, 0)"],
    "none of the functions": ["my_udf(shop)", "repeat(shop, 1000000)", "sequence(1, a)", "named_struct('a', a)", "chr(a)"],
    "comment or hint": ["a -- b", "a /*+ hint */", "a /* b */ + 1", "1--1"],
    "sign": ["shop.x", ":a", "?", "a; b", "$a", "{fn now(a)}", "a @ b", "system.builtin.upper(shop)", "a\u00a0+ 1", "a:b", "#"],
    "all columns": ["array(*)", "coalesce(*)", "concat_ws('', *)", "* "],
    "no column": ["`_metadata`", "_metadata", "profit > 0", "a as b", "X'1F'", "a collate b", "cast(a as binary)", "`a``b`"],
    "moment of the run": ["booked > 'now'", "cast(' NOW' as timestamp)", "shop = 'today UTC'", "booked < 'Epoch'"],
    "not written in digits": ["date 'today'", "timestamp'now'", "date'2024'"],
    "constants alone": ["cast(concat('no','w') as date)", "booked > 'to' || 'day'", "substr('xnow', 2) = shop"],
    "side by side": ["'to' 'day'", "a b"],
    "several values": ["(a, b)"],
    "raw text": ["r'a' = shop", "R\"a\""],
    "pattern of": ["shop rlike '(a+)+$'", "shop like '%a%b%c%d'", "split(shop, '(a|aa)*b')"],
    "pattern written out": ["shop rlike town", "shop rlike concat('a', town)", "split(shop, town)", "like(shop, town)"],
    "parentheses|before it": ["shop || town rlike 'x'", "case when a then shop end rlike 'x'"],
    "written out": ["lpad(shop, 2000000000)", "rpad(shop, a)", "replace(shop, 'a', town)"],
    "no valid SQL": ["a >", "a )", "(((", "'abc", "`a", "case when", "a not", "between 1 and 2", "shop 'x'"],
    "characters|deep|words and signs|empty": ["a" * 5000, "(" * 41 + "a" + ")" * 41, "+".join("a" * 600), ""],
}  # fmt: skip


@pytest.mark.parametrize(("says", "text"), [(says, text) for says, texts in REFUSED.items() for text in texts])
def test_everything_else_is_refused_in_one_sentence_that_says_why(says, text):
    with pytest.raises(ExpressionError, match=says) as raised:
        parsed(text, KNOWN)
    assert "\n" not in str(raised.value)


WORDS = ["a", "shop", "`day`", "select", "from", "table", "(", ")", ",", "sum", "upper", "current_date", "'x'", "1", "||",
         "over", "->", "*", "as", "case", "when", "end", "then", "date", "interval", "rlike", "in", "not", "::",
         "int", "|>", "`a", "--", "${x}"]  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join))
def test_whatever_is_put_together_only_known_columns_and_listed_words_reach_spark(text):
    try:
        sql = parsed(text, KNOWN).sql
    except ExpressionError:
        return
    bare = re.sub(r"'[^']*'", "", sql)
    assert {name.lower() for name in re.findall(r"`([^`]*)`", bare)} <= {name.lower() for name in KNOWN}
    rest = set(re.findall(r"[a-z_]+", re.sub(r"`[^`]*`", "", bare).lower()))
    assert rest <= {"upper", "case", "when", "then", "end", "date", "interval", "rlike", "in", "not", "int", "substring"}
    assert "$" not in sql and "->" not in sql and "|>" not in sql and "--" not in sql


@given(st.text(max_size=40))
def test_a_text_means_itself_in_whatever_it_is_written(value):
    written = quoted(value)
    assert "$" not in written and all(sign.isprintable() for sign in written)
    (token,) = tokens(written)
    assert (token.kind, token.value) == ("text", value)


def test_names_are_what_stands_outside_of_texts():
    assert names_in("upper(Spare) || 'x y' || `z`") == {"upper", "Spare", "z"}


class TestDerivedColumns:
    def problems(self, **changes):
        return dict(Policy.model_validate(shop(**changes)).problems())

    def test_the_person_is_told_by_no_released_column(self):
        """Not through other columns, sums, groups or changes of case; a token of it, or a column that stays, may be made."""
        names = {"alias": "Customer", "half": "alias % 100", "label": "half > 5"}
        for role in ("insensitive", "sensitive", "quasi_identifiers"):
            values = {"insensitive": "x", "sensitive": {"distinct": 2}, "quasi_identifiers": {"kind": "category"}}
            own = shop()["anonymize"][role]
            found = self.problems(clean__derive=names, **{f"anonymize__{role}": {**own, "half": values[role]}})
            assert list(found) == ["clean.derive.half"] and "'customer', the privacy unit" in found["clean.derive.half"]
        assert self.problems(clean__derive=names) == {}
        mask = {"alias": {"technique": "pseudonym", "reason": "r", "linkable": True}}
        keys = {"anonymize__mask_keys": {1: "secret://env/KEY"}}
        assert self.problems(clean__derive=names, anonymize__mask=mask, **keys) == {}

    def test_nor_by_buckets_or_money_made_of_it(self):
        group = {"group": {"column": "customer", "count": 1000}}
        found = self.problems(clean__buckets=group, anonymize__insensitive={"reduced": "l", "group": "x"})
        assert list(found) == ["clean.buckets.group"]
        money = {"currency": "EUR", "columns": {"customer": "euros"}}
        found = self.problems(
            clean__money=money, clean__derive={"e": "euros / 100"}, anonymize__insensitive={"reduced": "l", "e": "x"}
        )
        assert list(found) == ["clean.derive.e"]

    def test_a_text_does_not_double_for_ever(self):
        doubled = {f"t{i}": "concat(town, town)" if i == 0 else f"concat(t{i - 1}, t{i - 1})" for i in range(30)}
        found = self.problems(clean__derive=doubled)
        assert (
            "clean.derive.t13" in found and "clean.derive.t12" not in found and "longer than a cell" in found["clean.derive.t13"]
        )
        grown = {"a": f"replace(replace(town, 'a', '{'b' * 200}'), 'b', '{'c' * 200}')"}
        assert "clean.derive.a" in self.problems(clean__derive=grown)

    def test_all_faults_are_told_at_once_and_a_column_may_read_those_before_it(self):
        found = self.problems(clean__derive={"x": "later + 1", "y": "rand()", "later": "cents", "z": "later + 1"})
        assert set(found) == {"clean.derive.x", "clean.derive.y"}


@pytest.mark.parametrize(
    "where", ["id in (select 1)", "at > current_date", "_metadata.x = 1", "a = '1' -- b", "current_user = a"]
)
def test_the_condition_of_a_database_is_one_of_a_row(where):
    with pytest.raises(ValidationError, match=r"other rows|sign|comment|differs|reads the session"):
        Jdbc.model_validate({"table": "t", "where": where})
    assert Jdbc.model_validate({"table": "t", "where": "id > 5 and name like 'A%'"}).where

"""An expression of one row: what a policy wrote, read token by token, and the SQL that Spark gets in its place.

Spark never sees the policy's own text. Every word of the SQL is a keyword or type of the lists here, an allowed function followed
by its parenthesis, or the name of a known column in backticks; texts and numbers are literals. However another reader would
have understood the text, nothing else can run.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from kveil.settings.expressions.functions import (
    ALLOWED,
    CONTEXTS,
    OF_CONSTANTS,
    PADS,
    PATTERN_AT,
    REPLACES,
    SYNTAX,
    WITH_UNIT,
    why_not,
    words,
)
from kveil.settings.expressions.grammar import check_grammar
from kveil.settings.expressions.tokens import ExpressionError, Token, tokens
from kveil.settings.expressions.written import Written
from kveil.settings.patterns import backtracking_pattern, like_pattern

_KEYWORDS = words("case when then else end and or not in between like ilike rlike regexp is null true false div")
_MATCHING = ("like", "ilike", "rlike", "regexp")
_TYPES = words(
    "string boolean byte tinyint short smallint int integer long bigint float real double decimal dec numeric date timestamp "
    "timestamp_ntz timestamp_ltz"
)
_UNITS = words(
    "year years quarter month months week weeks day days dayofweek dayofyear doy dow hour hours minute minutes second seconds "
    "millisecond milliseconds microsecond microseconds yearofweek"
)
_WRITTEN = {
    "date": re.compile(r"\d{4}-\d{1,2}-\d{1,2}"),
    "timestamp": re.compile(r"\d{4}-\d{1,2}-\d{1,2}([ T]\d{1,2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?)?"),
    "interval": re.compile(r"[-+]?[0-9]+([-:. ][0-9]+)*( ?[a-z]+)?"),
}
_WRITTEN |= {"timestamp_ntz": _WRITTEN["timestamp"], "timestamp_ltz": _WRITTEN["timestamp"]}
_OF_THE_RUN = re.compile(r"\s*(epoch|now|today|tomorrow|yesterday)\b", re.IGNORECASE)
_WORDS_OF_SQL = CONTEXTS | SYNTAX
_NO_OPERAND = ("end", "null", "true", "false")
_ONE_ROW = "allowed: an expression of one row"
_LONGEST_MADE = 1_000


@dataclass(frozen=True)
class Expression:
    """What Spark gets, the columns it reads, and how many times longer than a cell its text can become."""

    sql: str
    columns: frozenset[str]
    growth: int


@dataclass
class _Call:
    """An open parenthesis: of a function, of a keyword such as `in`, or of none."""

    name: str | None
    start: int
    argument: int = 0
    columns: int = 0
    tokens: dict[int, list[Token]] = field(default_factory=dict)


def parsed(text: str, known: Collection[str] | None, grown: dict[str, int] | None = None) -> Expression:
    """The expression, if it is a deterministic one of a single row; else ExpressionError with one sentence.

    `known` are the columns it may read, by any case; None: those of a table that only a database knows. `grown`: how much longer
    than a cell a derived column's text may be.
    """
    return _Reader(text, known, grown or {}).read()


def names_in(text: str) -> set[str]:
    """Every name that an expression may mean by its words and quoted columns; its texts are none."""
    try:
        return {token.value for token in tokens(text) if token.kind in ("word", "column")}
    except ExpressionError:
        return set()


class _Reader:
    def __init__(self, text: str, known: Collection[str] | None, grown: dict[str, int]) -> None:
        self.tokens = tokens(text)
        self.known = None if known is None else {name.lower(): name for name in known}
        self.grown = grown
        self.open: list[_Call] = [_Call(None, 0)]
        self.written = Written()
        self.columns: set[str] = set()
        self.growth, self.factor = 0, 1

    def read(self) -> Expression:
        for place, token in enumerate(self.tokens):
            self._take(place, token)
        if not self.tokens:
            raise ExpressionError("is empty; allowed: a SQL expression of one row")
        check_grammar(self.written.sql)
        return Expression(self.written.sql, frozenset(self.columns), max(self.growth, 1) * self.factor)

    def _take(self, place: int, token: Token) -> None:
        call = self.open[-1]
        if token.kind != "sign" or token.value not in ")],":
            call.tokens.setdefault(call.argument, []).append(token)
        match token.kind:
            case "sign":
                self._sign(place, token.value)
            case "word":
                self.written.add(self._word(place, token.value.lower(), token.value))
            case "column":
                self.written.add(self._column(token.value))
            case "text":
                self.written.add(self._text(place, token))
            case _:
                self.written.add(token.value)

    def _at(self, place: int) -> str:
        """The token at a place as it is compared: a word or sign in lower case, nothing for a literal or a quoted column."""
        if not 0 <= place < len(self.tokens):
            return ""
        token = self.tokens[place]
        return token.value.lower() if token.kind in ("word", "sign") else ""

    def _kind(self, place: int) -> str:
        return self.tokens[place].kind if 0 <= place < len(self.tokens) else ""

    def _sign(self, place: int, sign: str) -> None:
        if sign in "([":
            name = self._at(place - 1) if sign == "(" and self._kind(place - 1) == "word" else None
            called = name if name is not None and self._calls(place - 1) else None
            self.open.append(_Call(called, len(self.written)))
        elif sign in ")]":
            self._close(self.open.pop())
        elif sign == ",":
            self.open[-1].argument += 1
        elif sign == "*" and not self._ends_operand(place - 1):
            raise ExpressionError(f"names all columns (*); {_ONE_ROW}")
        self.written.add(sign)

    def _ends_operand(self, place: int) -> bool:
        """Whether the token ends a value, so that an operator may follow."""
        kind, word = self._kind(place), self._at(place)
        if kind == "word":
            return word not in _KEYWORDS or word in ("end", "null", "true", "false")
        return kind in ("column", "number", "text") or word in (")", "]")

    def _calls(self, place: int) -> bool:
        """Whether a word before a parenthesis is a function and no operator or keyword."""
        word = self._at(place)
        if word in _MATCHING:
            return not self._ends_operand(place - 1) and self._at(place - 1) != "not"
        return word not in _KEYWORDS and not (word in _TYPES and self._is_type(place))

    def _is_type(self, place: int) -> bool:
        return self._at(place - 1) in ("as", "::")

    def _word(self, place: int, word: str, written: str) -> str:
        following = self._at(place + 1)
        if following == "(" and self._calls(place):
            return self._function(word)
        return self._in_its_place(place, word) or self._column(written)

    def _function(self, name: str) -> str:
        if name not in ALLOWED:
            raise ExpressionError(f"calls {name}, which {why_not(name)}; {_ONE_ROW}")
        return name

    def _in_its_place(self, place: int, word: str) -> str | None:
        """The word as SQL where it is a keyword, a type or a unit; None where it can only be a column."""
        before, following = self._at(place - 1), self._kind(place + 1)
        if word in _MATCHING:
            self._check_match(word, place)
            self.written.cut_operand()
            return word
        if word in _KEYWORDS:
            return word
        if word == "as" and any(call.name in ("cast", "try_cast") for call in self.open[-1:]):
            return word
        if word in _TYPES and (self._is_type(place) or (word in _WRITTEN and following == "text")):
            return word
        if word == "interval" and following in ("text", "number"):
            return word
        if word == "distinct" and before in ("is", "not") and self._at(place + 1) == "from":
            return word
        if word == "from" and (before == "distinct" or (self.open[-1].name == "extract" and before in _UNITS)):
            return word
        return word if word in _UNITS and self._is_unit(place) else None

    def _is_unit(self, place: int) -> bool:
        before = self._at(place - 1)
        if before == "(":
            return self.open[-1].name == "extract" or (self.open[-1].name in WITH_UNIT and self._at(place + 1) == ",")
        return self._kind(place - 1) in ("text", "number") and self._at(place - 2) == "interval"

    def _column(self, name: str) -> str:
        lower = name.lower()
        self.open[-1].columns += 1
        if self.known is None:
            if lower in _WORDS_OF_SQL or lower.startswith("_") or not re.fullmatch(r"\w{1,128}", name, re.ASCII):
                raise ExpressionError(_no_column(name))
            self.columns.add(name)
            return f"`{name}`"
        if lower not in self.known:
            allowed = ", ".join(sorted(self.known.values()))
            raise ExpressionError(f"{_no_column(name)}; allowed: a SQL expression of {allowed}")
        self.columns.add(self.known[lower])
        self.growth += self.grown.get(lower, 1)
        return f"`{self.known[lower]}`"

    def _text(self, place: int, token: Token) -> str:
        before = self._at(place - 1)
        if self._kind(place - 1) == "text":
            raise ExpressionError("holds two texts side by side; write them as one")
        if before in _WRITTEN and not _WRITTEN[before].fullmatch(token.value):
            raise ExpressionError(
                f"holds a {before} that is not written in digits; write it as 2024-12-31, or an interval as '1' day"
            )
        if _OF_THE_RUN.match(token.value):
            raise ExpressionError(
                "holds a text that Spark takes for the moment of the run (now, today, epoch ...); write the date"
            )
        return token.sql

    def _check_match(self, word: str, place: int) -> None:
        """A pattern is a text that stands there; what it is matched with can be cut to the characters that it may look at."""
        before = place - 2 if self._at(place - 1) == "not" else place - 1
        if self._kind(before) != "column" and (
            not self._ends_operand(before) or self._at(before) in _NO_OPERAND or self._is_type(before)
        ):
            raise ExpressionError(f"{word} needs a column, a call or a parenthesis before it")
        if self._kind(place + 1) != "text":
            raise ExpressionError(f"{word} needs its pattern written out, as a text")
        _bounded(word, self.tokens[place + 1].value)

    def _close(self, call: _Call) -> None:
        self.open[-1].columns += call.columns
        if call.name is None:
            return
        if not call.columns and call.name not in OF_CONSTANTS:
            raise ExpressionError(f"calls {call.name} with constants alone; write what it gives")
        arguments = [call.tokens.get(i, []) for i in range(call.argument + 1)]
        for why in _wrong_arguments(call.name, arguments):
            raise ExpressionError(why)
        if call.name in REPLACES:
            self.factor *= max(1, len(arguments[2][0].value) if len(arguments) > 2 else 1)
        if call.name in PATTERN_AT:
            self.written.cut_first_argument(call.start)


def _no_column(name: str) -> str:
    if name.lower() in _WORDS_OF_SQL:
        return f"names {name.lower()}, which {why_not(name.lower())}"
    return f"there is no column `{name}`" if re.fullmatch(r"\w{1,128}", name) else "there is no column of a name that it holds"


def _wrong_arguments(name: str, arguments: list[list[Token]]) -> Iterator[str]:
    """What is wrong with a function's arguments, where their values decide how long it takes or how much it makes."""
    place = PATTERN_AT.get(name)
    if place is not None and len(arguments) > place:
        pattern = arguments[place]
        if len(pattern) != 1 or pattern[0].kind != "text":
            yield f"{name} needs its pattern written out, as a text"
            return
        _bounded(name, pattern[0].value)
    if name in REPLACES and len(arguments) > 2:
        made = arguments[2]
        if len(made) != 1 or made[0].kind != "text" or len(made[0].value) > _LONGEST_MADE:
            yield f"{name} needs what it puts in place written out, as a text of up to {_LONGEST_MADE:,} characters"
    if name in PADS and len(arguments) > 1:
        length = arguments[1]
        if len(length) != 1 or not re.fullmatch(r"\d{1,4}", length[0].value) or int(length[0].value) > _LONGEST_MADE:
            yield f"{name} needs its length written out, as a number of up to {_LONGEST_MADE:,}"


def _bounded(name: str, pattern: str) -> None:
    try:
        (like_pattern if name in ("like", "ilike") else backtracking_pattern)(pattern)
    except ValueError as error:
        raise ExpressionError(f"the pattern of {name} {error}") from None

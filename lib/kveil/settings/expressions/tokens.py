"""The words, texts and signs of an expression as Spark's lexer tells them apart, each written so that it has one meaning.

Comments, hints, variables (`${...}`), parameters (`:x`, `?`), lambdas and pipes have no place here, so they are refused unread.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from kveil.settings.expressions.functions import SYNTAX

LONGEST = 4_000
"""Characters of an expression."""
MOST_TOKENS = 1_000
DEEPEST = 40
"""Parentheses within each other."""

Kind = Literal["word", "column", "number", "text", "sign"]

_FORMS = re.compile(
    r"""(?P<blank>[ \t\r\n]+)
      | (?P<comment>--|/\*)
      | (?P<raw>[rR](?=['"]))
      | (?P<text>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")
      | (?P<column>`(?:[^`]|``)+`)
      | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?:BD|bd|[LlSsYyDdFf])?(?![A-Za-z0-9_.]))
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<foreign>->|=>|\|>|<<|>>|::\s*(?=[^A-Za-z\s]))
      | (?P<sign><=>|<=|>=|<>|!=|==|\|\||::|[-=<>+*/%&|^~!(),\[\]])""",
    re.VERBOSE | re.DOTALL,
)
_SPARK_SIGNS = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}
_TOLD = {
    "->": "a lambda (->)",
    "=>": "a named argument (=>)",
    "<<": "a shift (<<)",
    ">>": "a shift (>>)",
}


class ExpressionError(ValueError):
    """Why an expression is refused, as one sentence that goes on after its key."""


@dataclass(frozen=True)
class Token:
    """One part of an expression: a text as its value, everything else as it is written."""

    kind: Kind
    value: str

    @property
    def sql(self) -> str:
        """The token in a form that has one meaning to every reader."""
        if self.kind == "text":
            return quoted(self.value)
        return f"`{self.value.replace('`', '``')}`" if self.kind == "column" else self.value


def tokens(text: str) -> list[Token]:
    """The tokens of an expression in order; ExpressionError where one is none that an expression may hold."""
    if len(text) > LONGEST:
        raise ExpressionError(f"has {len(text):,} characters; allowed: {LONGEST:,}")
    found = list(_found(text))
    if len(found) > MOST_TOKENS:
        raise ExpressionError(f"has {len(found):,} words and signs; allowed: {MOST_TOKENS:,}")
    _check_depth(found)
    return found


def quoted(value: str) -> str:
    """The text as a literal of Spark. A dollar sign is written by its number, since Spark replaces ${...} before it reads."""
    signs = {"'": r"\'", "\\": r"\\", "$": r"\u0024"}
    return "'" + "".join(signs.get(sign) or (sign if sign.isprintable() else _numbered(sign)) for sign in value) + "'"


def _numbered(sign: str) -> str:
    return f"\\u{ord(sign):04x}" if ord(sign) < 2**16 else f"\\U{ord(sign):08x}"


def _found(text: str) -> Iterator[Token]:
    place = 0
    while place < len(text):
        matched = _FORMS.match(text, place)
        kind = matched.lastgroup if matched else None
        if matched is None or kind is None or kind in ("comment", "foreign", "raw"):
            raise ExpressionError(_not_allowed(text, place, kind, matched.group() if matched else ""))
        place = matched.end()
        if kind == "text":
            yield Token("text", _value(matched.group()))
        elif kind == "column":
            yield Token("column", matched.group()[1:-1].replace("``", "`"))
        elif kind != "blank":
            yield Token(kind, matched.group())  # type: ignore[arg-type]


def _not_allowed(text: str, place: int, kind: str | None, found: str) -> str:
    if kind == "comment":
        return "holds a comment or hint (-- or /*); allowed: the expression alone"
    if kind == "raw":
        return "holds a raw text (r'...'); write a plain text, with each backslash doubled"
    if kind == "foreign" and found != "|>":
        return f"holds {_TOLD.get(found, 'a sign that no expression of one row has')}; allowed: an expression of one row"
    query = next((word for word in re.findall(r"\w+", text.lower()) if word in SYNTAX), None)
    if query:
        return f"names {query}, which looks at other rows; allowed: an expression of one row"
    sign = text[place]
    if sign in "'\"`":
        return "is no valid SQL expression: a quote is not closed"
    shown = f"{sign!r} " if sign in ".:?@$#{};\\" else ""
    return f"holds a sign {shown}that no expression of one row has, at its character {place + 1}"


def _value(literal: str) -> str:
    """What a literal means to Spark: doubled quotes are one, and a backslash before a sign without a meaning falls away."""
    quote, inside = literal[0], literal[1:-1]
    parts = re.split(r"(\\U[0-9A-Fa-f]{8}|\\u[0-9A-Fa-f]{4}|\\[01][0-7]{2}|\\.)", inside, flags=re.DOTALL)
    return "".join(_meant(part) if part.startswith("\\") else part.replace(quote * 2, quote) for part in parts)


def _meant(escape: str) -> str:
    sign = escape[1:]
    if len(sign) == 1:
        # LIKE sees the backslash before its own signs.
        return escape if sign in "%_" else _SPARK_SIGNS.get(sign, sign)
    number = int(sign, 8) if sign[0] in "01" else int(sign[1:], 16)
    if number > 0x10FFFF or 0xD800 <= number < 0xE000:
        raise ExpressionError("holds the number of no character; write the character itself")
    return chr(number)


def _check_depth(found: list[Token]) -> None:
    depth = 0
    for token in found:
        depth += (token.sql in ("(", "[")) - (token.sql in (")", "]"))
        if depth < 0:
            raise ExpressionError("is no valid SQL expression: a parenthesis is closed that was not opened")
        if depth > DEEPEST:
            raise ExpressionError(f"has parentheses more than {DEEPEST} deep; write parts of it as columns of their own")
    if depth:
        raise ExpressionError("is no valid SQL expression: a parenthesis is not closed")

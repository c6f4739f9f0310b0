"""Regular expressions that a policy may use: those that no value can make slow."""

import re
from math import prod

LONGEST_PATTERN = 200
"""Characters of a pattern."""
LONGEST_VALUE = 1000
"""Characters of a value that a pattern is matched with; a longer one breaks the rule unread."""
MOST_WAYS = 2_000_000
"""Ways in which a pattern's repetitions can divide a value: what a backtracking engine may have to try."""

_SPECIAL_GROUP = re.compile(r"\(\?(?!:)")
_QUANTIFIER = re.compile(r"(?P<sign>[*+?])|\{(?P<least>\d+)(?:(?P<open>,)(?P<most>\d*))?\}")


def bounded_pattern(text: str) -> str:
    """The pattern, if it is a regular expression that backtracks little on any value; else ValueError.

    Backtracking engines take exponential time where repetitions are nested or ambiguous ((a+)+, (a|a)*); such patterns are
    refused by their form: what a repeated group holds has one length, and the repetitions together leave few ways to
    divide a value. Back-references, look-around and flags are refused too, because engines differ in them.
    """
    if len(text) > LONGEST_PATTERN:
        raise ValueError(f"a pattern has at most {LONGEST_PATTERN} characters")
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"is no regular expression ({error})") from None
    if re.search(r"(?<!\\)(?:\\\\)*\\(?:[1-9]|k)", text):
        raise ValueError("refers back to a group; allowed: patterns without back-references")
    bare = _without_classes(text)
    if _SPECIAL_GROUP.search(bare):
        raise ValueError("allowed: groups ( ) and (?: ), without look-around, names or flags")
    bare = bare.replace("(?:", "(")
    if _repeats_the_ambiguous(bare):
        raise ValueError("repeats a group that holds |, ?, *, + or {n,m}; write [ab]* for (a|b)* and repetitions without nesting")
    if prod(_ways(quantifier) for quantifier in _QUANTIFIER.finditer(bare)) > MOST_WAYS:
        raise ValueError("has too many open repetitions; allowed: two of *, + and {n,}, or tighter bounds like {1,30}")
    return text


def _without_classes(text: str) -> str:
    """The pattern with each escaped character and each character class as a plain letter, so that signs mean what they say."""
    plain = re.sub(r"\\[pP]\{[^}]*\}|\\.", "x", text)
    return re.sub(r"\[\^?\]?[^\]]*\]", "x", plain)


def _repeats_the_ambiguous(bare: str) -> bool:
    starts: list[int] = []
    for place, sign in enumerate(bare):
        if sign == "(":
            starts.append(place)
        elif sign == ")":
            inside = bare[starts.pop() + 1 : place]
            outside = _QUANTIFIER.match(bare, place + 1)
            if outside and outside["sign"] != "?" and ("|" in inside or any(_ways(q) > 1 for q in _QUANTIFIER.finditer(inside))):
                return True
    return False


def _ways(quantifier: "re.Match[str]") -> int:
    """How many lengths the quantifier leaves open."""
    if quantifier["sign"]:
        return 2 if quantifier["sign"] == "?" else LONGEST_VALUE
    if not quantifier["open"]:
        return 1
    return int(quantifier["most"]) - int(quantifier["least"]) + 1 if quantifier["most"] else LONGEST_VALUE

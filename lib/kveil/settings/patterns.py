"""Regular expressions that a policy may use: of one syntax, and such that no value can make them slow.

The patterns of contracts and expectations are matched by RE2, whose time grows with the value alone. Those of expressions are
matched by Spark, which backtracks. One test holds for both, so that whoever reads a policy with another engine is safe as well.
"""

import re

import pyarrow as pa
import pyarrow.compute as pc

LONGEST_PATTERN = 200
"""Characters of a pattern."""
LONGEST_VALUE = 1000
"""Characters of a value that a pattern is matched with; a longer one breaks the rule unread."""
MOST_WAYS = 2_000_000
"""Ways in which a pattern can divide a value: what a backtracking engine may have to try."""

_SPECIAL_GROUP = re.compile(r"\(\?(?!:)")
_QUANTIFIER = re.compile(r"(?P<sign>[*+?])|\{(?P<least>\d{1,4})(?:(?P<open>,)(?P<most>\d{0,4}))?\}")


def bounded_pattern(text: str) -> str:
    """The pattern, if it is a regular expression that backtracks little on any value; else ValueError.

    Backtracking engines take exponential time where repetitions are nested or ambiguous ((a+)+, (a|a)*, (a|aa)(a|aa)...); such
    patterns are refused by their form: what a repeated group holds has one length, and alternatives and repetitions together
    leave few ways to divide a value. Back-references, look-around, flags and classes within classes are refused too, because
    engines differ in them.
    """
    if len(text) > LONGEST_PATTERN:
        raise ValueError(f"a pattern has at most {LONGEST_PATTERN} characters")
    if re.search(r"(?<!\\)(?:\\\\)*\\(?:[1-9]|k)", text):
        raise ValueError("refers back to a group; allowed: patterns without back-references")
    bare = _without_classes(text)
    if _SPECIAL_GROUP.search(bare):
        raise ValueError("allowed: groups ( ) and (?: ), without look-around, names or flags")
    _check_syntax(text)
    bare = bare.replace("(?:", "(")
    if _repeats_the_ambiguous(bare):
        raise ValueError("repeats a group that holds |, ?, *, + or {n,m}; write [ab]* for (a|b)* and repetitions without nesting")
    if ways(text) > MOST_WAYS:
        raise ValueError(
            "has too many open repetitions or alternatives; allowed: two of *, + and {n,}, or tighter bounds like {1,30}, "
            "and few groups of alternatives"
        )
    return text


def backtracking_pattern(text: str) -> str:
    """The pattern, if Spark may search for it in an expression; else ValueError. A search begins anew at every character."""
    bounded_pattern(text)
    begins_once = text.startswith("^") and "|" not in _outside_groups(_without_classes(text))
    if ways(text) * (1 if begins_once else LONGEST_VALUE) > MOST_WAYS:
        raise ValueError("has too many open repetitions or alternatives for a search; begin it with ^, or give tighter bounds")
    return text


def like_pattern(text: str) -> str:
    """The pattern of LIKE, if few of its % can divide a value; else ValueError."""
    if len(text) > LONGEST_PATTERN:
        raise ValueError(f"has {len(text):,} characters; allowed: {LONGEST_PATTERN}")
    if len(re.findall("%+", text.rstrip("%"))) > 2:
        raise ValueError("has too many %; allowed: two, and one at the end")
    return text


def ways(text: str) -> float:
    """In how many ways an engine may divide a value by the pattern, at most; infinite where it repeats what has several."""
    total, rest = _alternatives(_without_classes(text).replace("(?:", "("))
    return total if not rest else float("inf")


def _check_syntax(text: str) -> None:
    """Python and RE2 must both understand the pattern; what one of them reads otherwise than the other is refused."""
    try:
        re.compile(text)
        pc.match_substring_regex(pa.array([""]), text)
    except (re.error, RecursionError, OverflowError):
        raise ValueError("is no regular expression that Python and RE2 understand") from None
    except pa.ArrowInvalid as error:
        told = re.search(r"regular expression: ([a-z ]+)", str(error))
        raise ValueError(f"is no regular expression of RE2 ({told[1] if told else 'not understood'})") from None
    escaped = re.sub(r"\\\\", "", text)
    if re.search(r"\\[QECAZGbB]", escaped):
        raise ValueError(r"allowed: escapes of signs and \d \w \s \D \W \S; a pattern matches the whole value by itself")
    inside = "".join(re.findall(r"\[\^?\]?([^\]]*)\]", re.sub(r"\\.", "x", text)))
    if "[" in inside or "&&" in inside:
        raise ValueError("holds a class within a class; write one class")


def _without_classes(text: str) -> str:
    """The pattern with each escaped character and each character class as a plain letter, so that signs mean what they say."""
    plain = re.sub(r"\\[pP]\{[^}]*\}|\\.", "x", text)
    return re.sub(r"\[\^?\]?[^\]]*\]", "x", plain)


def _outside_groups(bare: str) -> str:
    while True:
        shorter = re.sub(r"\([^()]*\)", "x", bare)
        if shorter == bare:
            return bare
        bare = shorter


def _repeats_the_ambiguous(bare: str) -> bool:
    starts: list[int] = []
    for place, sign in enumerate(bare):
        if sign == "(":
            starts.append(place)
        elif sign == ")":
            inside = bare[starts.pop() + 1 : place]
            outside = _QUANTIFIER.match(bare, place + 1)
            if (
                outside
                and outside["sign"] != "?"
                and ("|" in inside or any(_lengths(q) > 1 for q in _QUANTIFIER.finditer(inside)))
            ):
                return True
    return False


def _alternatives(bare: str) -> tuple[float, str]:
    """The ways of a pattern up to the parenthesis that closes it, and what follows that."""
    total, here = 0.0, 1.0
    while bare and bare[0] != ")":
        if bare[0] == "|":
            total, here, bare = total + here, 1.0, bare[1:]
            continue
        one, bare = _alternatives(bare[1:]) if bare[0] == "(" else (1.0, bare[1:])
        quantifier = _QUANTIFIER.match(bare)
        if quantifier:
            bare = bare[quantifier.end() :].removeprefix("?")
            one = _repeated(one, quantifier)
        here *= one
    return total + here, bare[1:]


def _repeated(one: float, quantifier: "re.Match[str]") -> float:
    if one == 1:
        return _lengths(quantifier)
    return one + 1 if quantifier["sign"] == "?" else float("inf")


def _lengths(quantifier: "re.Match[str]") -> int:
    """How many lengths the quantifier leaves open."""
    if quantifier["sign"]:
        return 2 if quantifier["sign"] == "?" else LONGEST_VALUE
    if not quantifier["open"]:
        return 1
    return int(quantifier["most"]) - int(quantifier["least"]) + 1 if quantifier["most"] else LONGEST_VALUE

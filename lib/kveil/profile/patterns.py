"""Patterns of values: what a text looks like when each letter and digit stands for its kind."""

import pyarrow as pa
import pyarrow.compute as pc

LONGEST = 40
"""Characters of a value that its pattern shows; a longer value's pattern ends in an ellipsis."""

_CAPITAL, _LETTER, _DIGIT = r"\p{Lu}", r"[\p{L}\p{M}]", r"\p{Nd}"
_ODD = r"[^Aa9 _.,:;/\\@+\-()#*&'\"]"
# Runs of five or more are told by one sign, so that names of different lengths look alike.
_RUNS = ((r"A{5,}", "A+"), (r"a{5,}", "a+"))


def patterns(texts: pa.Array) -> pa.Array:
    """Each text's pattern: A for a capital, a for another letter, 9 for a digit, common signs as they are, ? for the rest.

    `AA99-9999` for "DE12-3456"; runs of five or more letters become `A+` or `a+`, blanks at the ends stay. Letters of all
    scripts count; those without case are a. Nothing of the value but its form is left.
    """
    long = pc.greater(pc.utf8_length(texts), LONGEST)
    shown = pc.utf8_slice_codeunits(texts, 0, LONGEST)
    shown = pc.replace_substring_regex(shown, _DIGIT, "9")
    shown = pc.replace_substring_regex(shown, _CAPITAL, "\x01")
    shown = pc.replace_substring_regex(shown, _LETTER, "a")
    shown = pc.replace_substring(shown, "\x01", "A")
    shown = pc.replace_substring_regex(shown, r"\s", " ")
    shown = pc.replace_substring_regex(shown, _ODD, "?")
    for run, sign in _RUNS:
        shown = pc.replace_substring_regex(shown, run, sign)
    return pc.if_else(long, pc.binary_join_element_wise(shown, "…", ""), shown)

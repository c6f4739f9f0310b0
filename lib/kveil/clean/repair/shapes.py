"""How values look: their shape (runs of letters and digits) and their mask, which shows a value without telling it."""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F

USUAL, RARE = 0.05, 0.02
"""A shape is usual from this share of a column's cells on, and rare below the other."""
_MOSTLY = 0.9
_WITH_DIGITS = 0.5
LONGEST_SHOWN = 60
"""Signs of a value that a mask shows."""


def shape(value: str) -> str:
    """The value with each run of letters as a, of digits as 9, of blanks as one blank: 'KE12 4XY' is 'a9 9a'."""
    return re.sub(r"\s+", " ", re.sub(r"\d+", "9", re.sub(r"[^\W\d_]+", "a", value)))


def shape_of(text: Column) -> Column:
    """The same in Spark."""
    letters = F.regexp_replace(text, r"\p{L}+", "a")
    return F.regexp_replace(F.regexp_replace(letters, r"\p{Nd}+", "9"), r"\s+", " ")


def masked(text: Column) -> Column:
    """The text with upper-case letters as A, other letters as a, digits as 9, cut after LONGEST_SHOWN signs; null is 'null'."""
    cut = F.when(F.length(text) > LONGEST_SHOWN, F.concat(F.left(text, F.lit(LONGEST_SHOWN)), F.lit("..."))).otherwise(text)
    hidden = F.regexp_replace(F.regexp_replace(cut, r"\p{Lu}", "A"), r"[\p{L}\p{M}&&[^A]]", "a")
    return F.coalesce(F.regexp_replace(hidden, r"\p{N}", "9"), F.lit("null"))


def mask(value: str | None) -> str:
    """The same mask in Python."""
    if value is None:
        return "null"
    cut = value[:LONGEST_SHOWN] + ("..." if len(value) > LONGEST_SHOWN else "")
    return "".join(map(_masked_sign, cut))


def _masked_sign(sign: str) -> str:
    if sign.isnumeric():
        return "9"
    return "A" if sign.isupper() else "a" if unicodedata.category(sign)[0] in "LM" else sign


def usual_shapes(counts: Mapping[str, int]) -> list[str]:
    """The shapes that a column's values should have, by the cells of each shape; none where it has no usual look.

    Said only of columns that mostly hold digits (codes, numbers, dates) and where few shapes make up nearly all cells:
    names and free text look as they like. Shapes between rare and usual are let pass.
    """
    cells = sum(counts.values())
    if not cells:
        return []
    usual = sum(count for count in counts.values() if count >= USUAL * cells)
    digits = sum(count for look, count in counts.items() if "9" in look)
    if usual < _MOSTLY * cells or digits < _WITH_DIGITS * cells:
        return []
    return sorted(look for look, count in counts.items() if count >= RARE * cells)


def shape_counts(counts: Mapping[str, int]) -> dict[str, int]:
    """The cells of each shape, by the cells of each value."""
    found: Counter[str] = Counter()
    for value, count in counts.items():
        found[shape(value)] += count
    return dict(found)

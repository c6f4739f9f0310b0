"""How names look that may be data, so that a message can tell them apart without saying them.

What a file calls a column is data until the policy has named it: a file without its header line has a person there.
"""

import re
from collections.abc import Iterable
from itertools import groupby

_LONGEST, _MOST = 24, 10


def shape(name: str) -> str:
    """How a name looks, and nothing of what it says: A for capitals, a for letters, 9 for digits, each run once, cut short."""
    signs = ("A" if sign.isupper() else "a" if sign.isalpha() else "9" if sign.isdigit() else _other(sign) for sign in name[:200])
    runs = "".join(next(run) for _, run in groupby(signs))
    return runs if len(runs) <= _LONGEST else f"{runs[:_LONGEST]}..."


def shapes(names: Iterable[str]) -> str:
    """How many names there are and how they look, each look once."""
    listed = list(names)
    looks = list(dict.fromkeys(shape(name) for name in listed))
    shown = ", ".join(looks[:_MOST]) + (", ..." if len(looks) > _MOST else "")
    return f"{len(listed):,} ({shown})" if listed else "none"


def _other(sign: str) -> str:
    return sign if re.match(r"[ _.@+/:,;|()\-]", sign) else "?"

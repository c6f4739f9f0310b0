"""What may be said of a file: the policy's own address, and of what was found below it no more than place and shape.

A file's name, a folder's and a column's header are data until the policy has named them: people deliver `Erika_Mustermann.csv`.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

from kveil.collect.locations import SourceFile
from kveil.settings.sources import Source

_LONGEST, _MOST = 24, 10


def words_of(file: SourceFile, files: Sequence[SourceFile], source: Source) -> str:
    """The file as a message names it: by the policy's address, and by its number where others lie there too."""
    if len(files) < 2:
        return f"the file {source.uri}"
    number = next((i for i, each in enumerate(files, 1) if each == file), 0)
    return f"file {number} of {len(files)} in {source.uri} (a name like {shape(file.path.rpartition('/')[2])})"


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

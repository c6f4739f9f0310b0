"""What may be said of a file: the policy's own address, and of what was found below it no more than place and shape.

A file's name, a folder's and a column's header are data until the policy has named them: people deliver `Erika_Mustermann.csv`.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from kveil.collect.locations import SourceFile, bare
from kveil.settings.sources import Source
from kveil.shapes import shape


def words_of(file: SourceFile, files: Sequence[SourceFile], source: Source) -> str:
    """The file as a message names it: by the policy's address, and by its number where others lie there too."""
    if len(files) < 2:
        return f"the file {source.uri}"
    number = next((i for i, each in enumerate(files, 1) if each == file), 0)
    return f"file {number} of {len(files)} in {source.uri} (a name like {shape(file.path.rpartition('/')[2])})"


def told_path(path: str, uri: str) -> str:
    """The path of a file as evidence names it: what the policy's address says stays, what was found below it is a shape."""
    own = re.split(r"[*?{\[]", uri, maxsplit=1)[0]
    own = own.rpartition("/")[0] if own != uri else uri.rstrip("/")
    base = own if "://" in own else bare(str(Path(own).absolute()))
    inside = bare(path).removeprefix(f"{bare(base)}/")
    return f"{base}/{shape(inside)}" if inside != bare(path) else path

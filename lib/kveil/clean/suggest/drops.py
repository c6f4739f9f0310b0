"""Columns that tell nothing: of one value or none, nearly always null, or the same as another one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kveil.clean.suggest.look import Look
from kveil.clean.suggest.made import Found, made
from kveil.clean.suggest.words import is_nothing
from kveil.settings.recipe import Drop

_NEARLY_ALL = 0.99
_FEWEST_ROWS = 20
_KEY = 0.9
"""From this share of distinct values on, any two columns tell each other: only the same values make a copy."""
_CONSTANT, _EMPTY, _COPY, _ONE_TO_ONE, _USED = 0.7, 0.6, 0.7, 0.4, 0.3
"""Whoever leaves out a column is asked, since what it is for is not in the table."""


def of_drops(look: Look, person: str, free: Mapping[str, Sequence[str]]) -> Iterator[Drop]:
    """A step for each column that tells nothing, of those that may be left out (`free`, with the sections that use them).

    Never for the privacy unit's.
    """
    mine = {name: free[name] for name in look.types if name in free and name != person}
    found = {name: empty for name in mine if (empty := _empty(look, name))}
    if look.sample.num_rows >= _FEWEST_ROWS:
        found |= _copies(look, {name: users for name, users in mine.items() if name not in found})
    for name, each in found.items():
        yield Drop(step="drop", **made(look, name, _beside_uses(each, mine[name])))


def _beside_uses(found: Found, users: Sequence[str]) -> Found:
    if not users:
        return found
    reason = f"{found.reason}; {' and '.join(users)} uses it and would have to do without it"
    return replace(found, reason=reason, confidence=min(found.confidence, _USED))


def _empty(look: Look, name: str) -> Found | None:
    values, rows = look.values(name), look.seen(name)
    if look.rows < 2 or not rows:
        return None
    held = sum(count for value, count in values.items() if not is_nothing(value))
    effect = "the column is not in the clean table"
    if not held:
        return Found(_CONSTANT, f"none of {rows:,} cells holds anything", effect, rows)
    if rows - held >= _NEARLY_ALL * rows:
        return Found(_EMPTY, f"{rows - held:,} of {rows:,} cells hold nothing", effect, rows)
    if len(values) == 1 and held == rows:
        return Found(_CONSTANT, f"all of {rows:,} cells hold the same value", effect, rows)
    return None


def _copies(look: Look, free: Mapping[str, Sequence[str]]) -> dict[str, Found]:
    """Of columns that are the same, or tell each other in every row of the sample, one that is used stays, or else the first."""
    groups: dict[bytes, list[str]] = {}
    for name in look.types:
        groups.setdefault(_numbered(look.sample.column(name)).tobytes(), []).append(name)
    copies: dict[str, str] = {}
    for names in groups.values():
        stays = next((name for name in names if name not in free), None) or max(names, key=lambda name: bool(free[name]))
        copies |= {name: stays for name in names if name != stays and name in free}
    found = {name: _copy(look, name, other) for name, other in copies.items()}
    return {name: each for name, each in found.items() if each}


def _copy(look: Look, name: str, other: str) -> Found | None:
    rows = look.sample.num_rows
    distinct = pc.count_distinct(look.sample.column(name), mode="all").as_py()
    same = look.sample.column(name).equals(look.sample.column(other))
    if distinct < 2 or (not same and distinct >= _KEY * rows):
        return None
    told = "holds the same" if same else "tells it, and is told by it, one to one"
    effect = f"the column is not in the clean table, but {other} is"
    return Found(_COPY if same else _ONE_TO_ONE, f"in {rows:,} rows, {other} {told}", effect, rows)


def _numbered(column: pa.ChunkedArray) -> NDArray[np.int32]:
    """Each value's number in the order of appearance [n]: the same for columns that tell each other one to one."""
    encoded = pc.dictionary_encode(column.combine_chunks(), null_encoding="encode")
    chunk = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    return chunk.indices.to_numpy(zero_copy_only=False).astype(np.int32)

"""Types that text columns could have: read by the same rules as the step reads them."""

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import date

from kveil.clean.casts import reads
from kveil.clean.suggest.dates import dated
from kveil.clean.suggest.look import Look
from kveil.clean.suggest.made import Found, changes, made
from kveil.clean.suggest.words import is_nothing
from kveil.profile.concepts import concept_of
from kveil.settings.recipe import Cast

_NEARLY = 0.95
_WORDS = ({"true", "false"}, {"yes", "no"}, {"y", "n"}, {"t", "f"})
_ZERO_FIRST = re.compile(r"\s*[+-]?0[0-9]")
_DECIMALS = re.compile(r"[+-]?[0-9]*\.([0-9]*)")
_MOST_DECIMALS, _DIGITS = 6, 18
_CODES = {"postcode", "bank_code", "region", "item", "department"}
"""Concepts whose numbers are names: nobody adds them up."""
_SHORTEST_CODE = 4
_ALL_ROWS, _SAMPLE, _DOUBTED = 0.9, 0.7, 0.5


def of_types(look: Look, person: str, texts: Collection[str], today: date) -> Iterator[Cast]:
    """A cast for each text column of which nearly all values read as one type, but the privacy unit's and `texts`."""
    for name in look.texts:
        values = {value: count for value, count in look.values(name).items() if not is_nothing(value)}
        if name != person and name not in texts and values:
            yield from _cast(look, name, values, today)


def _cast(look: Look, name: str, values: Mapping[str, int], today: date) -> Iterator[Cast]:
    total = sum(values.values())
    best = max(_candidates(name, values), key=lambda to: _read(values, to), default="date")
    unread = {value: None for value in values if not reads(value, best)}
    cells = sum(values[value] for value in unread)
    if cells > (1 - _NEARLY) * total:
        yield from _after_date_step(look, name, values, today)
        return
    reason = f"{total - cells:,} of {total:,} cells that hold something read as {best}"
    confidence = _ALL_ROWS if look.seen(name) == look.rows else _SAMPLE
    if unread:
        confidence = _DOUBTED * (1 - cells / total)
    elif _looks_like_codes(values, best):
        reason, confidence = f"{reason}; all have the same number of digits, as codes do, which are no numbers", _DOUBTED
    effect = f"the column becomes {best}; {cells:,} cells that cannot be read become null"
    found = Found(confidence, reason, effect, cells, changes(unread))
    yield Cast(step="cast", to=best, **made(look, name, found))


def _candidates(name: str, values: Mapping[str, int]) -> list[str]:
    """Types in the order in which they are preferred where they read the same cells."""
    words = {value.strip().casefold() for value in values}
    found = ["boolean"] if any(words <= pair for pair in _WORDS) else []
    return [*found, *(_numbers(values) if _may_be_numbers(name, values) else []), "date", "timestamp"]


def _may_be_numbers(name: str, values: Mapping[str, int]) -> bool:
    """A single number with a leading zero tells that all are codes, as does a name for one."""
    named = concept_of(name)
    if named and (named[0].role in ("direct", "person", "record") or named[0].name in _CODES):
        return False
    return not any(_ZERO_FIRST.match(value) for value in values)


def _numbers(values: Mapping[str, int]) -> list[str]:
    written = [found.group(1).rstrip("0") for found in map(_DECIMALS.fullmatch, map(str.strip, values)) if found]
    decimals = max(map(len, written), default=0)
    return ["bigint", *([f"decimal({_DIGITS},{decimals})"] if 0 < decimals <= _MOST_DECIMALS else []), "double"]


def _read(values: Mapping[str, int], to: str) -> int:
    return sum(count for value, count in values.items() if reads(value, to))


def _looks_like_codes(values: Mapping[str, int], to: str) -> bool:
    lengths = {len(value.strip()) for value in values}
    return to == "bigint" and len(values) > 1 and len(lengths) == 1 and min(lengths) >= _SHORTEST_CODE


def _after_date_step(look: Look, name: str, values: Mapping[str, int], today: date) -> Iterator[Cast]:
    """Dates in other forms can be read when the step `date` has written them as yyyy-MM-dd."""
    found = dated(values, today, date.min)
    if found is None or found.others > (1 - _NEARLY) * (found.cells + found.others):
        return
    reason = f"{found.cells:,} of {found.cells + found.others:,} cells are dates, once the step date has given them one form"
    effect = "the column becomes date; what is no yyyy-MM-dd then becomes null, so accept it with the step date alone"
    yield Cast(step="cast", to="date", **made(look, name, Found(_DOUBTED, reason, effect, found.others)))

"""`kveil classify`: names of sources, the draft, and what is left to a person."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from kveil.classify.draft import drafted
from kveil.classify.plan import planned
from kveil.classify.run import Asked, classified, person_of
from kveil.errors import SettingsError
from kveil.log import Progress
from kveil.settings import load
from kveil.settings.base import IDENTIFIER

_LONGEST = 40


def names_of(addresses: Sequence[str]) -> dict[str, str]:
    """Sources by name: what stands before `=`, or else the file's or folder's own; SettingsError where two have one name."""
    named: dict[str, str] = {}
    for address in addresses:
        given, equals, rest = address.partition("=")
        asked = equals and re.fullmatch(IDENTIFIER, given)
        name, place = (given, rest) if asked else (identifier(re.split(r"[/\\]", address.rstrip("/"))[-1].split(".")[0]), address)
        if name in named:
            raise SettingsError([f"SOURCE: two sources would be called {name}; name them as NAME=PATH"])
        named[name] = place
    return named


def identifier(text: str) -> str:
    """The text as a name that a policy can use."""
    plain = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:_LONGEST]
    return plain if plain[:1].isalpha() else f"source_{plain}".rstrip("_")


def draft_of(sources: Mapping[str, Asked], name: str, person: str | None, label: str | None, progress: Progress) -> str:
    """The draft policy of these sources; SettingsError where a column that was named is in none of them."""
    unit = person_of(sources, person)
    if label is not None and not any(label in source.rows.columns for source in sources.values()):
        raise SettingsError([f"--label: no source has a column {label!r}; name one that a model shall learn"])
    return drafted(planned(classified(sources, unit, progress), unit, label), identifier(name))


def next_steps(path: Path) -> Iterator[str]:
    """What is left to a person: the choices that are marked, and what keeps the draft from being a policy."""
    marked = sum("# ?" in line for line in path.read_text(encoding="utf-8").splitlines())
    yield f"{path}: drafted; {marked} lines are marked with # ? for you to decide"
    try:
        load(path)
    except SettingsError as error:
        yield from error.problems
    else:
        yield f"{path}: kveil check finds no problem"

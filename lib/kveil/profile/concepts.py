"""What a column's name says: its concept, from word lists in several languages."""

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

import yaml

from kveil.profile.texts import folded

RoleHint = Literal["direct", "quasi", "sensitive", "insensitive", "person", "record", "text"]

_PARTS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[^\W\d_]+")


_HEAD = 2
"""Letters that standing at the end of a name is worth."""


@dataclass(frozen=True)
class Concept:
    """What columns are about, the role that such columns usually play, and the names for it, each a tuple of words."""

    name: str
    role: RoleHint
    names: tuple[tuple[str, ...], ...]


@cache
def concepts() -> dict[str, Concept]:
    """Every concept by name, in the order of the file."""
    found = _data("concepts.yml")
    return {
        name: Concept(name, about["role"], tuple(tuple(each.split()) for each in about["words"])) for name, about in found.items()
    }


@cache
def words(kind: str) -> frozenset[str]:
    """A list of common words, such as given_names; lower case without accents."""
    return frozenset(_data("words.yml")[kind])


@cache
def concept_of(column: str) -> tuple[Concept, float] | None:
    """The concept that a column's name tells, and how much of the name does, from 0 to 1; None where it tells none.

    The longest name of a concept that stands in the column's wins; written together (`birthdate`) is the same as in words.
    """
    parts = [folded(part) for part in _PARTS.findall(column)]
    whole, best = "".join(parts), None
    for concept in concepts().values():
        for name in concept.names:
            length = _found(name, parts, whole)
            if length and (best is None or length > best[0]):
                best = (length, concept)
    return (best[1], min(1.0, best[0] / max(len(whole), 1))) if best else None


def _found(name: tuple[str, ...], parts: list[str], whole: str) -> int:
    """How many letters of the column's name the concept's name accounts for; 0 where it does not stand in it."""
    size, length = len(name), sum(map(len, name))
    places = [i for i in range(len(parts) - size + 1) if tuple(parts[i : i + size]) == name]
    if places:
        # The last word is what a compound is: a merchant's country is a country.
        return length + _HEAD * (places[-1] + size == len(parts))
    joined = "".join(name)
    if joined == whole:
        return length + _HEAD
    # Germanic languages write words together: kundengeburtsdatum. Short words would be found everywhere.
    return length if length >= 8 and joined in whole else 0


def _data(name: str) -> Any:
    return yaml.safe_load((resources.files("kveil.profile") / "data" / name).read_text(encoding="utf-8"))

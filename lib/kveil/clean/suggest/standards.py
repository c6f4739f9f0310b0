"""Text columns of countries, currencies or phone numbers that are not all in the standard's form."""

from collections.abc import Iterator, Mapping
from typing import Literal

import pyarrow as pa

from kveil.clean.standards import meanings_of
from kveil.clean.suggest.look import Look
from kveil.clean.suggest.made import Found, changes, made
from kveil.clean.suggest.words import is_nothing
from kveil.profile.concepts import concept_of
from kveil.profile.detectors import phone
from kveil.settings.recipe import Standard

Kind = Literal["country", "currency", "phone"]
_FORMS = {"country": "ISO 3166 alpha-2", "currency": "ISO 4217", "phone": "E.164"}
_MOSTLY, _NAMED = 0.9, 0.6
"""The share of cells from which a column is of a kind, and what is asked where its name says so."""
_SURE, _ONE_HABIT, _DOUBTED = 0.9, 0.5, 0.6
_TOLD = 5
_MEANINGS = 4


def of_standards(look: Look, person: str) -> Iterator[Standard]:
    """One step per text column that a standard knows and that is not in its form; never for the privacy unit's."""
    for name in look.texts:
        values = {value: count for value, count in look.values(name).items() if not is_nothing(value)}
        kind = _kind(name, values) if name != person and values else None
        if kind:
            yield from _step(look, name, kind, values)


def _kind(name: str, values: Mapping[str, int]) -> Kind | None:
    """What the column is of. A name for something else speaks against it: states of the US are written as countries are."""
    named = concept_of(name)
    cells = sum(values.values())
    kinds: tuple[Kind, ...] = ("country", "currency", "phone")
    for kind in kinds:
        if named and named[0].name != kind:
            continue
        if not named and (kind == "phone" or len(values) < 2):
            continue
        share = sum(values[value] for value in _of_kind(values, kind)) / cells
        if share >= (_NAMED if named else _MOSTLY):
            return kind
    return None


def _of_kind(values: Mapping[str, int], kind: Kind) -> list[str]:
    if kind != "phone":
        return [value for value in values if meanings_of(value, kind)]
    texts = list(values)
    shaped = phone(pa.array(texts, pa.string()))
    return [value for value, fits in zip(texts, shaped, strict=True) if fits or meanings_of(value, kind)]


def _step(look: Look, name: str, kind: Kind, values: Mapping[str, int]) -> Iterator[Standard]:
    meant = {value: meanings_of(value, kind) for value in values}
    changed = {value: codes[0] for value, codes in meant.items() if len(codes) == 1 and codes[0] != value}
    open_ = {value: codes for value, codes in meant.items() if len(codes) > 1}
    unknown = [value for value, codes in meant.items() if not codes]
    if not changed and not open_ and not (unknown and kind == "phone"):
        return
    cells = sum(values[value] for value in changed)
    reason = f"{sum(values[value] for value, codes in meant.items() if codes):,} of {sum(values.values()):,} cells are a {kind}"
    if unknown:
        reason += f"; {sum(values[value] for value in unknown):,} are not known{_hint(kind)}"
    if open_:
        reason += f"; {_open(open_)}; write under meanings what it is here"
    confidence = _SURE if not open_ and not unknown else _DOUBTED * (1 - len(unknown) / len(values))
    if confidence == _SURE and len({_form(value, codes[0]) for value, codes in meant.items()}) == 1:
        reason, confidence = f"{reason}; all are written alike, so nothing is wrong with them", _ONE_HABIT
    effect = f"{cells:,} cells get their form of {_FORMS[kind]}; what is not known stays"
    yield Standard(step="standard", to=kind, **made(look, name, Found(confidence, reason, effect, cells, changes(changed))))


def _hint(kind: Kind) -> str:
    return ", such as numbers without the country's, whose country can be written as region" if kind == "phone" else ""


def _open(several: Mapping[str, tuple[str, ...]]) -> str:
    """What signs of our own lists may stand for."""
    told = []
    for value, codes in sorted(several.items())[:_TOLD]:
        more = f" or {len(codes) - _MEANINGS} others" if len(codes) > _MEANINGS else ""
        told.append(f"{value.strip()!r} may be {', '.join(codes[:_MEANINGS])}{more}")
    return "; ".join(told)


def _form(value: str, code: str) -> str:
    """How it is written: as the standard does, as a code otherwise, as a number, or in words."""
    if value == code:
        return "standard"
    return "number" if value[:1] == "+" else str(len(value)) if len(value) <= 3 else "words"

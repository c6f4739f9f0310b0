"""`consent`: where people's decisions are found, and as of when they count."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime

from pydantic import model_validator

from kveil.settings.base import Identifier, Section, Share
from kveil.settings.sources import Source

DECISIONS = ("grant", "refuse", "withdraw")
CONSENTING_BASES = ("consent", "explicit_consent", "parental_consent")
"""What may stand in a registry's column `basis` for a grant to be consent; a row without a basis is consent too."""
PARENTAL = "parental_consent"

_TIMES = ("effective_from", "recorded_at")
_ONE_TIME = "decided_at"


class SimulatedConsent(Section):
    """A consent registry made up from the person ids, for data that carries none. Every report calls it simulated."""

    grant: Share
    refuse: Share
    withdraw: Share
    first: date
    last: date

    @model_validator(mode="after")
    def _shares_fill_the_whole(self) -> "SimulatedConsent":
        if abs(self.grant + self.refuse + self.withdraw - 1) > 1e-9:
            raise ValueError("grant + refuse + withdraw must be 1")
        if self.first >= self.last:
            raise ValueError("first must be before last")
        return self


class Consent(Section):
    """Whose rows may be used: a person's latest decision for the policy's purpose, as known at `as_of` (default: the run).

    A registry is a source of events: the person (named as the policy's person), purpose, decision (grant, refuse or
    withdraw), effective_from (from when it holds) and recorded_at (since when it is known); basis and evidence where there
    are any. The short form has decided_at, which stands for both times.
    """

    registry: Identifier | None = None
    simulated: SimulatedConsent | None = None
    as_of: datetime | None = None

    @model_validator(mode="after")
    def _one_registry(self) -> "Consent":
        if (self.registry is None) == (self.simulated is None):
            raise ValueError("name either registry (a source) or simulated, not both and not neither")
        return self


def event_columns(person: str, columns: Mapping[str, object]) -> list[str]:
    """A registry's columns that no event may lack: the person, purpose, decision and its times."""
    times = [name for name in _TIMES if name in columns]
    return [person, "purpose", "decision", *(times or [_ONE_TIME])]


def registry_columns(person: str) -> set[str]:
    """Every column of a registry that is read."""
    return {person, "purpose", "decision", *_TIMES, _ONE_TIME, "basis", "evidence"}


def registry_problems(person: str, name: str | None, sources: Mapping[str, Source]) -> Iterator[tuple[str, str]]:
    """Key and sentence of every column that the registry needs and its source does not declare so."""
    if name is None or name not in sources:
        return
    columns, key = sources[name].columns, "consent.registry"
    if person not in columns:
        yield key, f"source {name!r} must declare {person!r}, the privacy unit"
    needed = dict.fromkeys(("purpose", "decision"), "string") | dict.fromkeys(_times_asked(columns), "timestamp")
    for column, type_ in needed.items():
        if column not in columns or columns[column].type != type_:
            yield key, f"source {name!r} must declare {column!r} as {type_}"
    for column in ("basis", "evidence"):
        if column in columns and columns[column].type != "string":
            yield key, f"source {name!r} must declare {column!r} as string"


def _times_asked(columns: Mapping[str, object]) -> tuple[str, ...]:
    """Both times where one of them is declared, else the short form's."""
    return _TIMES if any(name in columns for name in _TIMES) else (_ONE_TIME,)

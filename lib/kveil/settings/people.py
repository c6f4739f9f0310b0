"""`clean.people`: people who are registered several times, found without labels, and which values survive."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from kveil.settings.base import ColumnName, Identifier, Section
from kveil.settings.sources import Source

Kind = Literal["name", "text", "code"]
"""How values are compared: names and texts by their beginnings and letters in common, codes and dates by single signs."""
Survivor = Literal["most_complete", "most_frequent", "latest"]


class People(Section):
    """A source with one row per registration. Those that are one person's become one, under the id of the fullest row.

    `columns`: what registrations are compared by. `threshold`: the least probability that two are one person. `most`: the most
    registrations that are compared, in this process's memory. `survivor`: which of a person's values stays; `survivors` says so
    by column. latest goes by the column `latest_by`.
    """

    source: Identifier
    columns: dict[ColumnName, Kind] = Field(min_length=3)
    threshold: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    most: Annotated[int, Field(ge=2, le=2_000_000)] = 500_000
    survivor: Survivor = "most_complete"
    survivors: dict[ColumnName, Survivor] = Field(default_factory=dict)
    latest_by: ColumnName | None = None

    @model_validator(mode="after")
    def _latest_has_a_time(self) -> "People":
        if "latest" in (self.survivor, *self.survivors.values()) and self.latest_by is None:
            raise ValueError("latest needs latest_by, the column that tells when a row was written")
        return self

    @property
    def used(self) -> set[str]:
        """The source's columns that are read for it."""
        return {*self.columns, *self.survivors, *([self.latest_by] if self.latest_by else [])}


def people_problems(
    people: People | None, sources: Mapping[str, Source], read: Sequence[str], person: str
) -> Iterator[tuple[str, str]]:
    """Key and sentence of everything that the sources contradict."""
    if people is None:
        return
    if people.source not in read[1:] or people.source not in sources:
        yield "clean.people.source", f"found {people.source!r}; allowed: a joined source: {', '.join(read[1:]) or 'none'}"
        return
    columns = sources[people.source].columns
    if person not in columns:
        yield "clean.people.source", f"source {people.source!r} declares no {person!r}, which tells registrations apart"
    for name in sorted(people.used):
        if name not in columns:
            yield "clean.people", f"source {people.source!r} declares no column {name!r}; allowed: {', '.join(sorted(columns))}"
        elif name == person:
            yield "clean.people", f"{person!r} tells registrations apart, so it cannot tell that two are one person's; remove it"

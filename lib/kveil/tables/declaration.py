"""How a table is declared: its zone, name, promise and columns."""

from dataclasses import dataclass
from typing import Literal

from kveil.settings import Policy

Zone = Literal["raw", "clean", "restricted", "release", "control"]

ZONES: dict[Zone, str] = {
    "raw": "rows as they came from the sources, of consenting people",
    "clean": "rows ready for a release or a baseline, still personal",
    "restricted": "working tables and rows set aside, personal, short-lived where possible",
    "release": "what may leave: tables that passed their re-measured guarantee",
    "control": "logs, metrics and evidence, nothing personal",
}


@dataclass(frozen=True)
class Column:
    """A column: its name, its SQL type and what a reader needs to know."""

    name: str
    type: str
    comment: str


@dataclass(frozen=True)
class Personal:
    """How a person's rows are found in a table, so that they can be shown and erased.

    column: the column holds the person's id. json: the column holds rows as JSON, with the source's own person column.
    sources: the person columns are those of the table's source, or stand in `column` as JSON where they are null.
    remade: rows of people without an id; the whole table is destroyed by an erasure and the next run makes it again.
    nobody: no row is about a person.
    """

    how: Literal["column", "json", "sources", "remade", "nobody"]
    column: str = ""


OF_SOURCES, REMADE, NOBODY = Personal("sources"), Personal("remade"), Personal("nobody")


@dataclass(frozen=True)
class TableRef:
    """One table of one lake: a zone and a name."""

    zone: Zone
    name: str

    def __str__(self) -> str:
        return f"{self.zone}.{self.name}"


@dataclass(frozen=True)
class Table:
    """A declared table: where it lives, what it promises and its columns; `more` says which the policy adds.

    `personal` says how people are found in it; every table of the zones raw, clean and restricted must say so.
    """

    zone: Zone
    pattern: str
    promise: str
    columns: tuple[Column, ...]
    more: str = ""
    personal: Personal | None = None

    @property
    def ddl(self) -> str:
        """The columns as a SQL schema string."""
        return ", ".join(f"{column.name} {column.type}" for column in self.columns)

    @property
    def names(self) -> list[str]:
        """The columns' names, in order."""
        return [column.name for column in self.columns]

    @property
    def shared(self) -> bool:
        """Whether policies share this table, so that its version moves with other policies' runs."""
        return "{" not in self.pattern

    def of(self, policy: Policy, source: str = "", aggregate: str = "") -> TableRef:
        """This table for one policy (and, where the name asks for one, one source or aggregate)."""
        name = self.pattern.format(
            policy=policy.name, source=source, aggregate=aggregate, table=policy.clean.table, release=policy.anonymize.release
        )
        return TableRef(self.zone, name)

    def all_of(self, policy: Policy) -> list[TableRef]:
        """This table for one policy and all its sources or aggregates."""
        if "{aggregate}" in self.pattern:
            return [self.of(policy, aggregate=name) for name in policy.anonymize.aggregates]
        if "{source}" in self.pattern:
            return [self.of(policy, source) for source in policy.sources]
        return [self.of(policy)]

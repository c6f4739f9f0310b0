"""`anonymize.aggregates`: statistics of groups under differential privacy, in which one person's rows all count as one change."""

from collections.abc import Iterable
from decimal import Decimal
from math import prod
from typing import Annotated, Literal

from pydantic import Field, model_validator

from kveil.settings.base import ColumnName, Epsilon, Identifier, Section
from kveil.settings.budget import Delta
from kveil.settings.group_keys import MOST_CELLS, Level, SpeltGroupKey, SpeltLevel
from kveil.settings.measures import MOST_UNITS, Measure

SpentDelta = Annotated[Delta, Field(gt=0)]
Count = Annotated[int, Field(ge=1, le=10**9)]

MOST_ADDED = 2**50
"""What one person may add to a total, in the column's unit."""

_LEAST_WITH_DELTA = Decimal("0.001")
_RESULT = {"grouped_by", "measure", "item", "value", "standard_error", "lower_95", "upper_95"}


class Contribution(Section):
    """What a person may add and still be counted whole; who has more is scaled down. Public, like every bound."""

    rows: Count | None = None
    groups: Count | None = None
    rows_per_group: Count | None = None


class Selection(Section):
    """What the private choice of unknown groups costs, besides the measures."""

    epsilon: Epsilon
    delta: SpentDelta


class Aggregate(Section):
    """One table of statistics: its groups, its measures and what all measures together cost one person.

    `mechanism: auto` takes discrete Laplace (pure epsilon) or, where delta is given, discrete Gaussian (zCDP) if its error is
    expected to be smaller. `levels` adds totals over the last columns of `group_by`, each level with noise of its own, and makes
    groups and totals add up; every kind but people may have them, since a person who is in two groups counts once in their total.
    """

    group_by: dict[ColumnName, SpeltGroupKey] = Field(default_factory=dict)
    levels: list[SpeltLevel] = Field(default_factory=list)
    measures: dict[Identifier, Measure] = Field(min_length=1)
    epsilon: Epsilon
    delta: SpentDelta | None = None
    mechanism: Literal["auto", "laplace", "gaussian"] = "auto"
    contribution: Contribution
    selection: Selection | None = None

    @property
    def unknown(self) -> list[str]:
        """The columns whose groups are chosen privately."""
        return [name for name, key in self.group_by.items() if key.unknown]

    @property
    def public_cells(self) -> int:
        """The number of combinations of public keys."""
        return self.public_cells_by(self.group_by)

    def public_cells_by(self, columns: Iterable[str]) -> int:
        """The number of combinations of public keys of these columns alone."""
        return prod(len(self.group_by[name].keys) for name in columns if not self.group_by[name].unknown)

    @property
    def ladder(self) -> list[list[str]]:
        """What a level may group by, coarsest first: all unknown columns and the first so many of the public ones."""
        known = [name for name in self.group_by if name not in self.unknown]
        return [[*self.unknown, *known[:count]] for count in range(len(known) + 1)]

    @property
    def all_levels(self) -> list[Level]:
        """The levels, coarsest first; the last is that of the groups themselves."""
        given = {len(level.by): level for level in self.levels}
        finest = Level(by=list(self.group_by))
        return [given[count] for count in sorted(given) if count < len(finest.by)] + [given.get(len(finest.by), finest)]

    @property
    def widest(self) -> "Aggregate":
        """The aggregate with bounds: where they are bought and not yet found, with the outer range."""
        return self.model_copy(update={"measures": {name: role.widest for name, role in self.measures.items()}})

    @property
    def rows_per_person(self) -> int:
        """How many rows of a person count whole, over all groups."""
        limits = self.contribution
        both = limits.groups * limits.rows_per_group if limits.groups and limits.rows_per_group else None
        return min(each for each in (limits.rows, both) if each is not None)

    @property
    def columns(self) -> list[str]:
        """The clean columns that it reads, each once."""
        return list(dict.fromkeys([*self.group_by, *(each.column for each in self.measures.values() if each.column)]))

    @model_validator(mode="after")
    def _what_belongs_together(self) -> "Aggregate":
        if self.mechanism == "gaussian" and self.delta is None:
            raise ValueError("mechanism gaussian needs delta, since it is never free of one")
        if self.delta is not None and self.epsilon < _LEAST_WITH_DELTA:
            raise ValueError(
                f"epsilon: found {self.epsilon}; with delta, which allows discrete Gaussian noise, at least {_LEAST_WITH_DELTA} "
                "is needed; give more, or leave delta out"
            )
        if bool(self.unknown) != (self.selection is not None):
            raise ValueError("unknown group keys and selection, the epsilon and delta of choosing them, belong together")
        limits = self.contribution
        if self.unknown and limits.groups is None:
            raise ValueError("unknown group keys need contribution.groups: in how many of them a person may be counted")
        if limits.rows is None and (limits.groups is None or limits.rows_per_group is None):
            raise ValueError("contribution needs rows, or groups and rows_per_group, else one person could add any amount")
        taken = _RESULT & {name.lower() for name in self.group_by}
        if taken:
            raise ValueError(f"group_by: {', '.join(sorted(taken))} is a column of the result; rename it in clean.derive")
        return self

    @model_validator(mode="after")
    def _levels_nest(self) -> "Aggregate":
        allowed = {frozenset(columns): columns for columns in self.ladder}
        for i, level in enumerate(self.levels):
            if frozenset(level.by) not in allowed or len(set(level.by)) < len(level.by):
                raise ValueError(
                    f"levels.{i}: found [{', '.join(level.by)}]; allowed: {_in_brackets(allowed.values())}, since totals nest "
                    "in the order of group_by, and groups of unknown columns that are not shown belong to no total"
                )
            if any(set(level.by) == set(other.by) for other in self.levels[:i]):
                raise ValueError(f"levels.{i}: [{', '.join(level.by)}] stands twice; remove one")
        people = [name for name, role in self.measures.items() if role.kind == "people"]
        if self.levels and people:
            raise ValueError(
                f"measures.{people[0]}: kind people has no levels, since a person in two groups counts once in their total; "
                "give it an aggregate of its own"
            )
        return self

    @model_validator(mode="after")
    def _within_integers(self) -> "Aggregate":
        rows = self.rows_per_person
        for name, role in self.widest.measures.items():
            if min(rows * role.largest, role.total or MOST_UNITS) > MOST_ADDED or role.largest > MOST_UNITS:
                raise ValueError(
                    f"measures.{name}: its bounds let one person add more than {MOST_ADDED:,} units, beyond which sums might "
                    "not fit 64 bits; give a coarser column or tighter bounds"
                )
        return self

    @model_validator(mode="after")
    def _of_a_size(self) -> "Aggregate":
        entries = self.public_cells * sum(each.items for each in self.widest.measures.values())
        if entries > MOST_CELLS:
            raise ValueError(
                f"its public groups hold {entries:,} numbers; at most {MOST_CELLS:,} are allowed; use fewer or coarser"
            )
        return self


def _in_brackets(lists: Iterable[list[str]]) -> str:
    return ", ".join(f"[{', '.join(each)}]" for each in lists)


def aggregate_problems(aggregates: dict[str, Aggregate], person: str, known: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Key and sentence of every column that the clean table has not, or that is the person."""
    allowed = sorted(known)
    for name, each in aggregates.items():
        asked = {f"group_by.{column}": column for column in each.group_by}
        asked |= {f"measures.{measure}.column": role.column for measure, role in each.measures.items() if role.column}
        for place, column in asked.items():
            key = f"anonymize.aggregates.{name}.{place}"
            if column == person:
                yield key, f"{column!r} is the privacy unit, which no group or measure may show; use kind people to count them"
            elif column not in allowed:
                yield key, f"the clean table has no column {column!r}; allowed: {', '.join(allowed)}"

"""`anonymize`: what is released, which guarantee it must meet and what it may cost."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, model_validator

from kveil.settings.base import Epsilon, Identifier, Section, Share
from kveil.settings.disclosure import Population, Sensitive, Trajectory


class QuasiIdentifier(Section):
    """A column that an outsider may know. It is released as a range, set or single value shared by >= k people.

    number: whole cells of width `step`. date: whole days. ordered: the values of `order`, lowest first.
    category: any text; the values found in the data.
    """

    kind: Literal["number", "date", "ordered", "category"]
    step: Annotated[int, Field(ge=1)] = 1
    order: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _order_where_needed(self) -> "QuasiIdentifier":
        if (self.kind == "ordered") != bool(self.order):
            raise ValueError("order lists the values, lowest first, and belongs to kind: ordered alone")
        if len(set(self.order)) != len(self.order):
            raise ValueError("order names a value twice")
        return self


class RowNoise(Section):
    """Discrete Laplace noise on each value of an integer column, after clamping to public bounds."""

    mechanism: Literal["laplace"] = "laplace"
    lower: int
    upper: int
    epsilon: Epsilon

    @model_validator(mode="after")
    def _bounds_in_order(self) -> "RowNoise":
        if self.lower >= self.upper:
            raise ValueError("lower must be below upper")
        return self


class Budget(Section):
    """What all releases of this policy's table may spend together, counted per value."""

    epsilon: Epsilon


class Anonymize(Section):
    """One release: its columns by role, its models, its limits. Columns without a role are not released.

    `cuts` says how classes are formed: by width (fast) or by loss (tighter ranges, several times the time).
    """

    release: Identifier
    k: Annotated[int, Field(ge=2)]
    cuts: Literal["width", "loss"] = "width"
    partition_by: list[str] = Field(default_factory=list)
    quasi_identifiers: dict[str, QuasiIdentifier] = Field(min_length=1)
    sensitive: dict[str, Sensitive] = Field(default_factory=dict)
    noise: dict[str, RowNoise] = Field(default_factory=dict)
    insensitive: dict[str, str] = Field(default_factory=dict)
    population: Population | None = None
    trajectory: Trajectory | None = None
    suppression_limit: Share = 0.05
    budget: Budget | None = None
    retained_until: date | None = None

    @model_validator(mode="after")
    def _roles_are_exclusive(self) -> "Anonymize":
        roles = [self.partition_by, self.quasi_identifiers, self.sensitive, self.noise, self.insensitive]
        named = [column for role in roles for column in role]
        twice = sorted({column for column in named if named.count(column) > 1})
        if twice:
            raise ValueError(f"each column has one role; named twice: {', '.join(twice)}")
        if self.noise and self.budget is None:
            raise ValueError("noise needs a budget")
        return self

    @model_validator(mode="after")
    def _trajectory_names_what_is_released(self) -> "Anonymize":
        if self.trajectory is None:
            return self
        allowed = [*self.partition_by, *self.quasi_identifiers]
        unknown = [name for name in self.trajectory.points if name not in allowed]
        if unknown:
            raise ValueError(
                f"trajectory.points names {', '.join(unknown)}; allowed, of quasi_identifiers, partition_by: {', '.join(allowed)}"
            )
        confidence = self.trajectory.confidence
        if confidence is not None and confidence.column not in self.sensitive:
            raise ValueError(f"trajectory.confidence.column: found {confidence.column!r}; allowed: a column of sensitive")
        return self

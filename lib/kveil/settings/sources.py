"""`sources` and `consent`: which tables go in, what they must look like, and whose rows may be used."""

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from kveil.settings.base import ColumnName, Identifier, Section, Share

_TYPE = re.compile(r"^(string|boolean|int|bigint|float|double|date|timestamp|decimal\(\d{1,2},\d{1,2}\))$")


def _known_type(value: str) -> str:
    if not _TYPE.match(value):
        raise ValueError("must be string, boolean, int, bigint, float, double, date, timestamp or decimal(p,s)")
    return value


ColumnType = Annotated[str, AfterValidator(_known_type)]


class ColumnContract(Section):
    """One declared column of a source. The short form `name: type` stands for an optional column of that type."""

    type: ColumnType
    required: bool = False
    allowed: list[str] | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_short_form(cls, value: Any) -> Any:
        return {"type": value} if isinstance(value, str) else value


class Source(Section):
    """A table that goes in: where it is, how it is read and which columns it must have."""

    uri: str = Field(min_length=1)
    format: Literal["parquet", "csv", "ecb_rates"] = "parquet"
    options: dict[str, str] = Field(default_factory=dict)
    columns: dict[ColumnName, ColumnContract] = Field(min_length=1)
    quarantine_limit: Share = 0.01


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
    """Whose rows may be used: a person's latest decision for the policy's purpose, at `as_of` (default: the run).

    A registry is a source with the columns person (named as the policy's person), purpose, decision
    (grant, refuse or withdraw) and decided_at (timestamp). A person without a decision has not consented.
    """

    registry: Identifier | None = None
    simulated: SimulatedConsent | None = None
    as_of: datetime | None = None

    @model_validator(mode="after")
    def _one_registry(self) -> "Consent":
        if (self.registry is None) == (self.simulated is None):
            raise ValueError("name either registry (a source) or simulated, not both and not neither")
        return self

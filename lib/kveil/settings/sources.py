"""`sources` and `consent`: which tables go in, what they must look like, and whose rows may be used."""

from datetime import date, datetime
from typing import Literal

from pydantic import Field, model_validator

from kveil.settings.base import ColumnName, Identifier, Section, Share
from kveil.settings.contract import ColumnContract
from kveil.settings.incremental import Incremental


class Source(Section):
    """A table that goes in: where it is, how it is read and which columns it must have.

    `key`: columns that are never null and, together, unique; of rows that are alike in every declared column one stays.
    `mode`: rows that break the contract are set aside, up to quarantine_limit, or fail the run. `new_columns`: what happens
    when the source has columns that the policy does not declare. `incremental`: only what is new is read.
    """

    uri: str = Field(min_length=1)
    format: Literal["parquet", "csv", "ecb_rates", "delta"] = "parquet"
    options: dict[str, str] = Field(default_factory=dict)
    columns: dict[ColumnName, ColumnContract] = Field(min_length=1)
    key: list[ColumnName] = Field(default_factory=list)
    mode: Literal["fail", "quarantine"] = "quarantine"
    quarantine_limit: Share = 0.01
    new_columns: Literal["ignore", "fail"] = "ignore"
    incremental: Incremental | None = None


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

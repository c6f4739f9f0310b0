"""`sources`: which tables go in and what they must look like."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from kveil.settings.base import ColumnName, Section, Share

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

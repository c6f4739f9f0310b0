"""`sources`: which tables go in and what they must look like."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from kveil.settings.base import ColumnName, Section, Share
from kveil.settings.contract import ColumnContract
from kveil.settings.databases import address_fault, query_fault, start_fault
from kveil.settings.formats import OPTIONS, Csv, Format, Jdbc, Limits, RowCount
from kveil.settings.incremental import Incremental
from kveil.settings.secrets import FORMS, Address, sounds_secret, unshown


class Source(Section):
    """A table that goes in: where it is, how it is read and which columns it must have.

    `csv` says how a CSV file is written, `jdbc` what is read of a database, `version` which version of a Delta table (default:
    the current one), `rows` how many rows a delivery has. `options` go to Spark's reader.

    `key`: columns that are never null and, together, unique; of rows that are alike in every declared column one stays.
    `mode`: rows that break the contract are set aside, up to quarantine_limit, or fail the run. `new_columns`: what happens
    when the source has columns that the policy does not declare. `incremental`: only what is new is read. `limits`: how long a
    line of a text file may be, and how large what it unpacks to.
    """

    uri: Address = Field(min_length=1)
    format: Format = "parquet"
    csv: Csv = Csv()
    jdbc: Jdbc | None = None
    version: int | None = Field(default=None, ge=0)
    rows: RowCount | None = None
    options: dict[str, str] = Field(default_factory=dict)
    columns: dict[ColumnName, ColumnContract] = Field(min_length=1)
    key: list[ColumnName] = Field(default_factory=list)
    mode: Literal["fail", "quarantine"] = "quarantine"
    quarantine_limit: Share = 0.01
    new_columns: Literal["ignore", "fail"] = "ignore"
    incremental: Incremental | None = None
    limits: Limits = Limits()

    @field_validator("options", mode="before")
    @classmethod
    def _no_secret_among_options(cls, value: Any) -> Any:
        secret = sorted(name for name in value if sounds_secret(str(name))) if isinstance(value, dict) else []
        if secret:
            raise unshown(f"{', '.join(secret)} would be a literal secret; credentials of a database go to jdbc as {FORMS}")
        return value

    @model_validator(mode="after")
    def _reading_suits_the_format(self) -> "Source":
        if (self.format == "jdbc") != (self.jdbc is not None):
            raise ValueError(f"format jdbc and the section jdbc belong together; found format {self.format}")
        if (self.format == "jdbc") != self.uri.startswith("jdbc:"):
            raise ValueError(
                "a uri that begins with jdbc: and format jdbc belong together, such as jdbc:postgresql://host/database"
            )
        for fault in self._database_faults():
            raise unshown(fault)
        if self.version is not None and self.format != "delta":
            raise ValueError(f"version belongs to format delta; found format {self.format}")
        if self.csv != Csv() and self.format != "csv":
            raise ValueError(f"csv belongs to format csv; found format {self.format}")
        unknown = sorted(set(self.options) - set(OPTIONS[self.format]))
        if unknown:
            allowed = ", ".join(OPTIONS[self.format]) or "none"
            raise ValueError(f"options of format {self.format}: found {', '.join(unknown)}; allowed: {allowed}")
        return self

    def _database_faults(self) -> Iterator[str]:
        if self.jdbc is None:
            return
        query = query_fault(self.uri, self.jdbc.query) if self.jdbc.query is not None else None
        start = self.options.get("sessionInitStatement")
        told = (
            address_fault(self.uri, self.jdbc.driver),
            query and f"jdbc.query {query}",
            start_fault(start) if start is not None else None,
        )
        yield from filter(None, told)

    @model_validator(mode="after")
    def _partitions_use_a_declared_column(self) -> "Source":
        partitions = self.jdbc.partitions if self.jdbc else None
        if partitions is None:
            return self
        declared = self.columns.get(partitions.column)
        if declared is None:
            raise ValueError(f"jdbc.partitions.column: {partitions.column!r} is not declared in columns")
        if not re.match(r"int|bigint|date|decimal\(\d+,0\)", declared.type):
            raise ValueError(
                f"jdbc.partitions.column: {partitions.column!r} is {declared.type}; allowed: a whole number or a date"
            )
        if partitions.lower is not None and isinstance(partitions.lower, date) != (declared.type == "date"):
            raise ValueError(f"jdbc.partitions: lower and upper must be of {partitions.column!r}'s type, {declared.type}")
        return self

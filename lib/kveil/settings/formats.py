"""How a source is read, format by format: what `csv`, `jdbc` and `rows` may say, and which of Spark's options pass."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StrictBool, model_validator

from kveil.settings.base import ColumnName, Section
from kveil.settings.expressions import parsed
from kveil.settings.secrets import Address, SecretReference

Format = Literal["parquet", "csv", "json", "delta", "jdbc", "ecb_rates"]

# Spark knows no windows-1252; the reader makes it out of Latin-1, from which it differs in 32 characters.
_ENCODINGS = {"utf-8": "UTF-8", "latin-1": "ISO-8859-1", "windows-1252": "ISO-8859-1", "utf-16": "UTF-16"}
Encoding = Literal["utf-8", "latin-1", "windows-1252", "utf-16"]

OPTIONS: dict[str, tuple[str, ...]] = {
    "parquet": ("datetimeRebaseMode", "int96RebaseMode"),
    "csv": ("comment", "lineSep", "ignoreLeadingWhiteSpace", "ignoreTrailingWhiteSpace", "maxColumns", "maxCharsPerColumn"),
    "json": ("allowComments", "allowSingleQuotes", "allowUnquotedFieldNames", "allowNonNumericNumbers", "lineSep"),
    "delta": (),
    "jdbc": ("sessionInitStatement", "queryTimeout"),
    "ecb_rates": (),
}
"""The options of Spark's readers that a policy may pass on: those that can neither drop rows unseen nor hold a credential."""


def _one_character(value: str) -> str:
    if len(value) > 1 or value in ("\n", "\r", "\0"):
        raise ValueError("must be one character, or empty for none")
    return value


_Character = Annotated[str, AfterValidator(_one_character)]


class Csv(Section):
    """How a CSV file is written; the defaults are RFC 4180's.

    Inside a quoted field a quote is doubled, or stands after `escape`. Without a header the columns are those that the policy
    declares, in its order. `multiline` lets a quoted field hold line ends. `decimal` and `thousands` say how numbers are written,
    `dates` and `timestamps` how those are (Spark's patterns, such as dd.MM.yyyy); what is written otherwise breaks the contract.
    `nulls` are texts that stand for nothing.
    """

    delimiter: str = Field(default=",", min_length=1, max_length=8)
    quote: _Character = '"'
    escape: _Character | None = None
    encoding: Encoding = "utf-8"
    header: StrictBool = True
    multiline: StrictBool = False
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ".", ",", " ", "'"] = ""
    dates: str | None = Field(default=None, min_length=1)
    timestamps: str | None = Field(default=None, min_length=1)
    nulls: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _marks_differ(self) -> "Csv":
        if self.decimal == self.thousands:
            raise ValueError("decimal and thousands must differ")
        if self.quote and self.quote in self.delimiter:
            raise ValueError("quote must be no part of delimiter")
        return self

    @property
    def charset(self) -> str:
        """The encoding to read in, as the JVM names it."""
        return _ENCODINGS[self.encoding]


class Partitions(Section):
    """How a table is read in parallel: ranges of a whole-number or date column, of equal width between two bounds.

    Bounds only shape the ranges: rows beyond them, and rows without a value, are read too. Left out, they are asked of the
    database by one query.
    """

    column: ColumnName
    count: int = Field(default=8, ge=1, le=256)
    lower: int | date | None = None
    upper: int | date | None = None

    @model_validator(mode="after")
    def _bounds_fit(self) -> "Partitions":
        if (self.lower is None) != (self.upper is None):
            raise ValueError("give both lower and upper, or neither")
        if self.lower is not None and self.upper is not None:
            if type(self.lower) is not type(self.upper):
                raise ValueError("lower and upper must both be whole numbers or both be dates")
            if self.lower >= self.upper:  # type: ignore[operator]
                raise ValueError("lower must be below upper")
        return self


def _condition(value: str) -> str:
    parsed(value, None)
    return value


class Jdbc(Section):
    """A table or query of a database. `where` is a condition of one row in Spark SQL that the database evaluates where it can."""

    table: str | None = Field(default=None, pattern=r"^[\w$]+(\.[\w$]+){0,2}$")
    query: str | None = Field(default=None, min_length=1)
    user: SecretReference | None = None
    password: SecretReference | None = None
    where: Annotated[str, AfterValidator(_condition)] | None = None
    partitions: Partitions | None = None
    fetch_size: int = Field(default=10_000, ge=1, le=1_000_000)
    driver: str | None = Field(default=None, pattern=r"^[\w.$]+$")

    @model_validator(mode="after")
    def _one_relation(self) -> "Jdbc":
        if (self.table is None) == (self.query is None):
            raise ValueError("name either table or query, not both and not neither")
        return self

    @property
    def relation(self) -> str:
        """What stands after FROM: the table, or the query in parentheses under a name."""
        return self.table if self.table is not None else f"({str(self.query).rstrip().rstrip(';')}) kveil_query"


class Limits(Section):
    """What a text file may ask of the memory: megabytes of a line, gigabytes unpacked, times its packed size."""

    line_mb: int = Field(default=16, ge=1, le=512)
    unpacked_gb: int = Field(default=64, ge=1, le=10_000)
    ratio: int = Field(default=100, ge=2, le=10_000)


class RowCount(Section):
    """How many rows a delivery has: at least, at most. The short form `rows: 1000` is exactly that many.

    `control` is a text file whose only number is the count, as many banks deliver beside the data.
    """

    min: int | None = Field(default=None, ge=0)
    max: int | None = Field(default=None, ge=0)
    control: Address | None = Field(default=None, min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _from_short_form(cls, value: Any) -> Any:
        return {"min": value, "max": value} if isinstance(value, int) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _says_something(self) -> "RowCount":
        if (self.control is None) == (self.min is None and self.max is None):
            raise ValueError("give min, max or both, or control alone")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min must not be over max")
        return self

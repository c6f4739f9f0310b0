"""`clean.expect`: what the clean table must be like before anything is made of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from kveil.settings.base import ColumnName, Identifier, Section, Share
from kveil.settings.contract import Bound, Pattern
from kveil.settings.sources import Source


class _Expectation(Section):
    """`tolerance`: the share of rows that may fail. A failure is told (warn), or ends the stage without a clean table (fail)."""

    severity: Literal["warn", "fail"] = "fail"
    tolerance: Share = 0.0

    @property
    def columns(self) -> list[str]:
        """The clean table's columns that it looks at."""
        return []

    @property
    def words(self) -> str:
        """What is expected, for table, log and error."""
        raise NotImplementedError


class _OfColumn(_Expectation):
    column: ColumnName

    @property
    def columns(self) -> list[str]:
        return [self.column]


class NotNull(_OfColumn):
    """Every row has a value."""

    rule: Literal["not_null"]

    @property
    def words(self) -> str:
        return f"{self.column} is never null"


class Unique(_Expectation):
    """No two rows are alike in the columns; rows with null in one of them are not looked at."""

    rule: Literal["unique"]
    by: list[ColumnName] = Field(min_length=1)

    @property
    def columns(self) -> list[str]:
        return self.by

    @property
    def words(self) -> str:
        return f"{', '.join(self.by)} {'is' if len(self.by) == 1 else 'are together'} unique"


class InSet(_OfColumn):
    """Every value is one of `allowed`, as text; null passes."""

    rule: Literal["in_set"]
    allowed: list[str] = Field(min_length=1)

    @property
    def words(self) -> str:
        return f"{self.column} is one of {', '.join(self.allowed)}"


class Between(_OfColumn):
    """Every value lies in [min, max]; null passes, NaN does not."""

    rule: Literal["between"]
    min: Bound | None = None
    max: Bound | None = None

    @model_validator(mode="after")
    def _has_a_bound(self) -> "Between":
        if self.min is None and self.max is None:
            raise ValueError("needs min, max or both")
        return self

    @property
    def words(self) -> str:
        bounds = [f"{word} {bound}" for word, bound in (("at least", self.min), ("at most", self.max)) if bound is not None]
        return f"{self.column} is {' and '.join(bounds)}"


class Matches(_OfColumn):
    """Every value matches the pattern as a whole; null passes."""

    rule: Literal["matches"]
    pattern: Pattern

    @property
    def words(self) -> str:
        return f"{self.column} matches {self.pattern}"


class Referential(_OfColumn):
    """Every value stands in a column of a source, as it was collected; null passes."""

    rule: Literal["referential"]
    source: Identifier
    by: ColumnName

    @property
    def words(self) -> str:
        return f"{self.column} stands in {self.by} of source {self.source}"


class RowCountBetween(_Expectation):
    """The table has from `min` to `max` rows."""

    rule: Literal["row_count_between"]
    min: int = Field(default=0, ge=0)
    max: int | None = Field(default=None, ge=0)

    @property
    def words(self) -> str:
        return f"rows are at least {self.min:,}" + (f" and at most {self.max:,}" if self.max is not None else "")


class Freshness(_OfColumn):
    """The latest day or moment of the column is at most `days` before the run."""

    rule: Literal["freshness"]
    days: int = Field(ge=0)

    @property
    def words(self) -> str:
        return f"the latest {self.column} is at most {self.days} days old"


Expectation = NotNull | Unique | InSet | Between | Matches | Referential | RowCountBetween | Freshness
Expectations = list[Annotated[Expectation, Field(discriminator="rule")]]


def expect_problems(
    expected: Sequence[Expectation], sources: Mapping[str, Source], clean_columns: set[str]
) -> Iterator[tuple[str, str]]:
    """Key and sentence of everything that names what is not there."""
    for i, one in enumerate(expected):
        for name in one.columns:
            if name not in clean_columns:
                allowed = ", ".join(sorted(clean_columns))
                yield f"clean.expect.{i}", f"the clean table has no column {name!r}; allowed: {allowed}"
        if isinstance(one, Referential):
            if one.source not in sources:
                yield (
                    f"clean.expect.{i}.source",
                    f"found {one.source!r}, which is no source; allowed: {', '.join(sorted(sources))}",
                )
            elif one.by not in sources[one.source].columns:
                allowed = ", ".join(sorted(sources[one.source].columns))
                yield f"clean.expect.{i}.by", f"source {one.source!r} declares no column {one.by!r}; allowed: {allowed}"

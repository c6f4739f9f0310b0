"""The groups of an aggregate: which keys of a column are shown, and over which columns groups are added up as well."""

from collections import Counter
from datetime import date, timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool, field_validator, model_validator

from kveil.settings.base import ColumnName, Section

MOST_CELLS = 10**6


class GroupKey(Section):
    """Which groups of a column are shown. Public keys, known without the data, all appear: `values`, or every day, month, quarter
    or year from the one of `first` to that of `last`. `unknown` keys are those of the data that a private choice keeps.
    """

    values: list[Any] = Field(default_factory=list)
    every: Literal["day", "month", "quarter", "year"] | None = None
    first: date | None = None
    last: date | None = None
    unknown: StrictBool = False

    @field_validator("values")
    @classmethod
    def _exact(cls, values: list[Any]) -> list[Any]:
        return public(values)

    @model_validator(mode="after")
    def _one_way(self) -> "GroupKey":
        if [bool(self.values), self.every is not None, self.unknown].count(True) != 1:
            raise ValueError("give public keys as values, or a calendar as every, first and last, or write unknown")
        if (self.every is None) != (self.first is None) or (self.every is None) != (self.last is None):
            raise ValueError("every, first and last belong together: the calendar's public range")
        if self.first is not None and self.last is not None and self.first > self.last:
            raise ValueError("first must not be after last")
        if self.first is not None and self.last is not None and (self.last - self.first).days > MOST_CELLS:
            raise ValueError(f"first and last are more than {MOST_CELLS:,} days apart")
        return self

    @property
    def keys(self) -> list[Any]:
        """The public keys in order: the values, or the first day of each period; none where unknown."""
        if self.first is None or self.last is None or self.every is None:
            return self.values
        days = (self.first + timedelta(days=i) for i in range((self.last - self.first).days + 1))
        return list(dict.fromkeys(period_start(day, self.every) for day in days))


def period_start(day: date, every: str) -> date:
    """The first day of the period that a day lies in."""
    month = {"day": day.month, "month": day.month, "quarter": day.month - (day.month - 1) % 3, "year": 1}[every]
    return day.replace(month=month, day=day.day if every == "day" else 1)


def public(values: list[Any]) -> list[Any]:
    """The same public keys; ValueError where they are not exact, not of one kind, or not distinct."""
    for value in values:
        if value is None:
            raise ValueError("null is no public key, since rows without a value are left out; remove it")
        if not isinstance(value, str | int):
            raise ValueError(f"a public key is a text, a whole number or true and false, not a {type(value).__name__}; change it")
    if len({type(value) for value in values}) > 1:
        raise ValueError("public keys are all of one kind: texts, whole numbers, or true and false")
    twice = [str(value) for value, times in Counter(values).items() if times > 1]
    if twice:
        raise ValueError(f"a public key stands twice: {', '.join(twice)}")
    return values


def _unknown_spelt_out(value: Any) -> Any:
    return {"unknown": True} if value == "unknown" else value


def _columns_spelt_out(value: Any) -> Any:
    return {"by": value} if isinstance(value, list) else value


SpeltGroupKey = Annotated[GroupKey, BeforeValidator(_unknown_spelt_out)]
"""A group key, for which a policy may write just `unknown`."""


class Level(Section):
    """Groups by some of the columns alone, which all others are added up over; `weight` is its part of each measure's loss."""

    by: list[ColumnName]
    weight: Annotated[int, Field(ge=1, le=1000)] = 1


SpeltLevel = Annotated[Level, BeforeValidator(_columns_spelt_out)]
"""A level, for which a policy may write just the list of its columns."""

"""`clean`: how the sources become one table that a release and a model can be made from."""

from typing import Annotated, Literal

from pydantic import Field, StrictBool, model_validator

from kveil.settings.base import Identifier, Section
from kveil.settings.expect import Expectations
from kveil.settings.people import People
from kveil.settings.recipe import Recipe


class RangeRule(Section):
    """Rows whose value lies outside [min, max] are set aside with the reason."""

    source: Identifier
    column: str
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _bounds_in_order(self) -> "RangeRule":
        if self.min is None and self.max is None:
            raise ValueError("needs min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min must not be above max")
        return self


class Join(Section):
    """Columns of another source, found by a shared key. `left` keeps rows that find none."""

    source: Identifier
    by: str
    how: Literal["left", "inner"] = "left"


class Money(Section):
    """Amounts in `currency` become whole minor units (cents) of EUR, at the last known reference rate of their day."""

    columns: dict[str, Identifier] = Field(min_length=1)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    rates: Identifier | None = None

    @model_validator(mode="after")
    def _rates_where_needed(self) -> "Money":
        if self.currency != "EUR" and self.rates is None:
            raise ValueError("needs rates (a source of format ecb_rates) because currency is not EUR")
        return self


class History(Section):
    """What was known about a person before each row: spend, count and recency, from strictly earlier rows."""

    amount: Identifier
    window_days: Annotated[int, Field(ge=1, le=366)] = 28


class Bucket(Section):
    """A few-valued stand-in for a fine-grained column: `count` groups by hash, the same value always in the same group."""

    column: str
    count: Annotated[int, Field(ge=2, le=1000)]
    prefix: str = ""


class Split(Section):
    """Share of people whose rows are only for judging models; a person is never in both parts."""

    holdout: Annotated[float, Field(gt=0, lt=1)] = 0.2


class NearDuplicates(Section):
    """Rows of the base alike in the columns `by` within `seconds` of one before: a payment sent twice. They are set aside."""

    by: list[str] = Field(min_length=1)
    seconds: Annotated[int, Field(ge=0, le=86_400)] = 10


class Clean(Section):
    """How the sources become one table, in this order: recipe, missing, categories, people, duplicates,
    near_duplicates, rules, joins, money, history, derive, expect.

    `recipe`: accepted steps of cleaning, in the file of a path or written here. `keep_old_values`: what the recipe replaced is
    kept in the restricted zone, so that it can be undone.
    """

    table: Identifier
    base: Identifier
    time: str
    recipe: Recipe = Recipe()
    keep_old_values: StrictBool = False
    missing: list[str] = Field(default_factory=list)
    categories: list[str] = Field(default_factory=list)
    people: People | None = None
    near_duplicates: NearDuplicates | None = None
    rules: list[RangeRule] = Field(default_factory=list)
    joins: list[Join] = Field(default_factory=list)
    money: Money | None = None
    history: History | None = None
    buckets: dict[Identifier, Bucket] = Field(default_factory=dict)
    derive: dict[Identifier, str] = Field(default_factory=dict)
    split: Split = Split()
    expect: Expectations = Field(default_factory=list)

    @property
    def sources_joined(self) -> list[str]:
        """The sources whose rows make the table, the base first, each once."""
        return list(dict.fromkeys([self.base, *(join.source for join in self.joins)]))

    @property
    def sent_twice(self) -> NearDuplicates | None:
        """How rows of the base that came twice are known: `near_duplicates`, or the recipe's step that says the same."""
        step = self.recipe.duplicates(self.base)
        return NearDuplicates(by=step.by, seconds=step.seconds) if step else self.near_duplicates

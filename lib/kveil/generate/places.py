"""The lists that everything is drawn from: countries with their names and towns, and what money is spent on. Package data."""

from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

TOWNS, FIRST_NAMES, LAST_NAMES, STREETS, NOUNS = 12, 20, 32, 10, 6
"""How long the lists are, in every country and category."""

Postcodes = tuple[int, int]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Country(_Entry):
    """A country; customers live where `share` is positive."""

    code: Annotated[str, Field(pattern="^[A-Z]{2}$")]
    share: float
    jurisdiction: str
    currency: str
    dial: str = ""
    female: list[str] = []
    male: list[str] = []
    last: Annotated[list[str], Field(min_length=LAST_NAMES, max_length=LAST_NAMES)]
    streets: list[str] = []
    cities: Annotated[list[str], Field(min_length=TOWNS, max_length=TOWNS)]
    postcodes: list[Postcodes] = []


class Category(_Entry):
    """A merchant category: how often, how much (median in EUR and sigma of the logarithm), when, where and what for thieves."""

    name: str
    kind: Literal["card", "cash", "transfer"]
    weight: float
    median: float
    sigma: float
    online: float
    hours: Literal["shop", "day", "evening", "commute", "office"]
    fraud: float
    nouns: Annotated[list[str], Field(min_length=NOUNS, max_length=NOUNS)]


@cache
def countries() -> tuple[Country, ...]:
    """All countries, homes first."""
    return tuple(Country.model_validate(each) for each in _listed("countries.yml"))


@cache
def homes() -> tuple[Country, ...]:
    """The countries where customers live."""
    return tuple(country for country in countries() if country.share > 0)


@cache
def categories() -> tuple[Category, ...]:
    """All categories; rent and salary, which are not drawn, last."""
    return tuple(Category.model_validate(each) for each in _listed("categories.yml"))


def _listed(name: str) -> list[dict[str, object]]:
    found = yaml.safe_load((files("kveil.generate") / "data" / name).read_text(encoding="utf-8"))
    assert isinstance(found, list)  # our own file
    return found

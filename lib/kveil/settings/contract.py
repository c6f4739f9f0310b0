"""What a source's columns must look like: types, and rules that every row keeps or is set aside by."""

import re
from collections.abc import Iterator
from datetime import date, datetime, timezone
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, model_validator

from kveil.settings.base import Section
from kveil.settings.patterns import bounded_pattern

_TYPE = re.compile(r"^(string|boolean|int|bigint|float|double|date|timestamp|decimal\(\d{1,2},\d{1,2}\))$")
_WHOLE = {"int": 2**31, "bigint": 2**63}

Limit = Any
"""An int, Decimal, float, date or datetime, as the column's type says."""


def _known_type(value: str) -> str:
    if not _TYPE.match(value):
        raise ValueError("must be string, boolean, int, bigint, float, double, date, timestamp or decimal(p,s)")
    return value


def _as_written(value: Any) -> Any:
    """A number or date of YAML as text, so that it is cast to the column's type without passing through a float."""
    return str(value) if isinstance(value, int | float | date) and not isinstance(value, bool) else value


ColumnType = Annotated[str, AfterValidator(_known_type)]
Bound = Annotated[str, BeforeValidator(_as_written)]
Pattern = Annotated[str, AfterValidator(bounded_pattern)]


class Length(Section):
    """How many characters a text has, both bounds included."""

    min: int = Field(default=0, ge=0)
    max: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _in_order(self) -> "Length":
        if self.max is not None and self.min > self.max:
            raise ValueError("min must be at most max")
        return self


class ColumnContract(Section):
    """One declared column of a source. The short form `name: type` stands for an optional column of that type.

    `min` and `max` are included; `pattern` must match the whole text; null breaks `required` alone.
    """

    type: ColumnType
    required: StrictBool = False
    allowed: list[str] | None = None
    min: Bound | None = None
    max: Bound | None = None
    pattern: Pattern | None = None
    length: Length | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_short_form(cls, value: Any) -> Any:
        return {"type": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _rules_fit_the_type(self) -> "ColumnContract":
        faults = list(self._faults())
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def limits(self) -> tuple[Limit | None, Limit | None]:
        """Min and max as values of the column's type; a timestamp without a zone is meant as UTC."""
        return _value(self.min, self.type), _value(self.max, self.type)

    def _faults(self) -> Iterator[str]:
        for rule in ("pattern", "length"):
            if getattr(self, rule) is not None and self.type != "string":
                yield f"{rule} is for string columns, and this one is {self.type}"
        for rule in ("min", "max"):
            bound = getattr(self, rule)
            if bound is not None and self.type in ("string", "boolean"):
                yield f"{rule} is for numbers, dates and timestamps, and this column is {self.type}"
            elif bound is not None and _value(bound, self.type) is None:
                yield f"{rule} is no {self.type}"
        low, high = self.limits
        if low is not None and high is not None and low > high:
            yield "min must be at most max"


def _value(bound: str | None, type_: str) -> Any:
    """The bound as a Python value of the column's type; null where it is none."""
    if bound is None or type_ in ("string", "boolean"):
        return None
    try:
        return _of_type(bound, type_)
    except (ValueError, InvalidOperation):
        return None


def _of_type(bound: str, type_: str) -> Limit | None:
    if type_ == "date":
        return date.fromisoformat(bound)
    if type_ == "timestamp":
        moment = datetime.fromisoformat(bound)
        return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    if type_ in _WHOLE:
        return int(bound) if -_WHOLE[type_] <= int(bound) < _WHOLE[type_] else None
    number = Decimal(bound)
    if not number.is_finite():
        return None
    return number if type_.startswith("decimal") else float(number)

"""`anonymize.noise`: local noise on released values, how many rows a person gives, and what repeats a draw."""

from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from kveil.settings.base import Epsilon, Section

_MOST_SCALE = 2**55
_MOST_BOUND = 2**62
_MOST_VALUES = 10_000


def _public(bound: Any) -> Any:
    if isinstance(bound, datetime) or not isinstance(bound, int | float | str | date) or isinstance(bound, bool):
        raise ValueError("a bound is a whole number of the column's unit, or a date")
    if isinstance(bound, str):
        return _date_of(bound)
    if isinstance(bound, float) and not bound.is_integer():
        raise ValueError("a bound is a whole number of the column's unit; write amounts in cents, for example")
    if not isinstance(bound, date) and abs(bound) >= _MOST_BOUND:
        raise ValueError("a bound lies between -2**62 and 2**62, so that value and noise together fit 64 bits")
    return bound if isinstance(bound, date) else int(bound)


def _date_of(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(
            "a bound is a public number or date, written down without looking at the data; bounds taken from the data "
            "(min, max, a percentile, a class's range) void the guarantee and are refused"
        ) from None


def _clamping_alone(after: Any) -> Any:
    if not isinstance(after, bool):
        raise ValueError(
            "true clamps the noisy value to the bounds, which costs nothing; false leaves it; drawing again until a value is in "
            "range is refused, since how often that takes depends on the value"
        )
    return after


Bound = Annotated[int | date, BeforeValidator(_public)]


class RowNoise(Section):
    """Noise on each value of a column, by itself: one value is protected at `epsilon`.

    laplace: a whole number (of the smallest unit) or a date is clamped to the public bounds and gets discrete Laplace noise of
    scale (upper - lower) / epsilon; `clamp_after` clamps once more. randomised_response: a text of the public list `values` is
    kept with probability e^epsilon / (e^epsilon + values - 1) and else replaced by one of the others, each as likely.
    """

    mechanism: Literal["laplace", "randomised_response"] = "laplace"
    epsilon: Epsilon
    lower: Bound | None = None
    upper: Bound | None = None
    clamp_after: Annotated[bool, BeforeValidator(_clamping_alone)] = False
    values: list[str] = Field(default_factory=list, max_length=_MOST_VALUES)

    @property
    def holds(self) -> Literal["number", "date", "text"]:
        """What the column holds."""
        if self.mechanism == "randomised_response":
            return "text"
        return "date" if isinstance(self.lower, date) else "number"

    @property
    def span(self) -> tuple[int, int]:
        """The bounds as whole numbers, of days since 1970 for dates; laplace alone has them."""
        assert self.lower is not None  # the validator's promise
        assert self.upper is not None
        return _whole(self.lower), _whole(self.upper)

    @model_validator(mode="after")
    def _of_its_mechanism(self) -> "RowNoise":
        if self.mechanism == "randomised_response":
            self._check_values()
        else:
            self._check_bounds()
        return self

    def _check_values(self) -> None:
        if self.lower is not None or self.upper is not None or self.clamp_after:
            raise ValueError("lower, upper and clamp_after belong to mechanism laplace; randomised_response has values")
        if len(set(self.values)) < 2 or len(set(self.values)) < len(self.values):
            raise ValueError(
                "values lists the column's public values, at least two and each once; a list taken from the data voids the "
                "guarantee"
            )

    def _check_bounds(self) -> None:
        if self.values:
            raise ValueError("values belong to mechanism randomised_response; laplace has lower and upper")
        if self.lower is None or self.upper is None:
            raise ValueError("laplace needs lower and upper, public bounds written down without looking at the data")
        if isinstance(self.lower, date) != isinstance(self.upper, date):
            raise ValueError("lower and upper are both whole numbers or both dates")
        lower, upper = self.span
        if lower >= upper:
            raise ValueError("lower must be below upper")
        if Fraction(upper - lower) / Fraction(self.epsilon) >= _MOST_SCALE:
            raise ValueError(
                "the noise's scale (upper - lower) / epsilon must be below 2**55; narrow the bounds or raise epsilon"
            )


def _whole(bound: int | date) -> int:
    return (bound - date(1970, 1, 1)).days if isinstance(bound, date) else bound


class Contribution(Section):
    """The most rows that one person gives to a release; the others are suppressed."""

    rows: Annotated[int, Field(ge=1)]


class NoiseKey(Section):
    """A secret by reference: an unchanged row then gets the same draw in every release, so that releases cannot be averaged."""

    env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


def total_epsilon(noise: dict[str, RowNoise]) -> Decimal:
    """Epsilon of one row: the sum over its noisy columns."""
    return sum((role.epsilon for role in noise.values()), Decimal(0))

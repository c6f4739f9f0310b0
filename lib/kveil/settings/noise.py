"""`anonymize.noise`: local noise on released values, how many rows a person gives, and what repeats a draw."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from kveil.settings.base import MOST, ColumnName, Epsilon, Section
from kveil.settings.secrets import SecretReference

_MOST_SCALE = 2**55
_MOST_BOUND = 2**62
_MOST_VALUES = 10_000


def _public(bound: Any) -> Any:
    if isinstance(bound, str):
        bound = _read(bound)
    if isinstance(bound, datetime | bool) or not isinstance(bound, int | float | Decimal | date):
        raise ValueError("a bound is a number on the column's grid, or a date")
    if isinstance(bound, date):
        return bound
    exact = Decimal(str(bound))
    if not exact.is_finite():
        raise ValueError("a bound is a finite number")
    if abs(exact) >= _MOST_BOUND:
        raise ValueError("a bound lies between -2**62 and 2**62, so that value and noise together fit 64 bits")
    return int(exact) if exact == int(exact) else exact


def _read(text: str) -> date | Decimal:
    for kind in (date.fromisoformat, Decimal):
        try:
            return kind(text)
        except (ValueError, ArithmeticError):
            continue
    raise ValueError(
        "a bound is a public number or date, written down without looking at the data; bounds taken from the data "
        "(min, max, a percentile, a class's range) void the guarantee and are refused"
    )


def _clamping_alone(after: Any) -> Any:
    if not isinstance(after, bool):
        raise ValueError(
            "true clamps the noisy value to the bounds, which costs nothing; false leaves it; drawing again until a value is in "
            "range is refused, since how often that takes depends on the value"
        )
    return after


Bound = Annotated[int | Decimal | date, BeforeValidator(_public)]


class RowNoise(Section):
    """Noise on each value of a column, by itself: one value is protected at `epsilon`.

    laplace: a whole number (of the smallest unit) or a date is clamped to the public bounds and gets discrete Laplace noise of
    scale (upper - lower) / epsilon; `clamp_after` clamps once more. With `step`, a number is first lowered to a multiple of
    it and stays one, so that decimals with a declared grid are whole numbers of steps.
    randomised_response: a text of the public list `values` is kept with probability e^epsilon / (e^epsilon + values - 1) and
    else replaced by one of the others, each as likely.
    """

    mechanism: Literal["laplace", "randomised_response"] = "laplace"
    epsilon: Epsilon
    lower: Bound | None = None
    upper: Bound | None = None
    step: Annotated[Decimal, Field(gt=0, le=10**9, decimal_places=9)] = Decimal(1)
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
        """The bounds as whole numbers of steps, or of days since 1970; laplace alone has them."""
        assert self.lower is not None  # the validator's promise
        assert self.upper is not None
        return _whole(self.lower, self.step), _whole(self.upper, self.step)

    @property
    def places(self) -> int:
        """Decimals of the released numbers."""
        exponent = self.step.normalize().as_tuple().exponent
        return max(0, -int(exponent))

    @model_validator(mode="after")
    def _of_its_mechanism(self) -> "RowNoise":
        if self.mechanism == "randomised_response":
            self._check_values()
        else:
            self._check_bounds()
        return self

    def _check_values(self) -> None:
        if self.lower is not None or self.upper is not None or self.clamp_after or self.step != 1:
            raise ValueError("lower, upper, step and clamp_after belong to mechanism laplace; randomised_response has values")
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
        if isinstance(self.lower, date) != isinstance(self.upper, date) or (isinstance(self.lower, date) and self.step != 1):
            raise ValueError("lower and upper are both numbers or both dates, and dates have no step")
        if any(not isinstance(bound, date) and bound % self.step for bound in (self.lower, self.upper)):
            raise ValueError(
                f"lower and upper must be multiples of step, {self.step}; give step as the column's grid, such as 0.01"
            )
        lower, upper = self.span
        if lower >= upper:
            raise ValueError("lower must be below upper")
        units = int(self.step.scaleb(self.places)) if self.holds == "number" else 1
        if units * Fraction(upper - lower) / Fraction(self.epsilon) >= _MOST_SCALE or units * max(-lower, upper) >= _MOST_BOUND:
            raise ValueError(
                "the noise's scale (upper - lower) / epsilon must be below 2**55 of the column's smallest unit; narrow the "
                "bounds or raise epsilon"
            )


def _whole(bound: int | Decimal | date, step: Decimal) -> int:
    return (bound - date(1970, 1, 1)).days if isinstance(bound, date) else int(bound / step)


class Contribution(Section):
    """The most rows that one person gives to a release; the others are suppressed."""

    rows: Annotated[int, Field(ge=1, le=MOST)]


def _by_reference(value: Any) -> Any:
    return f"secret://env/{value['env']}" if isinstance(value, dict) and set(value) == {"env"} else value


def _as_first_written(reference: str) -> Any:
    # The id of a release is a hash of what is dumped: it must not change for policies that name an environment variable.
    kind, _, place = reference.removeprefix("secret://").partition("/")
    return {"env": place} if kind == "env" else reference


NoiseKey = Annotated[SecretReference, BeforeValidator(_by_reference), PlainSerializer(_as_first_written)]
"""A secret by reference (`{env: NAME}` is short for secret://env/NAME): a value that did not change then gets the same draw in
every release, so that releases cannot be averaged."""

NoiseRow = Annotated[list[ColumnName], Field(max_length=16)]
"""Clean columns that name a row, such as [transaction_id]: no two rows agree in all of them, and they need not be released."""


def noise_faults(noise: Mapping[str, RowNoise], row: list[str], key: str | None) -> Iterator[str]:
    """A sentence for each way in which noise, the names of rows and the key contradict each other."""
    if key is not None and not noise:
        yield "noise_key repeats draws of noise, and the release has none; remove it or name columns in noise"
    if row and not noise:
        yield "noise_row names rows for their noise, and the release has none; remove it or name columns in noise"
    if key is not None and noise and not row:
        yield (
            "noise_key needs noise_row, the clean columns that name a row, such as [transaction_id]: only then does a value keep "
            "its draw when another column of its row changes"
        )
    if len(set(row)) < len(row):
        yield "noise_row names a column twice; name each once"
    shaken = ", ".join(name for name in row if name in noise)
    if shaken:
        yield f"noise_row names {shaken}, which gets noise; name columns that stay as they are when a value of the row changes"


def total_epsilon(noise: dict[str, RowNoise]) -> Decimal:
    """Epsilon of one row: the sum over its noisy columns."""
    return sum((role.epsilon for role in noise.values()), Decimal(0))

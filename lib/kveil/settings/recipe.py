"""`clean.recipe`: the steps that make a source's cells right, as a person accepted them; written first by `kveil suggest`."""

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field, StrictBool, field_validator, model_validator

from kveil.settings.base import ColumnName, Identifier, Section, Share
from kveil.settings.yaml_core import UnreadableError, document

_CASTABLE = ("boolean", "bigint", "double", "date", "timestamp")
_DECIMAL = re.compile(r"decimal\((\d{1,2}),(\d{1,2})\)")


def _castable(type_: str) -> str:
    found = _DECIMAL.fullmatch(type_)
    if type_ not in _CASTABLE and not (found and 1 <= int(found[1]) <= 38 and int(found[2]) <= int(found[1])):
        raise ValueError(f"allowed: {', '.join(_CASTABLE)} or decimal(p,s) of up to 38 digits")
    return type_


Accept = StrictBool | Literal["ask"]
DatePattern = Annotated[str, Field(pattern=r"^(y{2}|y{4}|M{1,2}|d{1,2})[-/. ](M{1,2}|d{1,2})[-/. ](y{2}|y{4}|M{1,2}|d{1,2})$")]
"""Year (yyyy, yy), month (M, MM) and day (d, dd) in any order, as Spark writes them."""
Region = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
"""A country as ISO 3166 alpha-2."""
CastType = Annotated[str, AfterValidator(_castable)]


class Evidence(Section):
    """What a suggestion rests on: rows looked at, cells concerned, and examples in which no letter or digit is the true one."""

    rows: int = Field(default=0, ge=0)
    cells: int = Field(default=0, ge=0)
    examples: list[str] = Field(default_factory=list, max_length=3)


class _Step(Section):
    """A step on one column of a source. Only `accept: true` is applied; `ask` waits for an answer."""

    source: Identifier
    column: ColumnName
    accept: Accept = "ask"
    confidence: Share | None = None
    reason: str = ""
    effect: str = ""
    evidence: Evidence = Evidence()

    @property
    def columns(self) -> list[str]:
        """The columns that the step reads, its own first."""
        return [self.column]


class NullTokens(_Step):
    """Words that stand for nothing, whatever their case and the blanks around them, become null."""

    step: Literal["null_tokens"]
    tokens: list[str] = Field(min_length=1)


class Number(_Step):
    """Texts that are a number, perhaps with one of the units, become the plain number: '12.0 oz' is 12. Others stay."""

    step: Literal["number"]
    units: list[str] = Field(default_factory=list)
    decimal: Literal[".", ","] = "."


class Date(_Step):
    """Texts that are a date in one of the patterns (the first that fits) become yyyy-MM-dd; a date out of bounds becomes null.

    Patterns are Spark's; a year of two digits is the latest one that is not after `latest`. `others` are texts that are no
    date in any of them, such as 2023-02-30.
    """

    step: Literal["date"]
    patterns: list[DatePattern] = Field(min_length=1)
    earliest: date | None = None
    latest: date
    others: Literal["keep", "null"] = "keep"

    @field_validator("patterns")
    @classmethod
    def _result_first(cls, patterns: list[str]) -> list[str]:
        # What the step wrote must be read as it was meant when the step is applied again.
        return ["yyyy-MM-dd", *(pattern for pattern in patterns if pattern != "yyyy-MM-dd")]


class Standard(_Step):
    """Texts that a standard knows otherwise become its form: countries ISO 3166 alpha-2, currencies ISO 4217, phones E.164.

    `region`: the country (alpha-2) whose national notations phones have. `meanings`: what a sign or name that stands for several
    means here, such as "$": USD. What is not known, or means several things, stays.
    """

    step: Literal["standard"]
    to: Literal["country", "currency", "phone"]
    region: Region | None = None
    meanings: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _suits_what_it_makes(self) -> "Standard":
        if self.region and self.to != "phone":
            raise ValueError("region belongs to to: phone")
        form = {"country": r"[A-Z]{2}", "currency": r"[A-Z]{3}", "phone": r"\+[1-9]\d{6,14}"}[self.to]
        wrong = sorted(sign for sign, code in self.meanings.items() if not re.fullmatch(form, code))
        if wrong:
            raise ValueError(f"meanings: {', '.join(map(repr, wrong))} must each become a code that looks like {form}")
        return self


class Unusual(_Step):
    """Texts of another shape than these (letters as a, digits as 9, each run once) become null."""

    step: Literal["unusual"]
    shapes: list[str] = Field(min_length=1)


class Outlier(_Step):
    """Numbers outside [min, max] become null."""

    step: Literal["outlier"]
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _bounds_in_order(self) -> "Outlier":
        if self.min is None and self.max is None:
            raise ValueError("needs min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min must not be above max")
        return self


class Merge(_Step):
    """Spellings of one category become its most frequent one. `by`: what else may differ.

    spelling: case, blanks and punctuation; fingerprint: also accents and the order of words; ngram: also where words begin.
    """

    step: Literal["merge"]
    by: Literal["spelling", "fingerprint", "ngram"] = "spelling"


class Repair(_Step):
    """Cells that the rest of the row, and the column's other values, speak against become what they speak for.

    `by`: columns that tell this one. `alone`: whether they may correct a cell that is no misspelling. `shapes`: how values look;
    another look is a sign of an error. `fill`: whether null is filled in.
    """

    step: Literal["repair"]
    by: list[ColumnName] = Field(default_factory=list)
    alone: StrictBool = True
    shapes: list[str] = Field(default_factory=list)
    fill: StrictBool = False

    @property
    def columns(self) -> list[str]:
        return [self.column, *self.by]


class Fill(_Step):
    """Null becomes a value that is written here."""

    step: Literal["fill"]
    value: str


class Cast(_Step):
    """A text column becomes one of another type; what cannot be read exactly as it becomes null. Comes after all passes."""

    step: Literal["cast"]
    to: CastType


class Drop(_Step):
    """The column is left out of the clean table. Comes last, so that other steps may still read it."""

    step: Literal["drop"]


class Duplicates(_Step):
    """Rows of the base alike in the columns `by`, whose time (`column`) is within `seconds` of one before, are set aside.

    It is `clean.near_duplicates` as a step.
    """

    step: Literal["duplicates"]
    by: list[ColumnName] = Field(min_length=1)
    seconds: Annotated[int, Field(ge=0, le=86_400)] = 10

    @property
    def columns(self) -> list[str]:
        return [self.column, *self.by]


Step = NullTokens | Number | Date | Standard | Unusual | Outlier | Merge | Repair | Fill | Cast | Drop | Duplicates


class Recipe(Section):
    """Steps of cleaning. In each pass cells change by kind of step in this order: null_tokens, number, date, standard, unusual,
    outlier, merge, repair, fill, and within a kind as listed; passes follow each other until one changes nothing. Then columns
    get their types (cast) or are left out, and rows that came twice are set aside.
    """

    steps: list[Annotated[Step, Field(discriminator="step")]] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _from_file(cls, value: Any, info: Any) -> Any:
        return _document(value, (info.context or {}).get("folder", Path())) if isinstance(value, str) else value

    def accepted(self, source: str) -> list[Step]:
        """What is to be done with a source, in the order of application."""
        kinds = {kind: place for place, kind in enumerate(get_args(Step))}
        mine = [step for step in self.steps if step.source == source and step.accept is True]
        return sorted(mine, key=lambda step: kinds[type(step)])

    def types(self, source: str) -> dict[str, str]:
        """The columns of a source that get another type, with it."""
        return {step.column: step.to for step in self.accepted(source) if isinstance(step, Cast)}

    def dropped(self, source: str) -> set[str]:
        """The columns of a source that are left out of the clean table."""
        return {step.column for step in self.accepted(source) if isinstance(step, Drop)}

    def duplicates(self, source: str) -> Duplicates | None:
        """How rows of a source that came twice are known, if they are to be set aside."""
        return next((step for step in self.accepted(source) if isinstance(step, Duplicates)), None)


def _document(uri: str, folder: Path) -> Any:
    try:
        found = document(folder / uri)
    except FileNotFoundError:
        raise ValueError("there is no such recipe; paths count from the policy's folder, and kveil suggest writes one") from None
    except (OSError, UnicodeDecodeError, UnreadableError) as error:
        raise ValueError(f"the recipe cannot be read ({type(error).__name__}); give a readable YAML file") from None
    # Whatever else stands there may be anybody's, so no key of it is repeated.
    if not isinstance(found, dict) or set(found) - {"steps"}:
        raise ValueError("the file is no recipe; it must be a mapping whose only key is steps, as kveil suggest writes it")
    return {"steps": found.get("steps") or []}

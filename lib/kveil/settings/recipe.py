"""`clean.recipe`: the steps that make a source's cells right, as a person accepted them; written first by `kveil suggest`."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import Field, field_validator, model_validator

from kveil.settings.base import ColumnName, Identifier, Section, Share
from kveil.settings.sources import Source

Accept = bool | Literal["ask"]
DatePattern = Annotated[str, Field(pattern=r"^(y{2}|y{4}|M{1,2}|d{1,2})[-/. ](M{1,2}|d{1,2})[-/. ](y{2}|y{4}|M{1,2}|d{1,2})$")]
"""Year (yyyy, yy), month (M, MM) and day (d, dd) in any order, as Spark writes them."""


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
    alone: bool = True
    shapes: list[str] = Field(default_factory=list)
    fill: bool = False

    @property
    def columns(self) -> list[str]:
        return [self.column, *self.by]


class Fill(_Step):
    """Null becomes a value that is written here."""

    step: Literal["fill"]
    value: str


Step = NullTokens | Number | Date | Unusual | Outlier | Merge | Repair | Fill
_OF_TEXTS = (NullTokens, Number, Date, Unusual, Merge, Repair)


class Recipe(Section):
    """Steps of cleaning. In each pass cells change by kind of step, in this order: null_tokens, number, date, unusual, outlier,
    merge, repair, fill, and within a kind as listed; passes follow each other until one changes nothing.
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


def recipe_problems(recipe: Recipe, sources: Mapping[str, Source], read: Sequence[str], person: str) -> Iterator[tuple[str, str]]:
    """Key and sentence of every step that the declared columns contradict."""
    for i, step in enumerate(recipe.steps):
        key = f"clean.recipe.steps.{i}"
        if step.source not in sources or step.source not in read:
            yield f"{key}.source", f"found {step.source!r}; allowed: a source that clean reads: {', '.join(sorted(read))}"
            continue
        columns = sources[step.source].columns
        for name in step.columns:
            if name not in columns:
                yield key, f"source {step.source!r} declares no column {name!r}; remove the step or run kveil suggest again"
        if step.column.lower() == person.lower():
            yield (
                f"{key}.column",
                f"{person!r} is the privacy unit, and who is protected is not changed by a recipe; remove the step",
            )
        elif step.column in columns and isinstance(step, _OF_TEXTS) and columns[step.column].type != "string":
            yield f"{key}.column", f"{step.column!r} is {columns[step.column].type}; allowed for {step.step}: a string column"
        elif step.column in columns and isinstance(step, Outlier) and not _numeric(columns[step.column].type):
            yield f"{key}.column", f"{step.column!r} is {columns[step.column].type}; allowed for outlier: a number or a text"
        if isinstance(step, Repair) and step.column in step.by:
            yield f"{key}.by", f"{step.column!r} cannot tell itself; remove it"


def _numeric(type_: str) -> bool:
    return type_.startswith(("decimal", "int", "bigint", "float", "double", "string"))


def _document(uri: str, folder: Path) -> Any:
    try:
        found = yaml.safe_load((folder / uri).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError("there is no such recipe; paths count from the policy's folder, and kveil suggest writes one") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"the recipe cannot be read ({type(error).__name__}); give a readable YAML file") from None
    if not isinstance(found, dict):
        raise ValueError("the recipe holds no steps; it must be a mapping with the key steps")
    return {"steps": found.get("steps") or []} | {key: found[key] for key in set(found) - {"steps"}}

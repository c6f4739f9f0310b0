"""`law`: which regulations hold, for whom, on which basis, and how long rows are kept."""

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationInfo, field_validator, model_validator

from kveil.settings.base import ColumnName, Identifier, Section
from kveil.settings.regulations import PACKAGED, Age, Basis, Days, Regulation, regulation


class Jurisdiction(Section):
    """The column that says under which law a person stands. `map` names the regulation of values that no regulation lists."""

    source: Identifier
    column: ColumnName
    map: dict[str, Identifier] = Field(default_factory=dict)


class BirthDate(Section):
    """The column that tells a person's age; `age` is the one of a member state (Art. 8(1)), where it is lower than the law's."""

    source: Identifier
    column: ColumnName
    age: Age | None = None


class Ground(Section):
    """The legal basis of a use; any other than consent says why it applies. The short form is the basis alone."""

    basis: Basis = "consent"
    because: str = ""

    @model_validator(mode="before")
    @classmethod
    def _from_short_form(cls, value: Any) -> Any:
        return {"basis": value} if isinstance(value, str) else value


class SpecialUse(Section):
    """Why a column of a special category may be used: the exception and its reason; `none` where the column is none."""

    exception: str
    because: str = Field(min_length=1)


class Purposes(Section):
    """What a source was collected for; `compatible` says why the policy's purpose fits, where it is not among them."""

    collected_for: list[Identifier] = Field(min_length=1)
    compatible: str = ""


class Retention(Section):
    """For how many days rows are kept. Their age counts from `by`, a date or timestamp column of each source.

    The base's column is clean.time where `by` names none; a source without a column is kept as long as its file is delivered.
    """

    raw: Days | None = None
    clean: Days | None = None
    by: dict[Identifier, ColumnName] = Field(default_factory=dict)


class Law(Section):
    """The legal side of a policy. Without it the packaged regulations hold, the strictest of them for everybody.

    `regulations` are names of packaged ones or files of one's own; what they hold is part of the policy, so a changed file is
    a changed policy. A person whose jurisdiction is unknown, or who has two, has the strictest rules of all.
    """

    regulations: dict[Identifier, Regulation] = Field(default_factory=dict, min_length=1, validate_default=True)
    jurisdiction: Jurisdiction | None = None
    basis: Ground = Ground()
    bases: dict[Identifier, Ground] = Field(default_factory=dict)
    purposes: dict[Identifier, Purposes] = Field(default_factory=dict)
    birth_date: BirthDate | None = None
    special_categories: dict[ColumnName, SpecialUse] = Field(default_factory=dict)
    retention: Retention = Retention()

    @field_validator("regulations", mode="before")
    @classmethod
    def _read(cls, value: Any, info: ValidationInfo) -> Any:
        """Names and paths as the documents they stand for; what was read before stays."""
        if not value:
            value = list(PACKAGED)
        if not isinstance(value, list):
            return value
        folder = (info.context or {}).get("folder", Path())
        documents = [regulation(str(name), folder) for name in value]
        return {str(document.get("name", name)): document for name, document in zip(value, documents, strict=True)}

    def basis_of(self, source: str) -> Ground:
        """On which basis a source's rows are used."""
        return self.bases.get(source, self.basis)

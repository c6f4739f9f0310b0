"""A regulation as data: what each article asks, what the program does about it, and what stays with a person.

The files in kveil/regulations are written for lawyers and read here; a rule whose `enforced` is set to no has no effect.
"""

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, StrictBool, model_validator

from kveil.settings.base import Identifier, Section
from kveil.settings.yaml_core import UnreadableError, parsed_document

Basis = Literal["consent", "contract", "legal_obligation", "vital_interests", "public_task", "legitimate_interests"]
Told = Literal["purpose", "basis", "categories", "recipients", "retention", "source", "rights"]
Recorded = Literal["controller", "purpose", "people", "categories", "recipients", "retention"]
Age = Annotated[int, Field(ge=1, le=21)]
Days = Annotated[int, Field(ge=1, le=36_600)]

PACKAGED = ("gdpr", "ccpa")
"""The regulations that come with kveil, and that hold for a policy that names none."""


class Rule(Section):
    """One rule: its article, what it asks, and what kveil does (`does`) or a person must do (`person`)."""

    article: str = Field(min_length=1)
    says: str = Field(min_length=1)
    enforced: StrictBool
    does: str = ""
    person: str = ""

    @model_validator(mode="after")
    def _somebody_acts(self) -> "Rule":
        if self.enforced and not self.does:
            raise ValueError("an enforced rule says in `does` what the program does")
        if not self.enforced and not self.person:
            raise ValueError("a rule that is not enforced says in `person` what a person must do")
        return self


class LawfulBasis(Rule):
    """On which bases data may be used."""

    allowed: list[Basis] = Field(min_length=1)


class ConsentRule(Rule):
    """opt_in: a person is used who grants; opt_out: a person is used who does not refuse or withdraw."""

    model: Literal["opt_in", "opt_out"]


class SpecialCategories(Rule):
    """Words in column names that need an exception, and which exceptions there are."""

    words: list[str] = Field(min_length=1)
    exceptions: list[str] = Field(min_length=1)


class Minors(Rule):
    """Ages below which only a grant counts, and below which only a parent's; a policy may lower the latter to `lowest`."""

    parent_below: Age
    opt_in_below: Age | None = None
    lowest: Age | None = None


class RetentionRule(Rule):
    """The longest that a policy may keep rows, where the law names a number."""

    longest_days: Days | None = None


class Deadline(Rule):
    """Within how many days a request is to be done."""

    within_days: Days


class Access(Rule):
    """What a person is told beside the rows that are held."""

    tells: list[Told]


class Records(Rule):
    """What the record of processing holds."""

    holds: list[Recorded]


class Rules(Section):
    """The rules that the program knows how to follow; a regulation that lacks one does not ask for it."""

    lawful_basis: LawfulBasis | None = None
    purpose_limitation: Rule | None = None
    minimisation: Rule | None = None
    consent: ConsentRule | None = None
    special_categories: SpecialCategories | None = None
    minors: Minors | None = None
    retention: RetentionRule | None = None
    erasure: Deadline | None = None
    access: Access | None = None
    records: Records | None = None
    deidentified: Rule | None = None


class Regulation(Section):
    """A law: its rules by name, further duties that are a person's alone, and the jurisdictions (upper case) it holds in."""

    name: Identifier
    title: str
    citation: str
    jurisdictions: list[str] = Field(default_factory=list)
    rules: Rules
    duties: list[Rule] = Field(default_factory=list)

    @model_validator(mode="after")
    def _duties_are_a_persons(self) -> "Regulation":
        if any(duty.enforced for duty in self.duties):
            raise ValueError("duties are what nothing enforces; a rule that the program follows stands in rules under its name")
        return self

    def listed(self) -> Iterator[tuple[str, Rule]]:
        """Every rule with its name, then the duties under the name `duty`."""
        for name in Rules.model_fields:
            rule = getattr(self.rules, name)
            if rule is not None:
                yield name, rule
        yield from (("duty", duty) for duty in self.duties)


R = TypeVar("R", bound=Rule)


def in_force(rule: R | None) -> R | None:
    """The rule where the regulation has it and it is enforced, else None."""
    return rule if rule is not None and rule.enforced else None


def regulation(name: str, folder: Path) -> dict[str, Any]:
    """The document of a regulation: a packaged one by its name, or a YAML file (its path counts from `folder`).

    ValueError with one sentence where there is none.
    """
    if name in PACKAGED:
        text = (resources.files("kveil") / "regulations" / f"{name}.yml").read_text(encoding="utf-8")
    else:
        try:
            text = (folder / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError, ValueError):
            raise ValueError(
                f"{name} is no regulation; allowed: {', '.join(PACKAGED)}, or a YAML file like them, whose path counts from the "
                "policy's folder"
            ) from None
    try:
        document = parsed_document(text)
    except UnreadableError:
        raise ValueError(f"the regulation {name} is no valid YAML; compare it with conf/regulations/gdpr.yml") from None
    if not isinstance(document, dict):
        raise ValueError(f"the regulation {name} holds no rules; compare it with conf/regulations/gdpr.yml")
    return document

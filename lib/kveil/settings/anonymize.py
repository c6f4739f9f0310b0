"""`anonymize`: what is released, which guarantee it must meet and what it may cost."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StrictBool, model_validator

from kveil.settings.aggregates import Aggregate
from kveil.settings.base import MOST, Identifier, Section, Share
from kveil.settings.budget import Budget
from kveil.settings.disclosure import Population, Sensitive, Trajectory
from kveil.settings.hierarchies import Hierarchy, Holds
from kveil.settings.mask import Mask, MaskKeys
from kveil.settings.mask_checks import bought_bounds, mask_faults
from kveil.settings.noise import Contribution, NoiseKey, NoiseRow, RowNoise, noise_faults

Shown = Literal["label", "bounds", "representative"]
Reason = Annotated[str, Field(min_length=12, max_length=500)]
"""Why something is allowed that is refused otherwise, in words that the report repeats."""
ShownColumns = Annotated[list[Shown], Field(min_length=1)]
_ALL: list[Shown] = ["label", "bounds", "representative"]


class QuasiIdentifier(Section):
    """A column that an outsider may know. It is released as a range, set or single value shared by >= k people.

    number: whole cells of width `step`. date: whole days. ordered: the values of `order`, lowest first.
    category: any text; the values found in the data. taxonomy: the nodes of `hierarchy`. `release` says which columns show
    a class: its label (a text), its bounds (numbers and dates) and its representative (mean or mode over people); default is
    `anonymize.release_columns`.
    """

    kind: Literal["number", "date", "ordered", "category", "taxonomy"]
    step: Annotated[int, Field(ge=1, le=MOST)] = 1
    order: list[str] = Field(default_factory=list)
    hierarchy: Hierarchy | None = None
    release: ShownColumns | None = None

    @property
    def has_bounds(self) -> bool:
        """Whether a class has a lowest and a highest value that columns can hold."""
        return self.holds in ("number", "date")

    @model_validator(mode="after")
    def _bounds_where_possible(self) -> "QuasiIdentifier":
        if self.release and "bounds" in self.release and not self.has_bounds:
            raise ValueError(f"release: bounds belong to numbers and dates; kind {self.kind} allows label and representative")
        return self

    @model_validator(mode="after")
    def _order_where_needed(self) -> "QuasiIdentifier":
        if (self.kind == "ordered") != bool(self.order):
            raise ValueError("order lists the values, lowest first, and belongs to kind: ordered alone")
        if len(set(self.order)) != len(self.order):
            raise ValueError("order names a value twice")
        return self

    @model_validator(mode="after")
    def _hierarchy_where_needed(self) -> "QuasiIdentifier":
        if (self.kind == "taxonomy") != (self.hierarchy is not None):
            raise ValueError("hierarchy says how values are generalized, and belongs to kind: taxonomy alone")
        return self

    @property
    def holds(self) -> Holds:
        """What the column holds: numbers and dates have bounds and means, texts have neither."""
        if self.hierarchy is not None:
            return self.hierarchy.holds
        return "number" if self.kind == "number" else "date" if self.kind == "date" else "text"

    @property
    def learned_as(self) -> Literal["number", "date", "ordered", "category"]:
        """The kind of feature that its representatives make."""
        if self.kind != "taxonomy":
            return self.kind
        return "number" if self.holds == "number" else "date" if self.holds == "date" else "category"


class Anonymize(Section):
    """One release: its columns by role, its models, its limits. Columns without a role are not released.

    `algorithm` says how classes are formed: mondrian cuts each region as finely as its people allow; full_domain
    publishes one level of each hierarchy for the whole table (a column without one: its value or the whole domain);
    local_recoding lets classes overlap, which loses least and takes longest. `cuts` says where mondrian cuts: by width (fast),
    by loss (tighter ranges, several times the time) or by what tells most of the training label. `suppress` says
    what happens to rows that cannot be made safe: they go (row), or stay without quasi-identifiers and partition (cell) where
    enough of them do so together. With `incremental` a release grows by new slices (values of `partition_by` without the
    split) and leaves the others as they are; `changed` says what to do when rows of a released slice are no longer the same.

    `accepted` names released columns that may show direct identifiers or tell people apart (a column of `sensitive` or
    `insensitive` that is unique, or nearly, per person), each with the reason, which the report shows.
    """

    release: Identifier
    k: Annotated[int, Field(ge=2, le=MOST)]
    algorithm: Literal["mondrian", "local_recoding", "full_domain"] = "mondrian"
    cuts: Literal["width", "loss", "label"] = "width"
    partition_by: list[str] = Field(default_factory=list)
    quasi_identifiers: dict[str, QuasiIdentifier] = Field(min_length=1)
    sensitive: dict[str, Sensitive] = Field(default_factory=dict)
    noise: dict[str, RowNoise] = Field(default_factory=dict)
    noise_row: NoiseRow = Field(default_factory=list)
    noise_key: NoiseKey | None = None
    contribution: Contribution | None = None
    aggregates: dict[Identifier, Aggregate] = Field(default_factory=dict)
    mask: dict[str, Mask] = Field(default_factory=dict)
    mask_keys: MaskKeys = Field(default_factory=dict)
    insensitive: dict[str, str] = Field(default_factory=dict)
    accepted: dict[str, Reason] = Field(default_factory=dict)
    release_columns: ShownColumns = _ALL
    suppress: Literal["row", "cell"] = "row"
    composition: Literal["refuse", "suppress", "accept"] = "suppress"
    composition_reason: Reason | None = None
    recipients_apart: bool = False
    replaced: Literal["destroy", "keep"] = "destroy"
    population: Population | None = None
    trajectory: Trajectory | None = None
    suppression_limit: Share = 0.05
    incremental: StrictBool = False
    changed: Literal["refuse", "keep"] = "refuse"
    budget: Budget | None = None
    retained_until: date | None = None

    @model_validator(mode="after")
    def _roles_are_exclusive(self) -> "Anonymize":
        named = self.role_columns
        twice = sorted({column for column in named if named.count(column) > 1})
        if twice:
            raise ValueError(f"each column has one role; named twice: {', '.join(twice)}")
        unknown = sorted(set(self.accepted) - set(named))
        if unknown:
            raise ValueError(f"accepted names {', '.join(unknown)}; allowed: {', '.join(named)}, which the release shows")
        for name in ("noise", "aggregates"):
            if getattr(self, name) and self.budget is None:
                raise ValueError(f"{name} needs a budget")
        if self.incremental and not self.slice_columns:
            raise ValueError(
                "incremental needs a column of partition_by besides split, such as month, that tells new rows from old"
            )
        return self

    @model_validator(mode="after")
    def _noise_and_masks_have_their_keys(self) -> "Anonymize":
        faults = [*noise_faults(self.noise, self.noise_row, self.noise_key), *mask_faults(self.mask, self.mask_keys)]
        bought = ", ".join(bought_bounds(self.mask))
        if bought and self.budget is None:
            faults.append(f"mask buys bounds for {bought} and needs a budget")
        if bought and self.incremental:
            faults.append(
                f"mask buys bounds for {bought}, which an incremental release would buy again for every slice; give public lower "
                "and upper, such as those that one release bought"
            )
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @model_validator(mode="after")
    def _composition_is_accepted_with_a_reason(self) -> "Anonymize":
        if (self.composition == "accept") != (self.composition_reason is not None):
            there = "with" if self.composition_reason else "without"
            raise ValueError(
                f"composition: found {self.composition} {there} composition_reason; accept needs a reason, which the report "
                "prints, and refuse and suppress have none"
            )
        return self

    @model_validator(mode="after")
    def _models_suit_the_algorithm(self) -> "Anonymize":
        if self.population is not None and self.algorithm != "mondrian":
            raise ValueError(f"population is kept by algorithm mondrian alone; found {self.algorithm}; change one of them")
        return self

    @model_validator(mode="after")
    def _something_is_shown(self) -> "Anonymize":
        for name in self.quasi_identifiers:
            if not self.shown(name):
                raise ValueError(
                    f"quasi_identifiers.{name}: release_columns names bounds alone, which a text has not; "
                    "give the column release: [label], [representative] or both"
                )
        return self

    @model_validator(mode="after")
    def _trajectory_names_what_is_released(self) -> "Anonymize":
        if self.trajectory is None:
            return self
        allowed = [*self.partition_by, *self.quasi_identifiers]
        unknown = [name for name in self.trajectory.points if name not in allowed]
        if unknown:
            raise ValueError(
                f"trajectory.points names {', '.join(unknown)}; allowed, of quasi_identifiers, partition_by: {', '.join(allowed)}"
            )
        confidence = self.trajectory.confidence
        if confidence is not None and confidence.column not in self.sensitive:
            raise ValueError(f"trajectory.confidence.column: found {confidence.column!r}; allowed: a column of sensitive")
        return self

    @property
    def role_columns(self) -> list[str]:
        """The clean columns that the release reads, each by its role."""
        roles = [self.partition_by, self.quasi_identifiers, self.sensitive, self.noise, self.mask, self.insensitive]
        return [column for role in roles for column in role]

    @property
    def slice_columns(self) -> list[str]:
        """The partition columns without the split: rows that agree in them are released, and paid for, together."""
        return [name for name in self.partition_by if name != "split"]

    def shown(self, name: str) -> list[Shown]:
        """How a quasi-identifier's classes are shown, in the order label, bounds, representative."""
        role = self.quasi_identifiers[name]
        asked = self.release_columns if role.release is None else role.release
        return [each for each in _ALL if each in asked and (each != "bounds" or role.has_bounds)]

    def released_columns(self, name: str) -> list[str]:
        """The release's columns of one quasi-identifier."""
        columns = {"label": [name], "bounds": [f"{name}_lo", f"{name}_hi"], "representative": [f"{name}_rep"]}
        return [column for shown in self.shown(name) for column in columns[shown]]

    def class_columns(self) -> list[str]:
        """The columns that rows of one equivalence class share: everything that an outsider may match."""
        return [*self.partition_by, *(column for name in self.quasi_identifiers for column in self.released_columns(name))]

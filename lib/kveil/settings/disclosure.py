"""Parts of `anonymize`: what nobody should learn about a person; what outsiders may know of the population and of histories."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from kveil.settings.base import MOST, Identifier, Section, Share


def leaves(tree: dict[str, Any] | list[str]) -> Iterator[str]:
    """The values at the ends of a nested mapping of node to children or list of leaves, in their order."""
    if isinstance(tree, list):
        yield from tree
    else:
        for children in tree.values():
            yield from leaves(children)


def _a_tree(tree: dict[str, Any]) -> dict[str, Any]:
    _check_children(tree)
    values = list(leaves(tree))
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"each value is the leaf of one node; named twice: {', '.join(twice)}")
    return tree


def _check_children(children: Any) -> None:
    if isinstance(children, list) and children and all(isinstance(leaf, str) for leaf in children):
        return
    if not isinstance(children, dict) or not children or not all(isinstance(node, str) for node in children):
        raise ValueError(
            "each node holds either nodes or a list of values, all of them texts (quote numbers, yes and no), none empty"
        )
    for below in children.values():
        _check_children(below)


Tree = Annotated[dict[str, Any], AfterValidator(_a_tree)]
"""A taxonomy of texts: node -> nodes, or node -> list of values. A single top node is the root; several get one above them."""


class Recursive(Section):
    """Recursive (c, l)-diversity: the most frequent value stays below c times the l-th and all rarer ones together."""

    c: Annotated[float, Field(gt=0)]
    l: Annotated[int, Field(ge=2, le=MOST)]  # noqa: E741 - the name that the literature gives it


class Sensitive(Section):
    """A released column that nobody should learn about a person. Every class meets all of what is given, counted over people.

    distinct: so many values (2 where nothing is asked). entropy: as diverse as so many equally frequent values.
    t: the class's values are at most so far (0 to 1) from the whole table's, values being `distance` apart: equal;
    ordered (numbers and dates by themselves, texts by `order`, lowest first); hierarchical (by `hierarchy`).
    beta: no value's share is more than 1 + beta times its share in the whole table. Null is a value of its own.
    """

    distinct: Annotated[int, Field(ge=1, le=MOST)] = 2
    entropy: Annotated[float, Field(gt=1)] | None = None
    recursive: Recursive | None = None
    t: Annotated[float, Field(gt=0, lt=1)] | None = None
    distance: Literal["equal", "ordered", "hierarchical"] = "equal"
    order: list[str] = Field(default_factory=list)
    hierarchy: Tree | None = None
    beta: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_value_is_enough_beside_another_model(cls, value: Any) -> Any:
        if isinstance(value, dict) and any(value.get(model) is not None for model in ("entropy", "recursive", "t", "beta")):
            return {"distinct": 1, **value}
        return value

    @model_validator(mode="after")
    def _models_fit(self) -> "Sensitive":
        if self.distinct == 1 and not self.has_models:
            raise ValueError("distinct: 1 asks for nothing; give at least 2, or entropy, recursive, t or beta")
        if self.distance != "equal" and self.t is None:
            raise ValueError("distance says how t is measured; give t or remove distance")
        if self.order and self.distance != "ordered":
            raise ValueError("order belongs to distance: ordered alone")
        if len(set(self.order)) != len(self.order):
            raise ValueError("order names a value twice")
        if (self.hierarchy is not None) != (self.distance == "hierarchical"):
            raise ValueError("hierarchy and distance: hierarchical belong together; give both or neither")
        return self

    @property
    def has_models(self) -> bool:
        """Whether more is asked than distinct values."""
        return not (self.entropy is None and self.recursive is None and self.t is None and self.beta is None)

    @property
    def compares(self) -> bool:
        """Whether classes are compared with the whole table."""
        return self.t is not None or self.beta is not None


class Population(Section):
    """The people that a released person could be taken for: a declared source with the quasi-identifiers, one row per person.

    k_map: so many of them fit each class. delta: the least and greatest share of those who fit a class that is in the
    release. `person` is the source's id column; collect keeps only consenting people of a source that has the policy's
    own privacy unit, so a register of others names its id here. A partition column that the source lacks splits nobody.
    """

    source: Identifier
    person: str | None = None
    k_map: Annotated[int, Field(ge=2, le=MOST)] | None = None
    delta: tuple[Share, Share] | None = None

    @model_validator(mode="after")
    def _something_is_asked(self) -> "Population":
        if self.k_map is None and self.delta is None:
            raise ValueError("give k_map, delta or both")
        if self.delta is not None and (self.delta[0] > self.delta[1] or self.delta == (0, 1)):
            raise ValueError("delta is [least, greatest], in this order, and [0, 1] asks for nothing")
        return self


class Confidence(Section):
    """The greatest share of people with the same known points who hold the same value of a sensitive column (LKC-privacy)."""

    column: str
    share: Annotated[float, Field(gt=0, lt=1)]


class Trajectory(Section):
    """What someone who knows up to `known` points of a person's history may find: k people or nobody (k^m-anonymity).

    A point is a released row's values of the columns `points`. `k` is the release's where it is not given.
    """

    points: list[str] = Field(min_length=1)
    known: Annotated[int, Field(ge=1, le=3)]
    k: Annotated[int, Field(ge=2, le=MOST)] | None = None
    confidence: Confidence | None = None

    @model_validator(mode="after")
    def _each_point_column_once(self) -> "Trajectory":
        if len(set(self.points)) != len(self.points):
            raise ValueError("points names a column twice")
        return self

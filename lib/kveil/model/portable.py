"""Trained models as numpy arrays: probabilities without Spark, equal to MLlib's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]


class PortableModel(Protocol):
    """A trained two-class model."""

    def probability(self, matrix: Floats) -> Floats:
        """Probability of label 1, float64 [n], of a float64 matrix [n, d]."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON values."""
        ...


def model_from_dict(document: Mapping[str, Any]) -> PortableModel:
    """The model that `to_dict` gave; ValueError for a kind that this version does not know."""
    kinds: dict[str, type[LinearModel] | type[TreeEnsemble]] = {"linear": LinearModel, "trees": TreeEnsemble}
    if document.get("kind") not in kinds:
        raise ValueError(f"unknown kind of model; allowed: {', '.join(kinds)}")
    return kinds[document["kind"]].from_dict(document)


@dataclass(frozen=True)
class LinearModel:
    """Logistic regression: coefficients [d] and intercept in the features' own units."""

    coefficients: Floats
    intercept: float

    def probability(self, matrix: Floats) -> Floats:
        """1 / (1 + exp(-(x.w + b))), float64 [n]."""
        return _logistic(matrix @ self.coefficients + self.intercept)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON values."""
        return {"kind": "linear", "coefficients": self.coefficients.tolist(), "intercept": self.intercept}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "LinearModel":
        """The model that `to_dict` gave."""
        return cls(np.array(document["coefficients"], dtype=np.float64), float(document["intercept"]))


@dataclass(frozen=True)
class TreeEnsemble:
    """Boosted regression trees, all nodes in common arrays; `roots` [trees] says where each tree starts.

    A node sends a row left iff its `feature` is <= its `threshold`. A leaf has itself as both children, so that a walk of
    `depth` steps ends at a leaf whatever the tree's shape.
    """

    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    value: Floats
    roots: Ints
    weights: Floats
    depth: int

    def probability(self, matrix: Floats) -> Floats:
        """1 / (1 + exp(-2 * sum of weighted leaves)), float64 [n]: MLlib's probability under its logistic loss."""
        rows = np.arange(len(matrix))
        margin = np.zeros(len(matrix))
        for root, weight in zip(self.roots, self.weights, strict=True):
            node = np.full(len(matrix), root, dtype=np.int32)
            for _ in range(self.depth):
                goes_left = matrix[rows, self.feature[node]] <= self.threshold[node]
                node = np.where(goes_left, self.left[node], self.right[node])
            margin += weight * self.value[node]
        return _logistic(2 * margin)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON values."""
        arrays = ("feature", "threshold", "left", "right", "value", "roots", "weights")
        return {"kind": "trees", "depth": self.depth, **{name: getattr(self, name).tolist() for name in arrays}}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "TreeEnsemble":
        """The model that `to_dict` gave."""

        def ints(name: str) -> Ints:
            return np.array(document[name], dtype=np.int32)

        def floats(name: str) -> Floats:
            return np.array(document[name], dtype=np.float64)

        return cls(
            feature=ints("feature"),
            threshold=floats("threshold"),
            left=ints("left"),
            right=ints("right"),
            value=floats("value"),
            roots=ints("roots"),
            weights=floats("weights"),
            depth=int(document["depth"]),
        )


def _logistic(margin: Floats) -> Floats:
    """1 / (1 + exp(-margin)) without overflow, by way of the hyperbolic tangent."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * margin)), dtype=np.float64)

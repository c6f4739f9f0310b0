"""`train`, `evaluate`, `deploy`: what is learned, how it is judged and what it must reach to be used."""

from typing import Annotated

from pydantic import Field, model_validator

from kveil.settings.base import Identifier, Section, Share


class LogisticRegression(Section):
    """MLlib's logistic regression."""

    regularization: Annotated[float, Field(ge=0)] = 0.0001
    iterations: Annotated[int, Field(ge=1, le=1000)] = 50


class GradientBoostedTrees(Section):
    """MLlib's gradient-boosted trees."""

    trees: Annotated[int, Field(ge=1, le=500)] = 20
    depth: Annotated[int, Field(ge=1, le=10)] = 5
    subsample: Annotated[float, Field(gt=0, le=1)] = 1.0


class Train(Section):
    """A two-valued label and the released columns that it is learned from, by every model named."""

    label: str
    features: list[str] = Field(min_length=1)
    logistic_regression: LogisticRegression | None = None
    gradient_boosted_trees: GradientBoostedTrees | None = None
    seed: int = 7

    @model_validator(mode="after")
    def _something_to_train(self) -> "Train":
        if self.logistic_regression is None and self.gradient_boosted_trees is None:
            raise ValueError("names no model: logistic_regression, gradient_boosted_trees or both")
        if self.label in self.features:
            raise ValueError("the label is among the features")
        return self


class Evaluate(Section):
    """How scores become decisions: a row is called positive from this score on."""

    threshold: Share = 0.5


class Gate(Section):
    """What a model and its release must reach before the model is registered."""

    min_auc: Share = 0.5
    max_auc_loss: Share = 0.05
    max_prosecutor_risk: Share = 0.1


class Deploy(Section):
    """The name a passing model is registered under, and the gate before it."""

    model: Identifier
    gate: Gate = Gate()


class Report(Section):
    """What the report says of itself."""

    title: str = "Privacy and utility report"
    contact: str = ""

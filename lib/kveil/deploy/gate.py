"""The gate: pure decisions from measured utility and privacy. What was not measured is not met."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kveil.settings import Policy

Rows = Iterable[Mapping[str, Any]]


@dataclass(frozen=True)
class Check:
    """One threshold of the policy against one measurement (None: not measured). `at_least` tells which way it binds."""

    name: str
    key: str
    measured: float | None
    threshold: float
    at_least: bool

    @property
    def met(self) -> bool:
        """Whether the measurement is there and on the right side of the threshold, which itself is allowed."""
        if self.measured is None or math.isnan(self.measured):
            return False
        return self.measured >= self.threshold if self.at_least else self.measured <= self.threshold

    @property
    def sentence(self) -> str:
        """What was measured and what is demanded."""
        found = "was not measured" if self.measured is None else f"is {self.measured:.6g}"
        return f"{self.key} {found} where {'at least' if self.at_least else 'at most'} {self.threshold:.6g} is demanded"


@dataclass(frozen=True)
class Decision:
    """The best algorithm trained on the release (None when none was measured) and every check of it."""

    algorithm: str | None
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check is met."""
        return all(check.met for check in self.checks)

    def refusal(self, model: str) -> str:
        """One sentence for a person; empty when the gate passed."""
        failed = "; ".join(check.sentence for check in self.checks if not check.met)
        return f"deploy: {model} was not registered because {failed}" if failed else ""


def decision(policy: Policy, utility: Rows, privacy: Rows) -> Decision:
    """The gate's decision from the current release's rows of the two metric tables.

    The best algorithm is the one with the highest AUC-ROC among models trained on the release, on generalized rows: what
    serving will see. Its loss is against the baseline of the same algorithm on clean rows. Privacy figures are those
    measured on staging, where people are known; of several the worst counts.
    """
    gate = policy.deploy.gate
    scores = _auc_scores(utility)
    served = {key[0]: value for key, value in scores.items() if key[1:] == ("release", "generalized")}
    best = max(sorted(served), key=lambda name: served[name], default=None)
    auc = served[best] if best is not None else None
    baseline = scores.get((best, "baseline", "clean")) if best is not None else None
    # Rounded beyond any meaning, so that 0.80 - 0.75 is 0.05 and not a hair more.
    loss = round(baseline - auc, 12) if auc is not None and baseline is not None else None
    people = list(privacy)
    checks = (
        Check("min_auc", "deploy.gate.min_auc: auc_roc of the best model", auc, gate.min_auc, True),
        Check("max_auc_loss", "deploy.gate.max_auc_loss: auc_roc lost against the baseline", loss, gate.max_auc_loss, False),
        Check(
            "max_prosecutor_risk",
            "deploy.gate.max_prosecutor_risk: the highest prosecutor risk",
            _worst(people, "prosecutor_risk_max", max),
            gate.max_prosecutor_risk,
            False,
        ),
        Check(
            "k",
            "anonymize.k: people in the smallest class",
            _worst(people, "class_people_min", min),
            float(policy.anonymize.k),
            True,
        ),
    )
    return Decision(best, checks)


def _auc_scores(utility: Rows) -> dict[tuple[str, str, str], float]:
    return {
        (row["algorithm"], row["trained_on"], row["view"]): row["value"]
        for row in utility
        if row["metric"] == "auc_roc" and row["value"] is not None and not math.isnan(row["value"])
    }


def _worst(privacy: Rows, metric: str, choose: Callable[[list[float]], float]) -> float | None:
    values = [row["value"] for row in privacy if row["measured_on"] == "staging" and row["metric"] == metric]
    if not values or any(value is None or math.isnan(value) for value in values):
        return None
    return choose(values)

"""One measured number of a release, as privacy_metrics keeps it."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Metric:
    """One measured number; `met` is None where the policy sets no threshold."""

    name: str
    value: float
    scope: str = ""
    threshold: float | None = None
    met: bool | None = None

    def row(self, release_id: str) -> dict[str, Any]:
        """As a row of privacy_metrics."""
        return {
            "release_id": release_id, "measured_on": "staging", "metric": self.name, "scope": self.scope,
            "value": float(self.value), "threshold": self.threshold, "met": self.met,
        }  # fmt: skip

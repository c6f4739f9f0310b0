"""One aggregate to be published: what the policy asks, what it is made of, and the release that it is."""

from dataclasses import dataclass, replace

from kveil.anonymize.aggregates.design import Design, design
from kveil.settings.aggregates import Aggregate


@dataclass(frozen=True)
class Request:
    """`release_id` is the same for the same rows under the same settings."""

    name: str
    asked: Aggregate
    design: Design
    release_id: str

    @classmethod
    def of(cls, name: str, asked: Aggregate, release_id: str) -> "Request":
        """The request with its design."""
        return cls(name, asked, design(asked), release_id)

    def within(self, found: dict[str, tuple[int, int]]) -> "Request":
        """The request with the bounds that were found for some of its measures.

        The mechanism stays, since what is booked may not depend on what was found.
        """
        measures = {name: role.within(*found[name]) if name in found else role for name, role in self.asked.measures.items()}
        asked = self.asked.model_copy(update={"measures": measures})
        under = design(asked.model_copy(update={"mechanism": self.design.mechanism}))
        return replace(self, asked=asked, design=replace(under, reason=self.design.reason))

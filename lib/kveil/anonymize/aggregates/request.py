"""One aggregate to be published: what the policy asks, what it is made of, and the release that it is."""

from dataclasses import dataclass

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

"""What was decided about suggestions before, and what that says of the next ones like them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kveil.settings.recipe import Cast, Merge, Standard, Step

SURE = 0.75
"""From this confidence on a step is written as accepted; a person may still refuse it. Below it waits for an answer."""
_STRENGTH = 4.0
"""How many decisions the confidence that the data gives is worth."""

Kind = tuple[str, str]
"""What makes steps alike: the kind of step, and its way (a merge's key, a cast's or standard's result) where it has several."""


@dataclass(frozen=True)
class Decision:
    """Whether a step on a source's column was accepted."""

    source: str
    column: str
    kind: Kind
    accepted: bool


def kind_of(step: Step) -> Kind:
    """The kind of a step."""
    match step:
        case Merge():
            return step.step, step.by
        case Cast() | Standard():
            return step.step, step.to.partition("(")[0]
        case _:
            return step.step, ""


def weighed(steps: Iterable[Step], decisions: Sequence[Decision]) -> list[Step]:
    """The steps with the confidence that earlier decisions leave them, and `accept` by it.

    Confidence is the mean of a Beta distribution: what the data says counts as much as four decisions, and each decision about a
    step of the same kind counts one. A step that was decided about itself gets that answer again.
    """
    own = {(one.source, one.column, one.kind): one.accepted for one in decisions}
    votes: dict[Kind, list[bool]] = {}
    for one in decisions:
        votes.setdefault(one.kind, []).append(one.accepted)
    return [_weighed(step, own, votes.get(kind_of(step), [])) for step in steps]


def _weighed(step: Step, own: Mapping[tuple[str, str, Kind], bool], votes: Sequence[bool]) -> Step:
    said = step.confidence or 0.0
    confidence = round((_STRENGTH * said + sum(votes)) / (_STRENGTH + len(votes)), 2)
    decided = own.get((step.source, step.column, kind_of(step)))
    if decided is not None:
        word = "accepted" if decided else "refused"
        reason = f"{step.reason}; it was {word} before"
        return step.model_copy(update={"confidence": confidence, "accept": decided, "reason": reason})
    return step.model_copy(update={"confidence": confidence, "accept": True if confidence >= SURE else "ask"})

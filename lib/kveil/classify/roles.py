"""From what a sample told of a column to its role, with reasons and doubts that a person can judge."""

from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["privacy unit", "direct identifier", "quasi-identifier", "sensitive", "insensitive", "free text"]

_OF_HINT: dict[str, Role] = {
    "direct": "direct identifier", "quasi": "quasi-identifier", "sensitive": "sensitive", "insensitive": "insensitive",
    "record": "direct identifier", "text": "free text",
}  # fmt: skip
_MANY = 0.05
_SURE = 0.7


@dataclass(frozen=True)
class Column:
    """A source's column: type, semantic type, role, how sure (0 to 1), why, and what a person should look at.

    `singled_out` is the share of the sample's people whom the column alone tells from all others, `per_person` the share of
    those who have one value of it in all their rows. `proven` says that its values, not its name alone, showed the semantic type.
    """

    name: str
    type: str
    semantic: str
    role: Role
    confidence: float
    why: str
    doubts: list[str] = field(default_factory=list)
    pattern: str = ""
    values: int = 0
    per_person: float = 1.0
    singled_out: float = 0.0
    proven: bool = False

    @property
    def doubtful(self) -> bool:
        """Whether a person should decide."""
        return bool(self.doubts) or self.confidence < _SURE


def column_of(told: dict[str, Any], person: str | None, sets: list[dict[str, Any]]) -> Column:
    """The column with its role. `sets` are those that single people out; a column in one is a quasi-identifier or worse."""
    if told["column"] == person:
        return _made(told, "privacy unit", told["confidence"] if told["role"] == "person" else 0.6, told["evidence"], [])
    inside = [each for each in sets if told["column"] in each["columns"]]
    role, sure, why = _role(told, inside)
    return _made(told, role, sure, why, list(_doubts(told, role, inside)))


def _role(told: dict[str, Any], inside: list[dict[str, Any]]) -> tuple[Role, float, str]:
    hint, sure, why = told["role"], told["confidence"], told["evidence"]
    if hint == "person":
        # Another person's id, or the same under another name, leads to a person as a name does.
        return "direct identifier", sure, why
    if hint in _OF_HINT:
        return _OF_HINT[hint], sure, why
    if told["semantic"] in ("empty", "constant"):
        return "insensitive", sure, why
    if not told["of_people"]:
        return "insensitive", 0.5, why
    if told["related"]:
        other, strength = told["related"]
        return "quasi-identifier", 0.6, f"{why}; it tells of {other} (association {strength})"
    if inside:
        return "quasi-identifier", 0.6, why
    if told["semantic"] == "number":
        return ("quasi-identifier" if told["per_person"] >= 0.95 else "sensitive"), 0.5, why
    if told["semantic"] == "flag" or told["values"] <= 2:
        return "insensitive", 0.5, why
    return "quasi-identifier", 0.5, why


def _doubts(told: dict[str, Any], role: Role, inside: list[dict[str, Any]]) -> Any:
    """Sentences on what does not fit, or what only a person knows."""
    alone = told["singled_out"]
    if role in ("sensitive", "insensitive") and alone > _MANY:
        yield f"it singles out {alone:.0%} of people: a quasi-identifier, if an outsider may know it"
    if role == "quasi-identifier" and told["role"] is None:
        yield "its name tells nothing; may an outsider know it?"
    if role in ("sensitive", "insensitive") and told["role"] is None and told["semantic"] not in ("empty", "constant"):
        yield "its name tells nothing; is it sensitive, or may an outsider know it?"
    if role == "direct identifier" and not told["proven"] and told["role"] == "direct" and alone < 0.2:
        yield f"it is named like an identifier and singles out {alone:.0%} of people"
    if told["rival"]:
        yield f"its days read by {told['pattern']} and by {told['rival']} alike; say which is meant"


def evidence(told: Column, sets: list[dict[str, Any]]) -> str:
    """The reason with the smallest sets that the column is a part of."""
    inside = [each for each in sets if told.name in each["columns"]][:1]
    alone = [f"{_with(each['columns'], told.name)} it singles out {each['share']:.0%} of the sample's people" for each in inside]
    return "; ".join([told.why, *alone])


def _with(columns: list[str], name: str) -> str:
    others = [each for each in columns if each != name]
    return f"with {' and '.join(others)}" if others else "alone"


def _made(told: dict[str, Any], role: Role, sure: float, why: str, doubts: list[str]) -> Column:
    named = (told["column"], told["fits"], told["semantic"])
    measured = (told["pattern"], told["values"], told["per_person"], told["singled_out"], told["proven"])
    return Column(*named, role, sure, why, doubts, *measured)

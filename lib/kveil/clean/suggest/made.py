"""How a suggestion is made: its sentences and its masked examples."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kveil.clean.repair.shapes import mask
from kveil.clean.suggest.look import Look
from kveil.settings.recipe import Evidence

_EXAMPLES = 3


@dataclass(frozen=True)
class Found:
    """What was seen of a column, and what a step would do to how many of its cells; examples are masked."""

    confidence: float
    reason: str
    effect: str
    cells: int
    examples: Iterable[str] = ()


def made(look: Look, column: str, found: Found) -> dict[str, Any]:
    """The part that all steps have; whether it is accepted beforehand is decided by what was decided before."""
    return {
        "source": look.source,
        "column": column,
        "confidence": round(found.confidence, 2),
        "reason": found.reason,
        "effect": found.effect,
        "evidence": Evidence(rows=look.seen(column), cells=found.cells, examples=sorted(set(found.examples))[:_EXAMPLES]),
    }


def changes(others: Mapping[str, str | None]) -> list[str]:
    """Masked examples of values and what becomes of them."""
    return [f"{mask(value)} -> {mask(other)}" for value, other in sorted(others.items())[: 10 * _EXAMPLES]]

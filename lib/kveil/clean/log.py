"""The cleaning log: every rule with the rows before and after it and the cells it changed."""

from collections.abc import Mapping
from typing import Any

from kveil.clean.fate import Trail


class CleaningLog:
    """Entries in the order of application, per source chained: one rule's rows_after is the next one's rows_before."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def add(self, source: str, rule: str, before: int, after: int, cells: int = 0, **more: Any) -> None:
        """One rule; `more` are columns of the log that few rules have."""
        counts = {"rows_before": before, "rows_after": after, "cells_changed": cells}
        self.entries.append({"step": len(self.entries) + 1, "source": source, "rule": rule, **counts, **more})

    def add_removals(self, trail: Trail, counts: Mapping[int | None, int]) -> None:
        """Every removal of a trail, from its counts."""
        before = sum(counts.values())
        for number, removal in enumerate(trail.removals):
            after = before - counts.get(number, 0)
            self.add(trail.source, removal.reason, before, after)
            before = after

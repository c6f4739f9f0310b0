"""What columns that are released as they are tell of people: a key figure, and a sentence for each of them."""

from collections.abc import Iterator
from typing import Any

from kveil.report.words import percent

Fact = dict[str, Any]

_ALONE, _TOGETHER = "value_singled_out_share", "value_class_singled_out_share"


def telling(facts: Fact) -> Iterator[tuple[str, str, str, bool | None]]:
    """Label, value, detail and result of the key figure: the column that tells most; nothing where none was measured."""
    shares = [row for row in facts["privacy"] if row["metric"] == _ALONE]
    if shares:
        worst = max(shares, key=lambda row: row["value"])
        allowed = "accepted with a reason" if worst["threshold"] is None else f"limit: {percent(worst['threshold'])}"
        detail = f"by {worst['scope']}, {allowed}; with their class: {percent(_of(facts, _TOGETHER, worst['scope']))}"
        yield "Singled out by a raw column", percent(worst["value"]), detail, worst["met"]


def told_by_values(facts: Fact) -> Iterator[tuple[bool, str]]:
    """A sentence of evidence per column."""
    for column in facts["asked"]["columns"]:
        name = column["column"]
        alone = _of(facts, _ALONE, name)
        if alone is not None:
            yield (
                True,
                (
                    f"{percent(alone)} of the people hold a value of {name} that is theirs alone; who knows a person's class and "
                    f"value of {name} singles out {percent(_of(facts, _TOGETHER, name))}."
                ),
            )


def _of(facts: Fact, metric: str, scope: str) -> float | None:
    return next((row["value"] for row in facts["privacy"] if row["metric"] == metric and row["scope"] == scope), None)

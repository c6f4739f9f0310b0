"""What follows from the facts of cleaning, in sentences and rows of text: expectations, and people registered several times."""

from collections.abc import Iterator
from typing import Any

from kveil.report.words import number, percent

Fact = dict[str, Any]

_OF_THE_TABLE = ("row_count_between", "freshness")
"""Expectations that a table meets or not; there are no rows of it that do."""


def cleaning_troubles(facts: Fact) -> Iterator[str]:
    """What was expected of the clean table and is not so."""
    unmet = [row["expected"] for row in facts["expectations"] if not row["met"]]
    if unmet:
        yield f"Expected of the clean table and not met: {'; '.join(unmet)}."


def rules(facts: Fact) -> list[Fact]:
    """The cleaning log, where a column's samples, which each of its steps repeats, stand at the first step alone."""
    told: list[Fact] = []
    for rule in facts["cleaning"]:
        column = rule["source"], rule["rule"].rpartition(": ")[2]
        is_first = all(column != (each["source"], each["rule"].rpartition(": ")[2]) for each in told)
        told.append({**rule, "samples": rule["samples"] or [] if is_first else []})
    return told


def expectations(facts: Fact) -> list[Fact]:
    """Each expectation as a row of text: what was expected, what if not, the rows that fail, what is tolerated, met or not."""
    return [
        {
            "expected": row["expected"],
            "severity": "the stage fails" if row["severity"] == "fail" else "a warning",
            "failed": "" if row["rule"] in _OF_THE_TABLE else f"{number(row['failed'])} of {number(row['rows'])}",
            "share": "" if row["rule"] in _OF_THE_TABLE else percent(row["share"]),
            "allowed": "" if row["rule"] in _OF_THE_TABLE else percent(row["allowed"]),
            "met": row["met"],
        }
        for row in sorted(facts["expectations"], key=lambda row: row["place"])
    ]


def people_sentences(facts: Fact) -> Iterator[str]:
    """How many registrations are another's, and why nobody's own pair is shown; nothing where nobody was looked for."""
    found, k = facts["people"], facts["asked"]["k"]
    if not found:
        return
    if not found["people"]:
        yield f"No two registrations belong to one person with a probability of {number(found['threshold'])}."
        return
    others = found["registrations"] - found["people"]
    yield (
        f"{number(others)} registrations repeat another one: {number(found['registrations'])} belong to "
        f"{number(found['people'])} people, linked at a probability of {number(found['threshold'])} or more."
    )
    if not found["waterfalls"]:
        yield f"How they were linked is not shown: that would be averages over fewer than {k} people."
        return
    yield (
        "No single pair is drawn: in which columns two registrations agree, and how rare that is, can point to the person, so "
        f"everything here is a mean or a count of at least {k} people, each counted once by the weakest of their links."
    )

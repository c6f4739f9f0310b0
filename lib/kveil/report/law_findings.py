"""What follows from the facts of law, in sentences: whose rows were used, what is missing, where erasure stops."""

from collections.abc import Iterator
from typing import Any

from kveil.report.words import number

Fact = dict[str, Any]

RECORD = {
    "controller": "Controller, contact",
    "purpose": "Purpose",
    "people": "People concerned",
    "categories": "Categories of data, by column",
    "recipients": "Recipients of releases",
    "retention": "Time limits",
}


def law_troubles(facts: Fact) -> Iterator[str]:
    """What a regulation of the policy asks for and is not there."""
    law = facts["law"]
    if law["erasures"]["late"]:
        yield (
            f"Erasure requests that were not proven within {law['days_to_erase']} days, as the law asks: "
            f"{number(law['erasures']['late'])}; kveil erase finishes those that are pending."
        )
    if law["limits_are_asked"] and not law["limits"]:
        yield "The policy does not say how long raw and clean rows are kept; give law.retention."
    missing = [RECORD[row["item"]].lower() for row in law["record"] if row["value"] is None and row["item"] != "retention"]
    if missing:
        yield f"The record of processing lacks: {', '.join(missing)}."


def law_sentences(facts: Fact) -> Iterator[str]:
    """What was done for the law, each sentence true for these facts."""
    law = facts["law"]
    if law["deidentified"] and facts["release"]:
        yield (
            "Deidentification, first duty: the release was published after its guarantee was measured again, and "
            f"{number(facts['release']['link_files_left'])} files that linked it to people are left; the other two duties are a "
            "person's (see the rules)."
        )
    yield _on_erasure(law["erasures"])
    yield from map(_on_model, law["models"])
    yield from map(_on_retention, law["retained"])
    if not law["not_collected"]:
        yield "Every declared column is used, so every one was collected."


def _on_erasure(done: Fact) -> str:
    stop = "Released tables hold no link to a person, so erasure stops there."
    if not done["requests"]:
        return f"Erasure: nobody asked for it so far. {stop}"
    asked = f"requests: {number(done['requests'])}, people: {number(done['people'])}, rows in all tables: {number(done['rows'])}"
    return f"Erasure: {asked}, not proven yet: {number(done['pending'])}. {stop}"


def _on_model(model: Fact) -> str:
    learned = f"learned from data of people who have been erased since: {number(model['certain'])}"
    possible = f", and perhaps {number(model['possible'])} more" if model["possible"] else ""
    return f"Models {model['algorithms']}, trained on the {model['trained_on']} (of {model['release_id']}), {learned}{possible}."


def _on_retention(table: Fact) -> str:
    deleted = f"{number(table['rows_deleted'])} rows of {table['table']} older than {table['days']} days were deleted so far"
    unknown = f"; {number(table['rows_without_time'])} rows have no age and stay" if table["rows_without_time"] else ""
    return f"Retention: {deleted}{unknown}."

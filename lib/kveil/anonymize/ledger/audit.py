"""The audit: one line per step of an account, each with the hash of the line before it."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from kveil.anonymize.ledger.account import Account, Entry, Step
from kveil.anonymize.ledger.form import charge_form, cost_form, step_form

Line = dict[str, Any]

START = "0" * 64
"""What the first line of an account gives as the hash before it."""


def lines(account: Account) -> Iterator[Line]:
    """The account's audit as its own row tells it, in order, hashes filled in."""
    previous = START
    for step, entry in account.steps:
        line = {**_content(account, entry, step), "previous": previous}
        previous = hash_of(line)
        yield {**line, "hash": previous}


def hash_of(line: Line) -> str:
    """SHA-256, as hexadecimal, of everything that the line says, the hash before it included."""
    content = {key: value for key, value in line.items() if key != "hash" and value is not None}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _content(account: Account, entry: Entry, step: Step) -> Line:
    """What one line says, as plain values; a null says nothing."""
    told = {
        "account": account.name, "release_id": entry.release_id, "request": entry.request, **cost_form(entry.cost),
        "charges": json.dumps([charge_form(charge) for charge in entry.charges], sort_keys=True),
        "slices": list(entry.slices) if entry.slices else None,
        "source_versions": json.dumps(entry.sources, sort_keys=True), **step_form(step),
    }  # fmt: skip
    return {key: value for key, value in told.items() if value is not None}

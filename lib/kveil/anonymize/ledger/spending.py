"""What was spent on the rows, or the people, that a release is about."""

import json
from collections.abc import Sequence
from functools import cache

from kveil.anonymize.ledger.account import Entry
from kveil.anonymize.ledger.charge import NOTHING, Cost


def spent(entries: Sequence[Entry], slices: Sequence[str] = ()) -> Cost:
    """The most that the entries cost any row of the slices; without slices, any row there is.

    A row lies in one slice, so entries of other slices cost it nothing (parallel composition over disjoint rows). An entry
    without slices costs every row. Accounts per person have entries without slices alone, and this is their sum.
    """
    everywhere = sum((entry.cost for entry in entries if not entry.slices), NOTHING)
    sliced = [(entry, {name: _values(name) for name in entry.slices}) for entry in entries if entry.slices]
    asked = slices or sorted({name for _, names in sliced for name in names})
    most = NOTHING
    for name in asked:
        here = sum((entry.cost for entry, names in sliced if name in names or _overlaps(name, names)), NOTHING)
        most = most.or_more(here)
    return everywhere + most


def _overlaps(name: str, others: dict[str, dict[str, object]]) -> bool:
    """Whether rows may lie in the slice and in one of the others: no column that both name has two values.

    Slices by other columns (a month, a region) share rows; so may one whose null is left out of its name.
    """
    mine = _values(name)
    return any(all(mine[key] == value for key, value in other.items() if key in mine) for other in others.values())


@cache
def _values(name: str) -> dict[str, object]:
    values = json.loads(name)
    assert isinstance(values, dict)  # a slice's name is a JSON object
    return values

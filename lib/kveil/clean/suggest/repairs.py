"""Repairs that the table suggests: columns that others tell, and columns with misspellings."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from kveil.clean.repair.dependencies import TELLS, Dependency
from kveil.clean.repair.likeness import Likeness, likeness
from kveil.clean.repair.shapes import shape_counts, usual_shapes
from kveil.clean.suggest.look import Look
from kveil.clean.suggest.made import Found, changes, made
from kveil.clean.suggest.words import is_nothing
from kveil.settings.recipe import Repair

_FILLS, _MOST_NULL = 0.85, 0.25
_CATEGORY = 0.5
_SINGLE = 0.985
"""What one column tells alone must nearly always be so: the income tells most people's segment, and the others are no errors."""


def of_table(look: Look, person: str) -> Iterator[Repair]:
    """One repair per text column in which the rest of the table finds something wrong; never of the privacy unit's.

    Nor is anything told by the privacy unit: what somebody mostly does is a habit, and the one payment that is otherwise is no
    error but what a model of fraud is to see.
    """
    for name in look.texts:
        if name != person:
            by = [one for one in look.dependencies.get(name, []) if one.determinant != person]
            yield from _repair(look, name, by)


def _repair(look: Look, name: str, by: Sequence[Dependency]) -> Iterator[Repair]:
    values = {value: count for value, count in look.values(name).items() if not is_nothing(value)}
    alone = bool(by) and by[0].lift >= TELLS and (len(by) > 1 or by[0].agreement >= _SINGLE)
    slips = likeness(values, 2) if by else likeness(values)
    against = _against(look, name, [one.determinant for one in by])
    cells = max(against if alone else 0, sum(values[value] for value in slips.meant))
    missing = look.seen(name) - sum(values.values())
    could_fill = alone and by[0].lift >= _FILLS and 0 < missing <= _MOST_NULL * look.seen(name)
    # What tells hardly more than chance only guards against corrections; it is no sign of an error.
    if not (alone and against) and not slips.meant and not could_fill:
        return
    found = Found(
        _confidence(by, slips, values, alone),
        _reason(by, slips, against),
        _effect(cells, missing if could_fill else 0),
        cells,
        changes(slips.meant),
    )
    yield Repair(
        step="repair",
        by=[one.determinant for one in by],
        alone=alone,
        shapes=usual_shapes(shape_counts(values)),
        # Nobody knows whether a cell is missing by mistake; a person may say so.
        fill=False,
        **made(look, name, found),
    )


def _against(look: Look, name: str, by: Sequence[str]) -> int:
    """Rows of the sample whose value is not what most rows with the first determinant's value have."""
    if not by:
        return 0
    pairs = look.sample.select([by[0], name]).drop_null()
    told, group = (pairs.column(key).combine_chunks().dictionary_encode().indices.to_numpy() for key in (name, by[0]))
    if not len(told):
        return 0
    _, cell, counts = np.unique(group.astype(np.int64) * (int(told.max()) + 1) + told, return_inverse=True, return_counts=True)
    most = np.zeros(int(group.max()) + 1, dtype=np.int64)
    np.maximum.at(most, group, counts[cell])
    return int((counts[cell] < most[group]).sum())


def _confidence(by: Sequence[Dependency], slips: Likeness, values: Mapping[str, int], alone: bool) -> float:
    """How far the dependency is from chance, or how little chance explains the misspellings; names and texts are less sure."""
    told = by[0].lift if alone else 0.0
    rows = sum(values.values())
    category = 1.0 if len(values) <= _CATEGORY * rows else 0.7
    return max(told, min(0.95, 0.25 + slips.trust) * category if slips.meant else 0.0)


def _reason(by: Sequence[Dependency], slips: Likeness, against: int) -> str:
    told = (
        [f"{', '.join(one.determinant for one in by)} tell it ({by[0].agreement:.0%} of rows alike in the first agree)"]
        if by
        else []
    )
    told += [f"{against:,} cells differ from what most such rows have"] if against else []
    told += [f"{len(slips.meant):,} rare values are near to a frequent one"] if slips.meant else []
    return "; ".join(told)


def _effect(cells: int, missing: int) -> str:
    filled = f"; with fill: true also up to {missing:,} missing ones" if missing else ""
    return f"up to {cells:,} cells become what the signs together speak for{filled}"

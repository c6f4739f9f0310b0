"""Approximate functional dependencies of a sample: which columns tell another one, though some cells are wrong."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

AGREES = 0.8
"""The least agreement of a dependency: chance that two rows alike in the determinant are alike in the dependent."""
TELLS = 0.5
"""The least lift with which a dependency alone may correct a cell."""
MOST_DETERMINANTS = 5
_REPEATED = 0.2
_NEARLY_ALL = 0.9

I64 = NDArray[np.int64]


@dataclass(frozen=True)
class Dependency:
    """`determinant` tells `dependent`.

    agreement: chance, over rows, that another row with the same determinant has the same dependent; unlike the share of a
    group's majority it is not high just because groups are small. lift: how much of the way from chance to certainty that is
    (Goodman and Kruskal's tau, from pairs). rows: share of the rows whose determinant stands in another row.
    """

    determinant: str
    dependent: str
    agreement: float
    lift: float
    rows: float


def dependencies(sample: pa.Table) -> dict[str, list[Dependency]]:
    """For each column its best determinants, at most MOST_DETERMINANTS, the most telling first.

    Columns of one value, and those that nearly tell rows apart, take no part: the former tell nothing, the latter everything.
    """
    columns = {name: codes for name in sample.column_names if (codes := _codes(sample.column(name))) is not None}
    found = {}
    for dependent, told in columns.items():
        base = float(np.square(np.bincount(told[told >= 0]) / max(1, (told >= 0).sum())).sum())
        each = [_dependency(name, by, dependent, told, base) for name, by in columns.items() if name != dependent]
        good = [one for one in each if one is not None and one.agreement >= AGREES]
        found[dependent] = sorted(good, key=lambda one: (-one.lift, one.determinant))[:MOST_DETERMINANTS]
    return {name: by for name, by in found.items() if by}


def _codes(column: pa.ChunkedArray) -> I64 | None:
    """A number per distinct value, -1 for null; None where the column takes no part."""
    encoded = column.combine_chunks().dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    known = int((codes >= 0).sum())
    return codes if known and 2 <= len(encoded.dictionary) <= _NEARLY_ALL * known else None


def _dependency(name: str, by: I64, dependent: str, told: I64, base: float) -> Dependency | None:
    both = (by >= 0) & (told >= 0)
    group, value = by[both], told[both]
    if not len(group) or base >= 1:
        return None
    _, cell, cells = np.unique(group * (value.max() + 1) + value, return_inverse=True, return_counts=True)
    rows, same = np.bincount(group)[group], cells[cell]
    repeated = rows > 1
    share = float(repeated.mean())
    if share < _REPEATED:
        return None
    agreement = float(((same - 1)[repeated] / (rows - 1)[repeated]).mean())
    return Dependency(name, dependent, agreement, (agreement - base) / (1 - base), share)


def telling(found: Mapping[str, list[Dependency]]) -> dict[str, list[Dependency]]:
    """The columns with a dependency that may correct cells by itself."""
    return {name: by for name, by in found.items() if by[0].lift >= TELLS}

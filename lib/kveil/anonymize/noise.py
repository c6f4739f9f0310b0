"""Noise on a table's values, in Python workers: each draw is a function of a secret, the row and the column.

A task that is retried, runs twice or cuts the rows otherwise draws the same noise.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kveil.anonymize.blocks import blocks_of, missing
from kveil.anonymize.grid import off_grid, on_grid
from kveil.privacy.randomised_response import responses
from kveil.privacy.randomness import Bits, KeyedBits, derived_key, fresh_secret
from kveil.privacy.row_keys import row_keys, value_keys
from kveil.privacy.row_laplace import noisy
from kveil.settings.noise import RowNoise

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]

_FIRST_DAY, _LAST_DAY = ((day - date(1970, 1, 1)).days for day in (date.min, date.max))


@dataclass(frozen=True)
class Draws:
    """What draws are made of: a secret, the use it is put to, and the columns that tell a row from others.

    With `named` no two rows agree in the columns `row`, and a value's draw is a function of these and the value alone: it stays
    while the value does, whatever else changes, and rows may lie anywhere. Without it a draw is a function of all columns `row`
    (none stands for all of the table) and of the row's number among equal ones.
    By default the secret is made here and kept nowhere. It is in no text that this object gives of itself.
    """

    row: tuple[str, ...] = ()
    use: tuple[str, ...] = ()
    secret: bytes = field(default_factory=fresh_secret, repr=False)
    named: bool = False

    def noisy(self, table: pa.Table, roles: Mapping[str, RowNoise]) -> dict[str, pa.Array]:
        """The noisy columns of a table; nulls stay null. Unless rows are named it must hold all rows equal to one of its rows."""
        if not roles:
            return {}
        names = self._blocks(table) if self.named else []
        keys = None if self.named else self.row_keys(table)

        def cells(values: I64) -> U64:
            return value_keys(derived_key(self.secret, "named row", *self.use), names, values) if keys is None else keys

        return {name: self._column(table[name], name, role, cells) for name, role in roles.items()}

    def row_keys(self, table: pa.Table) -> U64:
        """A 128-bit name [n, 2] of each row, a function of the secret; the table holds all rows equal to one of its."""
        return row_keys(derived_key(self.secret, "row", *self.use), self._blocks(table))

    def _blocks(self, table: pa.Table) -> list[U64]:
        key = derived_key(self.secret, "text", *self.use)
        return [blocks_of(table[name], key) for name in self.row or table.column_names]

    def _column(self, column: pa.ChunkedArray, name: str, role: RowNoise, cells: Callable[[I64], U64]) -> pa.Array:
        # A scale of its own has a key of its own: one draw at two scales would give the value away.
        key = derived_key(self.secret, "value", *self.use, name, *_law(role))
        values = _codes(column, role)
        bits = KeyedBits(key, cells(values))
        return _chosen(column, values, role, bits) if role.holds == "text" else _shaken(column, values, role, bits)


def _law(role: RowNoise) -> tuple[str | int, ...]:
    epsilon = Fraction(role.epsilon)
    asked = [*role.values] if role.holds == "text" else [*role.span, str(role.step)]
    return role.mechanism, epsilon.numerator, epsilon.denominator, *asked


def _codes(column: pa.ChunkedArray, role: RowNoise) -> I64:
    """The values as the mechanism takes them: clamped, in steps or days, or their places in the public list; 0 for null."""
    if role.holds == "text":
        found = pc.index_in(pc.cast(column, pa.string()), pa.array(role.values, pa.string()))
        if found.null_count != column.null_count:
            raise ValueError("a column of randomised response holds a value that its list does not name")
        return pc.fill_null(found, 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return np.clip(_days(column) if role.holds == "date" else on_grid(column, role), *role.span)


def _shaken(column: pa.ChunkedArray, values: I64, role: RowNoise, bits: Bits) -> pa.Array:
    lower, upper = role.span
    made = noisy(values, lower, upper, Fraction(role.epsilon), bits)
    if role.clamp_after:
        made = np.clip(made, lower, upper)
    if role.holds == "number":
        return off_grid(made, missing(column), role)
    days = np.clip(made, _FIRST_DAY, _LAST_DAY).astype(np.int32)
    return pa.array(days, pa.int32(), mask=missing(column)).cast(pa.date32())


def _days(column: pa.ChunkedArray) -> I64:
    return pc.fill_null(pc.cast(pc.cast(pc.cast(column, pa.date32()), pa.int32()), pa.int64()), 0).to_numpy(zero_copy_only=False)


def _chosen(column: pa.ChunkedArray, codes: I64, role: RowNoise, bits: Bits) -> pa.Array:
    made = responses(codes, len(role.values), Fraction(role.epsilon), bits)
    return pa.array(role.values, pa.string()).take(pa.array(made, mask=missing(column)))

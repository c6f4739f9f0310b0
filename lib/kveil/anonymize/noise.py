"""Noise on a table's values, in Python workers: each draw is a function of a secret, the row and the column.

A task that is retried, runs twice or cuts the rows otherwise draws the same noise.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kveil.anonymize.grid import off_grid, on_grid
from kveil.privacy.randomised_response import responses
from kveil.privacy.randomness import Bits, KeyedBits, derived_key, fresh_secret
from kveil.privacy.row_keys import row_keys
from kveil.privacy.row_laplace import noisy
from kveil.settings.noise import RowNoise

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]

_FIRST_DAY, _LAST_DAY = ((day - date(1970, 1, 1)).days for day in (date.min, date.max))


@dataclass(frozen=True)
class Draws:
    """What draws are made of: a secret, the use it is put to, and the columns that tell a row from others.

    By default the secret is made here and kept nowhere. It is in no text that this object gives of itself.
    """

    row: tuple[str, ...] = ()
    use: tuple[str, ...] = ()
    secret: bytes = field(default_factory=fresh_secret, repr=False)

    def noisy(self, table: pa.Table, roles: Mapping[str, RowNoise]) -> dict[str, pa.Array]:
        """The noisy columns of a table, which must hold all rows that are equal to one of its rows; nulls stay null."""
        if not roles:
            return {}
        keys = self.row_keys(table)
        return {name: self._column(table[name], name, role, keys) for name, role in roles.items()}

    def row_keys(self, table: pa.Table) -> U64:
        """A 128-bit name [n, 2] of each row, a function of the secret; the table holds all rows equal to one of its."""
        key = derived_key(self.secret, "row", *self.use)
        names = self.row or tuple(table.column_names)
        return row_keys(key, [_blocks(table[name], key) for name in names])

    def _column(self, column: pa.ChunkedArray, name: str, role: RowNoise, keys: U64) -> pa.Array:
        # A scale of its own has a key of its own: one draw at two scales would give the value away.
        key = derived_key(self.secret, "value", *self.use, name, *_law(role))
        bits = KeyedBits(key, keys)
        return _chosen(column, role, bits) if role.holds == "text" else _shaken(column, role, bits)


def _law(role: RowNoise) -> tuple[str | int, ...]:
    epsilon = Fraction(role.epsilon)
    asked = [*role.values] if role.holds == "text" else [*role.span, str(role.step)]
    return role.mechanism, epsilon.numerator, epsilon.denominator, *asked


def _shaken(column: pa.ChunkedArray, role: RowNoise, bits: Bits) -> pa.Array:
    missing = _missing(column)
    values = _days(column) if role.holds == "date" else on_grid(column, role)
    lower, upper = role.span
    made = noisy(values, lower, upper, Fraction(role.epsilon), bits)
    if role.clamp_after:
        made = np.clip(made, lower, upper)
    if role.holds == "number":
        return off_grid(made, missing, role)
    days = np.clip(made, _FIRST_DAY, _LAST_DAY).astype(np.int32)
    return pa.array(days, pa.int32(), mask=missing).cast(pa.date32())


def _days(column: pa.ChunkedArray) -> I64:
    return pc.fill_null(pc.cast(pc.cast(pc.cast(column, pa.date32()), pa.int32()), pa.int64()), 0).to_numpy(zero_copy_only=False)


def _chosen(column: pa.ChunkedArray, role: RowNoise, bits: Bits) -> pa.Array:
    missing, values = _missing(column), pa.array(role.values, pa.string())
    found = pc.index_in(pc.cast(column, pa.string()), values)
    if found.null_count != int(missing.sum()):
        raise ValueError("a column of randomised response holds a value that its list does not name")
    codes = pc.fill_null(found, 0).to_numpy(zero_copy_only=False).astype(np.int64)
    made = responses(codes, len(role.values), Fraction(role.epsilon), bits)
    return values.take(pa.array(made, mask=missing))


def _missing(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    return pc.is_null(column).to_numpy(zero_copy_only=False).astype(bool)


def _blocks(column: pa.ChunkedArray, key: bytes) -> U64:
    """Two words per value, equal for equal values and, but for accidents that the key hides, only then."""
    column = column.combine_chunks()
    kind = column.type
    if pa.types.is_date32(kind) or pa.types.is_time32(kind):
        return _numbers(pc.cast(column, pa.int32()))
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_temporal(kind):
        return _numbers(column)
    if pa.types.is_floating(kind):
        doubles = pc.fill_null(pc.cast(column, pa.float64()), 0.0).to_numpy(zero_copy_only=False)
        return np.column_stack([doubles.view(np.uint64), _missing(column).astype(np.uint64)])
    return _texts(column, key)


def _numbers(column: pa.Array) -> U64:
    values = pc.fill_null(pc.cast(column, pa.int64()), 0).to_numpy(zero_copy_only=False)
    return np.column_stack([values.view(np.uint64), _missing(column).astype(np.uint64)])


def _texts(column: pa.Array, key: bytes) -> U64:
    encoded = pc.dictionary_encode(column, null_encoding="encode")
    told = [repr(value).encode() for value in encoded.dictionary.to_pylist()]
    hashes = b"".join(hashlib.blake2b(each, digest_size=16, key=key).digest() for each in told)
    blocks = np.frombuffer(hashes, dtype="<u8").reshape(-1, 2).astype(np.uint64)
    return blocks[encoded.indices.to_numpy(zero_copy_only=False)]

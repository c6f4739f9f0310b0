"""Masked columns of Arrow tables; what costs something per value is done once per distinct value of a table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kveil.privacy.masking.fakes import fakes
from kveil.privacy.masking.formats import Format, decrypted, encrypted
from kveil.privacy.masking.free_text import scrubbed
from kveil.privacy.masking.keyed import shifts, tokens, words
from kveil.settings.mask import Bin, DateShift, Encrypt, Fake, Mask, Partial, Pseudonym, Redact, Round, Scrub, Swap, TopBottom

HIDDEN = "***"

_DAY = 86_400_000_000
_FIRST_DAY, _LAST_DAY = ((day - date(1970, 1, 1)).days for day in (date.min, date.max))
_MAY_HOLD_SOMETHING = r"[@:]|(?:\p{Nd}\P{Nd}*){4}"
"""What a text holds in which `scrubbed` finds anything: the shortest is an IP address of four digits."""

Texts = Callable[[Sequence[str]], Sequence[str | None]]


@dataclass(frozen=True)
class Masks:
    """The masks of a release by column, and a key of its own for each that needs one; no text of this object holds a key.

    `told` are the properties by which a table says with which version of the policy's key it was masked.
    """

    roles: Mapping[str, Mask] = field(default_factory=dict)
    keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    told: Mapping[str, str] = field(default_factory=dict)

    def masked(self, table: pa.Table, person: str) -> dict[str, pa.Array]:
        """The masked columns of a table whose column `person` names the privacy unit; nulls stay null."""
        if not self.roles:
            return {}
        owners = _Owners(_encoded(table[person]))
        return {name: self._column(name, table[name], owners) for name in self.roles}

    def _column(self, name: str, column: pa.ChunkedArray, owners: "_Owners") -> pa.Array:
        role = self.roles[name]
        match role:
            case Pseudonym() | Encrypt():
                return by_value(column, self.of_texts(name))
            case Fake():
                made = pa.array(fakes(role.kind, owners.words(self.keys[name])), pa.string())
                return _null_where(made.take(owners.encoded.indices), column)
            case DateShift():
                days = pa.array(shifts(owners.words(self.keys[name]), role.days))
                return _shifted(column, days.take(owners.encoded.indices))
        return _without_key(role, column)

    def of_texts(self, name: str) -> Texts:
        """What makes tokens of the values of a pseudonym or an encrypted column."""
        role, key = self.roles[name], self.keys[name]
        if isinstance(role, Pseudonym):
            return lambda texts: tokens(texts, key)
        return lambda texts: encrypted(texts, format_of(role), key)

    def back(self, name: str) -> Texts:
        """What makes values of the tokens of an encrypted column."""
        return lambda texts: decrypted(texts, format_of(self.roles[name]), self.keys[name])


@dataclass
class _Owners:
    """The people of a table's rows; what a key makes of them is computed once, however many columns are made of it."""

    encoded: pa.DictionaryArray
    _known: dict[bytes, NDArray[np.uint64]] = field(default_factory=dict)

    def words(self, key: bytes) -> NDArray[np.uint64]:
        if key not in self._known:
            self._known[key] = words(self.encoded.dictionary.to_pylist(), key)
        return self._known[key]


def format_of(role: Mask) -> Format:
    """The format of an encrypted column."""
    assert isinstance(role, Encrypt)  # the caller's condition
    return Format(role.format, role.keep_first, role.keep_last)


def by_value(column: pa.ChunkedArray, made: Texts) -> pa.Array:
    """The column as texts, each replaced by what `made` makes of it, which is asked once per distinct text."""
    encoded = _encoded(column)
    return pa.array(made(encoded.dictionary.to_pylist()), pa.string()).take(encoded.indices)


def _encoded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """The column's distinct values as texts, and which of them each row holds."""
    encoded = _one(column).dictionary_encode()
    return pa.DictionaryArray.from_arrays(encoded.indices, pc.cast(encoded.dictionary, pa.string()))


def _without_key(role: Mask, column: pa.ChunkedArray) -> pa.Array:
    match role:
        case Redact():
            return _null_where(pa.array([HIDDEN] * len(column), pa.string()), column)
        case Partial():
            return _one(_partial(role, pc.cast(column, pa.string())))
        case Round():
            return _one(_rounded(role, column))
        case Bin():
            return _binned(role, column)
        case TopBottom():
            return _one(_bounded(role, column))
        case Swap():
            return _one(column)  # its values change places once all rows of a class are known
        case Scrub():
            return _scrubbed(pc.cast(column, pa.string()))
    raise AssertionError(role)


def _partial(role: Partial, texts: pa.ChunkedArray) -> pa.ChunkedArray:
    if role.keep == "domain":
        address = pc.match_substring_regex(texts, r"^[^@]+@[^@]+$")
        return pc.if_else(address, pc.replace_substring_regex(texts, r"^[^@]+@", HIDDEN + "@"), HIDDEN)
    kept = role.keep_first + role.keep_last
    first = pc.utf8_slice_codeunits(texts, 0, role.keep_first) if role.keep_first else ""
    last = pc.utf8_slice_codeunits(texts, -role.keep_last) if role.keep_last else ""
    parts = pc.binary_join_element_wise(first, HIDDEN, last, "")
    return pc.if_else(pc.greater_equal(pc.utf8_length(texts), 2 * kept), parts, HIDDEN)


def _rounded(role: Round, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if isinstance(role.to, str):
        return pc.floor_temporal(column, unit=role.to)
    return pc.round_to_multiple(column, _scalar(role.to, column.type), "half_to_even")


def _binned(role: Bin, column: pa.ChunkedArray) -> pa.Array:
    edges = [f"{edge.normalize():f}" for edge in role.edges]
    names = [f"< {edges[0]}", *(f"[{a}, {b})" for a, b in pairwise(edges)), f">= {edges[-1]}"]
    values = pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    missing = np.isnan(values)
    place = np.searchsorted(np.array([float(edge) for edge in role.edges]), values, side="right")
    return pa.array(names, pa.string()).take(pa.array(np.where(missing, 0, place), mask=missing))


def _bounded(role: TopBottom, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if role.lower is not None:
        column = pc.max_element_wise(column, _scalar(role.lower, column.type), skip_nulls=False)
    if role.upper is not None:
        column = pc.min_element_wise(column, _scalar(role.upper, column.type), skip_nulls=False)
    return column


def _scalar(value: Decimal | date, kind: pa.DataType) -> pa.Scalar:
    plain = float(value) if isinstance(value, Decimal) and pa.types.is_floating(kind) else value
    whole = int(plain) if isinstance(plain, Decimal) and pa.types.is_integer(kind) else plain
    return pa.scalar(whole, kind)


def _scrubbed(texts: pa.ChunkedArray) -> pa.Array:
    """Texts that hold something are few in many columns, and looking whether they do is cheap."""
    whole = _one(texts)
    suspect = pc.fill_null(pc.match_substring_regex(whole, _MAY_HOLD_SOMETHING), False)
    made = by_value(pa.chunked_array([whole.filter(suspect)]), lambda found: [scrubbed(text) for text in found])
    return pc.replace_with_mask(whole, suspect, made)


def _shifted(column: pa.ChunkedArray, days: pa.Array) -> pa.Array:
    if pa.types.is_date32(column.type):
        moved = pc.add(pc.cast(pc.cast(column, pa.int32()), pa.int64()), days)
        inside = pc.min_element_wise(pc.max_element_wise(moved, _FIRST_DAY, skip_nulls=False), _LAST_DAY, skip_nulls=False)
        return _one(pc.cast(pc.cast(inside, pa.int32()), pa.date32()))
    moved = pc.add(pc.cast(pc.cast(column, pa.timestamp("us", column.type.tz)), pa.int64()), pc.multiply(days, _DAY))
    return _one(pc.cast(moved, pa.timestamp("us", column.type.tz)))


def _null_where(made: pa.Array, column: pa.ChunkedArray) -> pa.Array:
    return pc.if_else(pc.is_valid(_one(column)), made, pa.scalar(None, made.type))


def _one(column: Any) -> pa.Array:
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    # Chunks that do not fit one array stay several; the kernels' tables are far below that.
    return pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole

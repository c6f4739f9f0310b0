"""One partition's rows in, its released rows out: Arrow to numpy, generalize, add noise, back to Arrow.

Runs in Python workers. It is handed only what it needs; the noise is drawn here, in the job whose one commit keeps it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kveil.anonymize.arrow import codes_of, numbered
from kveil.anonymize.columns import PERSON, TREE
from kveil.privacy.classes import Membership, Shown, shown
from kveil.privacy.coding import NULL, Coding
from kveil.privacy.laplace import noisy
from kveil.privacy.models import Model, SensitiveRule
from kveil.privacy.mondrian import partition
from kveil.privacy.randomness import Bits, SystemBits
from kveil.privacy.space import Fragment
from kveil.privacy.tree import FrozenPartition
from kveil.settings.anonymize import Anonymize, RowNoise

I64 = NDArray[np.int64]


@dataclass(frozen=True)
class Kernel:
    """The released rows of one partition, of which `person` names the privacy unit; `schema` is staging's."""

    settings: Anonymize
    codings: tuple[Coding, ...]
    person: str
    schema: pa.Schema

    def function(self) -> Callable[[pa.Table], pa.Table]:
        """What `applyInArrow` calls per partition."""
        return lambda table: self.released(table, SystemBits())

    def released(self, table: pa.Table, bits: Bits) -> pa.Table:
        """Staging rows: the kept rows with their person, and one row that carries the frozen tree.

        Rows without a person are left out; a partition that cannot be made safe yields no row at all.
        """
        table = table.filter(pc.is_valid(table[self.person]))
        if not table.num_rows:
            return self.schema.empty_table()
        codes = self.codes(table)
        people = numbered(table[self.person])
        found = partition(self._fragment(table, codes, people), self.model)
        if found is None:
            return self.schema.empty_table()
        classes, tree = found
        membership = Membership.of(classes, people)
        columns = {coding.name: shown(coding, codes[:, i], membership) for i, coding in enumerate(self.codings)}
        frozen = FrozenPartition(
            self.codings,
            tree,
            {name: column.labels for name, column in columns.items()},
            {name: column.representative for name, column in columns.items()},
        )
        return pa.concat_tables([self.rows(table, classes, columns, bits), self.tree_row(table, frozen.to_bytes())])

    def codes(self, table: pa.Table) -> I64:
        """The quasi-identifiers' codes [n, d]."""
        return np.column_stack([codes_of(table[coding.name], coding) for coding in self.codings])

    def _fragment(self, table: pa.Table, codes: I64, people: I64) -> Fragment:
        sensitive = [numbered(table[name]) for name in self.settings.sensitive]
        return Fragment(
            codes,
            people,
            np.column_stack(sensitive) if sensitive else np.empty((len(people), 0), dtype=np.int64),
            tuple(coding.is_set for coding in self.codings),
            tuple(coding.span for coding in self.codings),
            tuple(coding.taxonomy for coding in self.codings),
        )

    @property
    def model(self) -> Model:
        """What every class must hold."""
        rules = tuple(SensitiveRule(role.distinct) for role in self.settings.sensitive.values())
        return Model(self.settings.k, rules, self.settings.cuts)

    def rows(self, table: pa.Table, classes: NDArray[np.int32], columns: dict[str, Shown], bits: Bits) -> pa.Table:
        """Staging rows of a table, from each row's class and what the classes show."""
        made: dict[str, Any] = {PERSON: pc.cast(table[self.person], pa.string()), TREE: pa.nulls(table.num_rows, pa.binary())}
        for coding in self.codings:
            made |= _shown_columns(coding, columns[coding.name], pa.array(classes))
        for name, role in self.settings.noise.items():
            made[name] = _with_noise(table[name], role, bits)
        arrays = [_cast(made[field.name] if field.name in made else table[field.name], field.type) for field in self.schema]
        return pa.Table.from_arrays(arrays, schema=self.schema)

    def tree_row(self, table: pa.Table, frozen: bytes) -> pa.Table:
        """The row that carries the frozen generalizer of the table's partition."""
        values = {name: table[name].slice(0, 1) for name in self.settings.partition_by}
        values[TREE] = pa.array([frozen])
        arrays = [_cast(values.get(field.name, pa.nulls(1, field.type)), field.type) for field in self.schema]
        return pa.Table.from_arrays(arrays, schema=self.schema)


def _shown_columns(coding: Coding, column: Shown, classes: pa.Array) -> dict[str, pa.Array]:
    made = {coding.name: pa.array(column.labels, pa.string()).take(classes)}
    if not coding.is_text:
        made[f"{coding.name}_lo"] = _bound(coding, coding.lower(column.lowest)).take(classes)
        made[f"{coding.name}_hi"] = _bound(coding, coding.upper(column.highest)).take(classes)
    made[f"{coding.name}_rep"] = _representative(coding, column.representative).take(classes)
    return made


def _bound(coding: Coding, values: I64) -> pa.Array:
    missing = values == NULL
    if coding.holds == "date":
        return pa.array(np.where(missing, 0, values).astype(np.int32), pa.int32(), mask=missing).cast(pa.date32())
    return pa.array(np.where(missing, 0, values), mask=missing)


def _representative(coding: Coding, values: NDArray[Any]) -> pa.Array:
    if coding.is_text:
        missing = values == NULL
        return pa.array(coding.values, pa.string()).take(pa.array(np.where(missing, 0, values), mask=missing))
    missing = np.isnan(values)
    if coding.holds == "date":
        days = np.round(np.where(missing, 0, values)).astype(np.int32)
        return pa.array(days, pa.int32(), mask=missing).cast(pa.date32())
    return pa.array(values, mask=missing)


def _with_noise(column: pa.ChunkedArray, role: RowNoise, bits: Bits) -> pa.Array:
    """Noise on every value; a null stays null, since whether a value exists is not what the noise protects."""
    missing = pc.is_null(column).to_numpy(zero_copy_only=False)
    values = pc.fill_null(pc.cast(column, pa.int64()), 0).to_numpy(zero_copy_only=False)
    return pa.array(noisy(values, role.lower, role.upper, Fraction(role.epsilon), bits), mask=missing)


def _cast(column: Any, kind: pa.DataType) -> pa.Array:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return array if array.type == kind else pc.cast(array, kind)

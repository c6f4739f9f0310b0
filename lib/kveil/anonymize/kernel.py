"""One partition's rows in, its released rows out: Arrow to numpy, generalize, add noise, back to Arrow.

Runs in Python workers. It is handed only what it needs; the noise is drawn here, in the job whose one commit keeps it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kveil.anonymize.arrow import codes_of, numbered
from kveil.anonymize.columns import CLASS, MARK, PERSON, SUPPRESSED, TREE, of_quasi_identifiers
from kveil.anonymize.fragments import FRAGMENT, Fragments, Place
from kveil.anonymize.masking.arrow import Masks
from kveil.anonymize.noise import Draws
from kveil.anonymize.references import Reference
from kveil.anonymize.shown import shown_columns
from kveil.privacy.classes import Membership, Shown
from kveil.privacy.coding import Coding
from kveil.privacy.frozen import FrozenPartition, leaf_numbers
from kveil.privacy.labels import WHOLE
from kveil.privacy.local_recoding import Boxes, recoded
from kveil.privacy.models import Model, PopulationRule
from kveil.privacy.mondrian import partition
from kveil.privacy.own_values import OwnColumn, fits, own_column, shown_of
from kveil.privacy.space import Fragment
from kveil.privacy.tree import Tree
from kveil.settings.anonymize import Anonymize

I64 = NDArray[np.int64]
Flags = NDArray[np.bool_]

OUTSIDE = "kveil_outside"
"""Marks rows of the population, which are counted but not released."""
ROWS = "kveil_rows"
"""How many rows a row stands for."""


POOL = -1
"""The class number of rows that are released without their cells."""


@dataclass(frozen=True)
class Classified:
    """The rows of a table: each one's place among the classes that `shown` describes, and its class's number in the partition."""

    place: NDArray[np.int32]
    number: I64
    shown: dict[str, Shown]


@dataclass(frozen=True)
class Kernel:
    """The released rows of one partition, of which `person` names the privacy unit; `schema` is staging's.

    `label` names the training label where cuts follow it; noise is made of `draws`, masked columns by `masks`. `giants`
    holds the frozen trees of the fragments whose classes are known before, None for one that cannot be made safe.
    """

    settings: Anonymize
    codings: tuple[Coding, ...]
    person: str
    schema: pa.Schema
    references: tuple[Reference, ...] = ()
    fragments: Fragments = field(default_factory=Fragments)
    label: str = ""
    draws: Draws = field(default_factory=Draws)
    masks: Masks = field(default_factory=Masks)
    giants: Mapping[Place, bytes | None] = field(default_factory=dict)

    def function(self) -> Callable[[pa.Table], pa.Table]:
        """What `applyInArrow` calls per partition."""
        # Spark counts a method's `self` as an argument.
        return lambda table: self.released(table)  # noqa: PLW0108

    def released(self, table: pa.Table) -> pa.Table:
        """Staging rows: the kept rows with their person, and one row that carries the frozen tree.

        Rows without a person are left out. A partition that cannot be made safe yields no row at all or, where the policy
        suppresses cells, its rows without quasi-identifiers, which are not yet safe.
        """
        table = table.filter(pc.is_valid(table[self.person]))
        if not table.num_rows:
            return self.schema.empty_table()
        place = self._place(table)
        if place in self.giants:
            return self._rows_by_tree(table.filter(pa.array(_inside(table))), self.giants[place])
        if not _inside(table).any():
            return self.schema.empty_table()
        table, own = self._fitting(table)
        inside = _inside(table)
        found = self._generalized(table, own, inside)
        table = table.filter(pa.array(inside))
        if found is None:
            return self._suppressed(table)
        classes, columns, frozen = found
        mine = Classified(classes[inside], leaf_numbers(classes[inside], frozen.fragment), columns)
        return pa.concat_tables([self.rows(table, frozen.codings, mine), self.tree_row(table, frozen.to_bytes())])

    def tree_alone(self, table: pa.Table) -> pa.Table:
        """The row that carries the frozen tree of rows that stand for ROWS many each; no row where they cannot be made safe."""
        table, own = self._fitting(table)
        inside = _inside(table)
        found = self._generalized(table, own, inside) if inside.any() else None
        return self.schema.empty_table() if found is None else self.tree_row(table, found[2].to_bytes())

    def _fitting(self, table: pa.Table) -> tuple[pa.Table, list[OwnColumn]]:
        """The table and its own columns, without people outside who fit no cell that the release names."""
        own = self._own(table)
        known = _inside(table)
        if known.all():
            return table, own
        known |= np.logical_and.reduce([fits(each, each.given_codes) for each in own])
        fitting = table.filter(pa.array(known))
        return fitting, self._own(fitting)

    def _own(self, table: pa.Table) -> list[OwnColumn]:
        """The quasi-identifiers in cells of the table's own people."""
        people, inside = numbered(table[self.person]), _inside(table)
        counted = None if inside.all() else inside
        return [own_column(each, codes_of(table[each.name], each), people, self.settings.k, counted) for each in self.codings]

    def _generalized(
        self, table: pa.Table, own: list[OwnColumn], inside: Flags
    ) -> tuple[NDArray[np.int32], dict[str, Shown], FrozenPartition] | None:
        """Each row's class, what classes show and the frozen partition, or None when the table cannot be made safe."""
        people = numbered(table[self.person])
        # Rows that stand for others of a giant get their class from the tree, which boxes are not.
        by = recoded if self.settings.algorithm == "local_recoding" and ROWS not in table.column_names else partition
        found = by(self._fragment(table, own, people, inside), self.model)
        if found is None:
            return None
        classes, tree = found
        columns = self._shown(table, own, classes, people, inside)
        key, number = self._place(table)
        top = self.fragments.tree(key)
        frozen = _frozen(self.settings, tuple(each.coding for each in own), tree, columns)
        if top is not None:
            frozen = replace(frozen, top=top, top_codings=self.fragments.codings_of(key), fragment=number)
        return classes, columns, frozen

    def _rows_by_tree(self, table: pa.Table, tree: bytes | None) -> pa.Table:
        """Staging rows of a share of a fragment, by the tree that was grown for all of it, maybe for an earlier release."""
        if tree is None:
            return self._suppressed(table)
        frozen = FrozenPartition.from_bytes(tree)
        leaf = frozen.tree.leaf_of(_codes(table, frozen.codings))
        return self.rows(table, frozen.codings, Classified(leaf, leaf_numbers(leaf, frozen.fragment), frozen.columns()))

    def _suppressed(self, table: pa.Table) -> pa.Table:
        return self._rows_without_cells(table) if self.settings.suppress == "cell" else self.schema.empty_table()

    def _shown(
        self, table: pa.Table, own: list[OwnColumn], classes: NDArray[np.int32], people: I64, inside: Flags
    ) -> dict[str, Shown]:
        """What the classes show: labels and bounds cover the population's rows as well, representatives are the release's own."""
        rows = table[ROWS].to_numpy().astype(np.float64) if ROWS in table.column_names else None
        everyone = Membership(classes, people, rows)
        ours = everyone
        if not inside.all():
            ours = Membership(classes[inside], people[inside], None if rows is None else rows[inside])
        k = self.settings.k
        return {
            each.coding.name: shown_of(each, everyone, ours, inside, self.settings.shown(each.coding.name), k) for each in own
        }

    def _place(self, table: pa.Table) -> Place:
        """Which fragment of which partition the table is."""
        key = tuple(table[name][0].cast(pa.string()).as_py() for name in self.settings.partition_by)
        return key, table[FRAGMENT][0].as_py() if FRAGMENT in table.column_names else 0

    def codes(self, table: pa.Table) -> I64:
        """The quasi-identifiers' codes [n, d]."""
        return _codes(table, self.codings)

    def holds_as_one(self, table: pa.Table) -> bool:
        """Whether the rows (person and sensitive columns) satisfy the model as a single class."""
        same = np.zeros(table.num_rows, dtype=np.int64)
        own = [OwnColumn(each, same, each, same) for each in self.codings]
        fragment = self._fragment(table, own, numbered(table[self.person]), _inside(table))
        return partition(fragment, replace(self.model, population=PopulationRule())) is not None

    def _fragment(self, table: pa.Table, own: list[OwnColumn], people: I64, inside: Flags) -> Fragment:
        sensitive = np.zeros((len(people), len(self.references)), dtype=np.int64)
        for i, reference in enumerate(self.references):
            sensitive[inside, i] = reference.numbers(table[reference.name].filter(pa.array(inside)))
        return Fragment(
            np.column_stack([each.codes for each in own]),
            people,
            sensitive,
            tuple(coding.is_set for coding in self.codings),
            tuple(each.span for each in own),
            tuple(each.coding.taxonomy for each in own),
            self._labels(table),
            ~inside,
        )

    def _labels(self, table: pa.Table) -> I64:
        """The training label (0, 1) of each row where cuts follow it; null counts as 0."""
        if self.settings.cuts != "label":
            return np.empty(0, dtype=np.int64)
        positive = pc.fill_null(pc.cast(table[self.label], pa.float64()), 0.0).to_numpy(zero_copy_only=False)
        return (positive > 0).astype(np.int64)

    @property
    def model(self) -> Model:
        """What every class must hold."""
        asked = self.settings.population
        least, greatest = (asked.delta or (0.0, 1.0)) if asked else (0.0, 1.0)
        population = PopulationRule((asked.k_map or 0) if asked else 0, least, greatest)
        return Model(self.settings.k, tuple(each.rule for each in self.references), self.settings.cuts, population)

    def rows(self, table: pa.Table, codings: Sequence[Coding], found: Classified) -> pa.Table:
        """Staging rows of a table, from each row's class and what the classes show, whose texts are coded by `codings`."""
        made: dict[str, Any] = {SUPPRESSED: pa.repeat(False, table.num_rows), CLASS: pa.array(found.number)}
        for coding in codings:
            made |= shown_columns(coding, found.shown[coding.name], pa.array(found.place), self.schema.names)
        return self._with_the_rest(table, made)

    def _rows_without_cells(self, table: pa.Table) -> pa.Table:
        made = {name: pa.nulls(table.num_rows, self.schema.field(name).type) for name in of_quasi_identifiers(self.settings)}
        made[CLASS] = pa.array(np.full(table.num_rows, POOL))
        stars = pa.array([WHOLE] * table.num_rows, pa.string())
        labels = {name: stars for name in self.settings.quasi_identifiers if name in made}
        return self._with_the_rest(table, {SUPPRESSED: pa.repeat(True, table.num_rows), **made, **labels})

    def _with_the_rest(self, table: pa.Table, made: dict[str, Any]) -> pa.Table:
        """Staging rows of the columns that are made, those that are noisy or masked and those that stay as they are."""
        made |= {PERSON: pc.cast(table[self.person], pa.string()), TREE: pa.nulls(table.num_rows, pa.binary())}
        made |= self.draws.noisy(table, self.settings.noise)
        made |= self.masks.masked(table, self.person)
        # What tells rows apart over releases is asked of a stage's rows alone.
        made |= {} if MARK in table.column_names else {MARK: pa.nulls(table.num_rows, pa.int64())}
        arrays = [_cast(made[field.name] if field.name in made else table[field.name], field.type) for field in self.schema]
        return pa.Table.from_arrays(arrays, schema=self.schema)

    def tree_row(self, table: pa.Table, frozen: bytes) -> pa.Table:
        """The row that carries the frozen generalizer of the table's partition."""
        values = {name: table[name].slice(0, 1) for name in self.settings.partition_by}
        values[TREE] = pa.array([frozen])
        arrays = [_cast(values.get(field.name, pa.nulls(1, field.type)), field.type) for field in self.schema]
        return pa.Table.from_arrays(arrays, schema=self.schema)


def _codes(table: pa.Table, codings: Sequence[Coding]) -> I64:
    return np.column_stack([codes_of(table[coding.name], coding) for coding in codings])


def _inside(table: pa.Table) -> Flags:
    """Which rows are the release's own."""
    if OUTSIDE not in table.column_names:
        return np.ones(table.num_rows, dtype=bool)
    return ~table[OUTSIDE].to_numpy(zero_copy_only=False).astype(bool)


def _frozen(settings: Anonymize, codings: tuple[Coding, ...], tree: Tree | Boxes, columns: dict[str, Shown]) -> FrozenPartition:
    """What serving needs of the partition, and of its classes only what is released anyway."""
    shows = {name: settings.shown(name) for name in columns}
    if isinstance(tree, Boxes):
        # They were made by the whole table's spans, which the release does not tell.
        tree = replace(tree, span=np.array([coding.span for coding in codings]))
    return FrozenPartition(
        codings,
        tree,
        {name: column.labels for name, column in columns.items() if "label" in shows[name]},
        {name: column.representative for name, column in columns.items() if "representative" in shows[name]},
        {name: np.column_stack([column.lowest, column.highest]) for name, column in columns.items() if "bounds" in shows[name]},
    )


def _cast(column: Any, kind: pa.DataType) -> pa.Array:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return array if array.type == kind else pc.cast(array, kind)

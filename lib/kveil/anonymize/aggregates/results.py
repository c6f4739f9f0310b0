"""From exact totals to published numbers, in Python workers: noise first, then statistics of what is noisy.

The noise of a number is a function of the release's secret and the number's place alone, so a task that runs twice, or two
copies of it at once, make the same table.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kveil.anonymize.aggregates.bounding import HIGH, LIMB, LOW, SLOT
from kveil.anonymize.aggregates.cells import CELL, CODE, Grid
from kveil.anonymize.aggregates.design import Design, LevelOfGroups
from kveil.anonymize.aggregates.total import Total
from kveil.privacy import gaussian, laplace
from kveil.privacy.estimates import Estimate, most_frequent, of_mean, of_quantile, of_total, of_variance
from kveil.privacy.noise_sum import Error
from kveil.privacy.randomness import KeyedBits, derived_key
from kveil.settings.measures import Measure

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

CHUNK = "kveil_chunk"
MEASURES = {
    "grouped_by": "string", "measure": "string", "item": "string", "value": "double",
    "standard_error": "double", "lower_95": "double", "upper_95": "double",
}  # fmt: skip
_CELLS_PER_CHUNK = 4096

Result = tuple[str, list[str | None], I64 | None, list[Estimate]]
"""A measure's name, the names of its items, which of these a cell shows (None: all, in order), and estimates."""


def cells_per_chunk(design: Design) -> int:
    """How many cells a worker takes at once: whole groups of the coarsest level, since their numbers must add up."""
    together = design.levels[0].below
    return max(1, _CELLS_PER_CHUNK // together) * together


@dataclass(frozen=True)
class Publisher:
    """Makes the published rows of a chunk of cells; `secret` is destroyed when they are committed."""

    grid: Grid
    design: Design
    secret: bytes
    release_id: str

    def function(self) -> Callable[[pa.Table], pa.Table]:
        """What `applyInArrow` calls per chunk."""
        # A bound method's own argument would make Spark take it for a function of key and table.
        return lambda table: self.published(table)  # noqa: PLW0108

    def published(self, table: pa.Table) -> pa.Table:
        """The published rows of the chunk's cells and of the levels above them, all of them, also those that no row lies in."""
        size = cells_per_chunk(self.design)
        first = int(table[CHUNK][0].as_py()) * size
        cells = np.arange(first, min(first + size, self.grid.cells))
        levels = self.consistent(cells, *_dense(table, cells, self.design.width))
        return pa.concat_tables(
            [
                _shown(self._keys(cells, level), level.name, result)
                for place, level in enumerate(self.design.levels)
                for result in self._results(levels[place], place)
            ]
        )

    def consistent(self, cells: I64, high: I64, low: I64) -> list[dict[int, F64]]:
        """Per level, by a total's slot, numbers [groups, items] in whole units that add up, of cells that are whole groups
        of the coarsest level, from the halves [cells, width] of the exact totals.
        """
        drawn = []
        for place, level in enumerate(self.design.levels):
            groups = cells[:: level.below] // level.below
            drawn.append(self.noisy(groups, *_summed(high, low, level.below), place))
        found: list[dict[int, F64]] = [{} for _ in drawn]
        for total in self.design.totals:
            numbers = total.tree.consistent([each[total.slot] for each in drawn])
            for place, each in enumerate(numbers):
                found[place][total.slot] = each
        return found

    def noisy(self, groups: I64, high: I64, low: I64, place: int = -1) -> dict[int, F64]:
        """By a total's slot its noisy numbers [groups, items] in whole units, from the halves [groups, width] of the exact ones
        of a level's groups.

        Noise is added to the integers; floating point only sees the sum.
        """
        found = {}
        for total in self.design.totals:
            items = slice(total.slot, total.slot + total.items)
            drawn = self._noise(groups, total, place)
            tops = high[:, items] + (drawn >> LIMB)
            rest = low[:, items] + (drawn & (2**LIMB - 1))
            found[total.slot] = (tops.astype(np.float64) * 2.0**LIMB + rest) / total.noise.grain
        return found

    def _noise(self, groups: I64, total: Total, place: int) -> I64:
        names = (groups[:, None] * self.design.width + total.slot + np.arange(total.items)).ravel().astype(np.uint64)
        use = ("aggregate", self.release_id, total.measure, total.adds, self.design.levels[place].name)
        noise = total.tree.noises[place]
        sample = gaussian.sample if noise.mechanism == "gaussian" else laplace.sample
        return sample(noise.parameter, KeyedBits(derived_key(self.secret, *use), names)).reshape(len(groups), total.items)

    def _keys(self, cells: I64, level: LevelOfGroups) -> pa.Table:
        firsts = cells[:: level.below]
        keys = self.grid.keys_of(firsts, level.columns)
        if self.grid.asked.unknown:
            keys = {CODE: pa.array(firsts // self.grid.asked.public_cells), **keys}
        return pa.table({CELL: pa.array(firsts), **keys})

    def _results(self, noisy: dict[int, F64], place: int) -> Iterator[Result]:
        """What each measure shows of a level's groups."""
        for name, role in self.grid.asked.measures.items():
            totals = self.design.of(name)
            values, errors = [noisy[total.slot] for total in totals], [total.errors[place] for total in totals]
            if role.kind == "top_k":
                assert role.k is not None  # the settings' condition
                best = most_frequent(values[0], role.k)
                shown = [of_total(values[0][np.arange(len(best)), best[:, i]], errors[0]) for i in range(role.k)]
                yield name, list(map(str, role.values)), best, shown
            else:
                yield name, *_items_of(role, totals, values, errors)


def _summed(high: I64, low: I64, below: int) -> tuple[I64, I64]:
    """The halves of sums of so many neighbouring cells each. Lower halves are carried first, so that none overflows."""
    high, low = high + (low >> LIMB), low & (2**LIMB - 1)
    shape = (-1, below, high.shape[1])
    return high.reshape(shape).sum(axis=1), low.reshape(shape).sum(axis=1)


def _items_of(
    role: Measure, totals: tuple[Total, ...], values: list[F64], errors: list[Error]
) -> tuple[list[str | None], None, list[Estimate]]:
    first, error = totals[0], errors[0]
    if role.kind in ("count", "people", "sum"):
        return [None], None, [of_total(values[0][:, 0], error)]
    if role.kind == "histogram":
        names = list(map(str, role.values)) or [f"[{a}, {b})" for a, b in zip(role.edges, role.edges[1:], strict=False)]
        return [*names], None, [of_total(values[0][:, i], error) for i in range(first.items)]
    if role.kind == "quantiles":
        edges = np.linspace(first.lower, first.upper, first.items + 1)
        return (
            [str(at) for at in role.shares],
            None,
            [of_quantile(values[0], error, float(at), edges) for at in role.shares],
        )
    rows, total, centre = values[0][:, 0], values[1][:, 0], totals[1].centre
    if role.kind == "mean":
        return [None], None, [of_mean(rows, total, (error, errors[1]), centre, totals[1].lower, totals[1].upper)]
    squares, three = values[2][:, 0], (error, errors[1], errors[2])
    return [None], None, [of_variance(rows, total, squares, three, totals[1].largest, totals[2].middle)]


def _dense(table: pa.Table, cells: I64, width: int) -> tuple[I64, I64]:
    """The halves [cells, width] of the chunk's totals; the marker row of a chunk has no slot."""
    high, low = np.zeros((len(cells), width), dtype=np.int64), np.zeros((len(cells), width), dtype=np.int64)
    table = table.filter(table[SLOT].is_valid())
    places = (table[CELL].to_numpy() - cells[0]) * width + table[SLOT].to_numpy()
    high.ravel()[places] = table[HIGH].to_numpy()
    low.ravel()[places] = table[LOW].to_numpy()
    return high, low


def _shown(keys: pa.Table, grouped_by: str, result: Result) -> pa.Table:
    """One row per cell and estimate: the cells' order, then the estimates'."""
    measure, items, which, estimates = result
    shown, cells = len(estimates), keys.num_rows
    repeated = keys.take(pa.array(np.repeat(np.arange(cells), shown)))
    places = np.tile(np.arange(shown), cells) if which is None else which.ravel()
    columns: dict[str, Any] = {
        "grouped_by": pa.repeat(grouped_by, shown * cells),
        "measure": pa.repeat(measure, shown * cells),
        "item": pa.array(items, pa.string()).take(pa.array(places)),
    }
    for column, part in (("value", "value"), ("standard_error", "error"), ("lower_95", "lower"), ("upper_95", "upper")):
        columns[column] = pa.array(np.column_stack([getattr(each, part) for each in estimates]).ravel())
    return pa.table({**{name: repeated[name] for name in repeated.column_names}, **columns})

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
from kveil.anonymize.aggregates.design import Design, Total
from kveil.privacy import gaussian, laplace
from kveil.privacy.estimates import Estimate, most_frequent, of_mean, of_quantile, of_total, of_variance
from kveil.privacy.randomness import KeyedBits, derived_key
from kveil.settings.aggregates import Measure

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

CHUNK = "kveil_chunk"
CELLS_PER_CHUNK = 4096
MEASURES = {
    "measure": "string", "item": "string", "value": "double",
    "standard_error": "double", "lower_95": "double", "upper_95": "double",
}  # fmt: skip


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
        """The published rows of the chunk's cells, all of them, also those that no row lies in."""
        first = int(table[CHUNK][0].as_py()) * CELLS_PER_CHUNK
        cells = np.arange(first, min(first + CELLS_PER_CHUNK, self.grid.cells))
        noisy = self.noisy(cells, *_dense(table, cells, self.design.width))
        keys = self._keys(cells)
        return pa.concat_tables([_shown(keys, *result) for result in self._results(noisy)])

    def noisy(self, cells: I64, high: I64, low: I64) -> dict[int, F64]:
        """By a total's slot its noisy numbers [cells, items] in whole units, from the halves [cells, width] of the exact ones.

        Noise is added to the integers; floating point only sees the sum.
        """
        found = {}
        for total in self.design.totals:
            places = slice(total.slot, total.slot + total.items)
            drawn = self._noise(cells, total)
            tops = high[:, places] + (drawn >> LIMB)
            rest = low[:, places] + (drawn & (2**LIMB - 1))
            found[total.slot] = (tops.astype(np.float64) * 2.0**LIMB + rest) / total.noise.grain
        return found

    def _noise(self, cells: I64, total: Total) -> I64:
        names = (cells[:, None] * self.design.width + total.slot + np.arange(total.items)).ravel().astype(np.uint64)
        bits = KeyedBits(derived_key(self.secret, "aggregate", self.release_id, total.measure, total.adds), names)
        sample = gaussian.sample if total.noise.mechanism == "gaussian" else laplace.sample
        return sample(total.noise.parameter, bits).reshape(len(cells), total.items)

    def _keys(self, cells: I64) -> pa.Table:
        keys = self.grid.keys_of(cells)
        if self.grid.asked.unknown:
            keys = {CODE: pa.array(cells // self.grid.asked.public_cells), **keys}
        return pa.table({CELL: pa.array(cells), **keys})

    def _results(self, noisy: dict[int, F64]) -> Iterator[tuple[str, list[str | None], I64 | None, list[Estimate]]]:
        """Per measure: its name, the names of its items, which of these a cell shows (None: all, in order), and estimates."""
        for name, role in self.grid.asked.measures.items():
            totals = self.design.of(name)
            values = [noisy[total.slot] for total in totals]
            if role.kind == "top_k":
                assert role.k is not None  # the settings' condition
                best = most_frequent(values[0], role.k)
                shown = [of_total(values[0][np.arange(len(best)), best[:, i]], totals[0].noise) for i in range(role.k)]
                yield name, list(map(str, role.values)), best, shown
            else:
                yield name, *_items_of(role, totals, values)


def _items_of(role: Measure, totals: tuple[Total, ...], values: list[F64]) -> tuple[list[str | None], None, list[Estimate]]:
    first, noises = totals[0], tuple(total.noise for total in totals)
    if role.kind in ("count", "people", "sum"):
        return [None], None, [of_total(values[0][:, 0], first.noise)]
    if role.kind == "histogram":
        names = list(map(str, role.values)) or [f"[{a}, {b})" for a, b in zip(role.edges, role.edges[1:], strict=False)]
        return [*names], None, [of_total(values[0][:, i], first.noise) for i in range(first.items)]
    if role.kind == "quantiles":
        edges = np.linspace(first.lower, first.upper, first.items + 1)
        return (
            [str(at) for at in role.shares],
            None,
            [of_quantile(values[0], first.noise, float(at), edges) for at in role.shares],
        )
    rows, total, centre = values[0][:, 0], values[1][:, 0], totals[1].centre
    if role.kind == "mean":
        return [None], None, [of_mean(rows, total, (noises[0], noises[1]), centre, totals[1].lower, totals[1].upper)]
    squares, three = values[2][:, 0], (noises[0], noises[1], noises[2])
    return [None], None, [of_variance(rows, total, squares, three, totals[1].largest, totals[2].middle)]


def _dense(table: pa.Table, cells: I64, width: int) -> tuple[I64, I64]:
    """The halves [cells, width] of the chunk's totals; the marker row of a chunk has no slot."""
    high, low = np.zeros((len(cells), width), dtype=np.int64), np.zeros((len(cells), width), dtype=np.int64)
    table = table.filter(table[SLOT].is_valid())
    places = (table[CELL].to_numpy() - cells[0]) * width + table[SLOT].to_numpy()
    high.ravel()[places] = table[HIGH].to_numpy()
    low.ravel()[places] = table[LOW].to_numpy()
    return high, low


def _shown(keys: pa.Table, measure: str, items: list[str | None], which: I64 | None, estimates: list[Estimate]) -> pa.Table:
    """One row per cell and estimate: the cells' order, then the estimates'."""
    shown, cells = len(estimates), keys.num_rows
    repeated = keys.take(pa.array(np.repeat(np.arange(cells), shown)))
    places = np.tile(np.arange(shown), cells) if which is None else which.ravel()
    columns: dict[str, Any] = {
        "measure": pa.repeat(measure, shown * cells),
        "item": pa.array(items, pa.string()).take(pa.array(places)),
    }
    for column, part in (("value", "value"), ("standard_error", "error"), ("lower_95", "lower"), ("upper_95", "upper")):
        columns[column] = pa.array(np.column_stack([getattr(each, part) for each in estimates]).ravel())
    return pa.table({**{name: repeated[name] for name in repeated.column_names}, **columns})

"""From a policy's hierarchy and what the clean table holds to a taxonomy, and the values that it misses."""

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
from pyspark.sql import Column
from pyspark.sql import functions as F

from kveil.anonymize.clusters import People, clustered, held_by_many
from kveil.errors import ContractError
from kveil.privacy.coding import Coding
from kveil.privacy.labels import OTHERS, RANGE
from kveil.privacy.taxonomy import Taxonomy
from kveil.settings.anonymize import QuasiIdentifier
from kveil.settings.hierarchies import ROOT, Hierarchy, Intervals, Prefix, with_other

MOST_LEAVES = 100_000
_SHOWN = 20

Paths = list[tuple[str, ...]]
Found = Mapping[str, Any]


def text_of(column: Column, hierarchy: Hierarchy) -> Column:
    """A column as the texts of its hierarchy's leaves: whole numbers without a fraction, dates as yyyy-mm-dd."""
    if hierarchy.holds != "number":
        return column.cast("string")
    number = F.nanvl(column.cast("double"), F.lit(None).cast("double"))
    whole = (number == F.floor(number)) & (F.abs(number) < 2.0**52)
    return F.when(whole, F.floor(number).cast("string")).otherwise(number.cast("string"))


def measures(name: str, hierarchy: Hierarchy) -> list[Column]:
    """What the whole table must tell of a column: its extremes, or its distinct values, one more than allowed at most."""
    column = F.col(f"`{name}`")
    if hierarchy.intervals or hierarchy.dates:
        value = F.floor(number_of(column)) if hierarchy.intervals else F.unix_date(column)
        return [F.min(value).alias(f"{name}.lowest"), F.max(value).alias(f"{name}.highest")]
    values = F.slice(F.sort_array(F.collect_set(text_of(column, hierarchy))), 1, MOST_LEAVES + 1)
    return [values.alias(f"{name}.values")]


def number_of(column: Column) -> Column:
    """A numeric column as Coding takes it: doubles, NaN as null, infinities at the farthest cell."""
    limit = 2.0**52
    number = F.nanvl(column.cast("double"), F.lit(None).cast("double"))
    # least and greatest skip nulls, which would turn a null into the limit.
    return F.when(number.isNotNull(), F.greatest(F.least(number, F.lit(limit)), F.lit(-limit)))


def check_nothing_missing(roles: Mapping[str, QuasiIdentifier], found: Found, people: People) -> None:
    """One ContractError that tells, for every column, of the values that its hierarchy misses and has no `other` for.

    It lists those that k people hold: what fewer hold may be somebody's alone, and messages are kept.
    """
    problems = []
    for name, role in roles.items():
        hierarchy = role.hierarchy
        if hierarchy is None or hierarchy.other or f"{name}.values" not in found:
            continue
        missing = _missing(hierarchy, found[f"{name}.values"])
        if missing:
            common = sorted(set(missing) & set(held_by_many(text_of(F.col(f"`{name}`"), hierarchy), people)))[:_SHOWN]
            listed = f": {', '.join(map(repr, common))}" if common else ""
            many = f"more than {MOST_LEAVES:,}" if len(missing) > MOST_LEAVES else f"{len(missing):,}"
            left = len(missing) - len(common)
            more = f" and {left:,} that are not listed here" if common and left else ""
            problems.append(f"anonymize.quasi_identifiers.{name}.hierarchy misses {many} values of the clean table{listed}{more}")
    if problems:
        raise ContractError("; ".join(problems) + "; add them, correct them in clean, or name a leaf for them in hierarchy.other")


def _missing(hierarchy: Hierarchy, values: Sequence[str]) -> list[str]:
    if hierarchy.prefix:
        return [value for value in values if not _fits(value, hierarchy.prefix)]
    if not hierarchy.is_listed:
        return []
    leaves = {path[0] for path in hierarchy.paths()}
    return [value for value in values if value not in leaves]


def _fits(value: str, prefix: Prefix) -> bool:
    return len(value) == prefix.length and prefix.mask not in value


def coding(name: str, hierarchy: Hierarchy, found: Found, people: People) -> Coding:
    """The column's coding; `found` holds the answers to `measures`."""
    try:
        return _coding(name, hierarchy, found, people)
    except ContractError as error:
        raise ContractError(f"anonymize.quasi_identifiers.{name}.{error}") from None


def _coding(name: str, hierarchy: Hierarchy, found: Found, people: People) -> Coding:
    if hierarchy.intervals or hierarchy.dates:
        lowest, highest = found[f"{name}.lowest"], found[f"{name}.highest"]
        empty = lowest is None
        ends = (0, 0) if empty else (int(lowest), int(highest))
        paths, cells = _intervals(hierarchy.intervals, *ends) if hierarchy.intervals else _dates(hierarchy.dates, *ends)
        return Coding.of_taxonomy(name, Taxonomy.of_paths(paths), hierarchy.holds, tuple(cells))
    if hierarchy.is_listed and hierarchy.holds != "text":
        return _listed_cells(name, hierarchy)
    values = found[f"{name}.values"]
    if len(values) > MOST_LEAVES:
        raise ContractError(
            f"hierarchy: found more than {MOST_LEAVES:,} values; shorten them in clean.derive, or drop the column"
        )
    if hierarchy.prefix:
        paths = [path for value in values if _fits(value, hierarchy.prefix) for path in [_masked(value, hierarchy.prefix)]]
    other, rule = hierarchy.other, None
    if hierarchy.prefix:
        rule = (hierarchy.prefix.length, hierarchy.prefix.mask, tuple(_steps(hierarchy.prefix)))
    elif hierarchy.clusters:
        common = held_by_many(F.col(f"`{name}`").cast("string"), people)
        # A group is named after its members: those whom k people do not hold are left out.
        other = other or (OTHERS if len(common) < len(values) else "")
        known = {**found, f"{name}.values": common}
        paths = list(clustered(name, hierarchy.clusters, common, people.clean, known))
    else:
        paths = hierarchy.paths()
    if not hierarchy.is_listed:
        paths = with_other(paths or [(ROOT, ROOT)], other)
    return Coding.of_taxonomy(name, Taxonomy.of_paths(paths), other=other, prefix=rule)


def _listed_cells(name: str, hierarchy: Hierarchy) -> Coding:
    """Listed numbers or dates, each leaf a cell of its own; every node must be a range of them."""
    number = {path[0]: _as_number(path[0], hierarchy.holds) for path in hierarchy.paths()}
    taxonomy = Taxonomy.of_paths(sorted(hierarchy.paths(), key=lambda path: number[path[0]]))
    values = [number[leaf] for leaf in taxonomy.leaf_names]
    for before, after in pairwise(values):
        if before >= after:
            raise ContractError("hierarchy: a label covers numbers with others between them; make each label one range")
    return Coding.of_taxonomy(name, taxonomy, hierarchy.holds, tuple((value, value) for value in values))


def _as_number(text: str, holds: str) -> int:
    try:
        return int(text) if holds == "number" else (date.fromisoformat(text) - date(1970, 1, 1)).days
    except ValueError:
        wanted = "whole numbers" if holds == "number" else "dates like 2024-12-31"
        raise ContractError(f"hierarchy.of: found the leaf {text!r}; {holds} allows {wanted}") from None


def _intervals(intervals: Intervals, lowest: int, highest: int) -> tuple[Paths, list[tuple[int, int]]]:
    """Cells from the one of the lowest to the one of the highest number of the table."""
    first, last = _start(lowest, intervals.width, intervals.start), _start(highest, intervals.width, intervals.start)
    _check_cells((last - first) // intervals.width + 1, "a larger intervals.width")
    # Whole units of the coarsest level, so that none ends where the table does.
    widest = [intervals.width, *intervals.levels][-1]
    whole = _start(lowest, widest, intervals.start), _start(highest, widest, intervals.start) + widest - intervals.width
    if (whole[1] - whole[0]) // intervals.width < MOST_LEAVES:
        first, last = whole
    paths, cells = [], []
    for low in range(first, last + 1, intervals.width):
        cells.append((low, low + intervals.width - 1))
        widths = [intervals.width, *intervals.levels]
        paths.append((*(_range(_start(low, width, intervals.start), width) for width in widths), ROOT))
    return paths, cells


def _start(value: int, width: int, origin: int) -> int:
    return (value - origin) // width * width + origin


def _range(low: int, width: int) -> str:
    return str(low) if width == 1 else f"{low}{RANGE}{low + width - 1}"


def _check_cells(count: int, remedy: str) -> None:
    if count > MOST_LEAVES:
        raise ContractError(
            f"hierarchy: the table spans {count:,} cells where {MOST_LEAVES:,} are allowed; "
            f"take {remedy}, or a rule of clean that drops impossible values"
        )


def _dates(units: Sequence[str], lowest: int, highest: int) -> tuple[Paths, list[tuple[int, int]]]:
    """Days, weeks (ISO 8601) or longer from the one of the table's first to the one of its last day."""
    _unit_starts(units[0], lowest, highest)
    # Whole units of the coarsest level, so that none ends where the table does.
    whole = _unit_starts(units[-1], lowest, highest)
    starts = _unit_starts(units[0], int(whole[0]), int(whole[-1]) - 1)
    paths = [(*labels, ROOT) for labels in zip(*(_unit_labels(unit, starts[:-1]) for unit in units), strict=True)]
    return paths, [(int(low), int(after) - 1) for low, after in pairwise(starts)]


def _unit_starts(unit: str, lowest: int, highest: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """First days of the units from the lowest day's to the one after the highest day's."""
    if unit in ("day", "week"):
        width = 1 if unit == "day" else 7
        # Day 0 of the epoch is a Thursday; ISO weeks begin on Mondays.
        first, last = ((day + 3) // 7 * 7 - 3 if unit == "week" else day for day in (lowest, highest))
        _check_cells((last - first) // width + 1, "a coarser first unit of dates")
        return np.arange(first, last + 2 * width, width)[: (last - first) // width + 2]
    months = {"month": 1, "quarter": 3, "year": 12}[unit]
    first, last = (
        int(np.datetime64(day, "D").astype("datetime64[M]").astype(np.int64)) // months * months for day in (lowest, highest)
    )
    _check_cells((last - first) // months + 1, "a coarser first unit of dates")
    starts = np.arange(first, last + months + 1, months)
    return starts.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def _unit_labels(unit: str, days: np.ndarray[Any, np.dtype[np.int64]]) -> list[str]:
    dates = days.astype("datetime64[D]")
    if unit == "week":
        thursday = (days + 3) // 7 * 7
        years = thursday.astype("datetime64[D]").astype("datetime64[Y]")
        week = (thursday - years.astype("datetime64[D]").astype(np.int64)) // 7 + 1
        return [f"{year}-W{number:02d}" for year, number in zip(years.astype(str), week.tolist(), strict=True)]
    if unit == "quarter":
        months = dates.astype("datetime64[M]").astype(np.int64)
        years = dates.astype("datetime64[Y]").astype(str)
        return [f"{year}-Q{month % 12 // 3 + 1}" for year, month in zip(years, months.tolist(), strict=True)]
    return dates.astype({"day": "datetime64[D]", "month": "datetime64[M]", "year": "datetime64[Y]"}[unit]).astype(str).tolist()


def _masked(value: str, prefix: Prefix) -> tuple[str, ...]:
    steps = [0, *_steps(prefix)]
    return (*(value[: prefix.length - step] + prefix.mask * step for step in steps), ROOT)


def _steps(prefix: Prefix) -> Sequence[int]:
    return prefix.steps or range(1, prefix.length)

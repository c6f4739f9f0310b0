"""The figure of one partition's classes over two quasi-identifiers: rectangles, drawn from published bounds alone."""

import math
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from kveil.report.figures import BLUE, PALE, Picture, drawn
from kveil.report.words import number, percent

Fact = dict[str, Any]

_WIDTH, _ROWS = 740, 14
_SHADES = LinearSegmentedColormap.from_list("rows", ["#d6e8f5", BLUE, "#00334f"])
_EDGE = (0, 0.2, 0.31, 0.75)
_SKEWED = 8
_EPOCH, _YEAR = date(1970, 1, 1), 366


class _Axis(NamedTuple):
    """One quasi-identifier's column: its name and kind, a number's grid, an ordered one's values, each class's interval."""

    name: str
    kind: str
    step: int
    values: list[str]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]

    @property
    def skewed(self) -> bool:
        """Whether most classes would be squeezed into a corner of a plain axis."""
        middle = float(np.median(self.upper))
        return self.kind == "number" and bool(self.lower.min() >= 0) and float(self.upper.max()) > _SKEWED * max(middle, 1)

    def stretched(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Logarithmic from the first cell on, so that small values have room."""
        return np.log1p(np.maximum(values, 0) / self.step)

    def shrunk(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """The values whose places these are."""
        return np.expm1(places) * self.step

    @property
    def sides(self) -> NDArray[np.float64]:
        """Both ends [2, classes] as they lie on the axis, from 0 to 1."""
        ends = np.vstack([self.lower, self.upper])
        ends = self.stretched(ends) if self.skewed else ends
        return (ends - ends.min()) / max(float(np.ptp(ends)), 1e-9)


def partition_picture(facts: Fact) -> Picture:
    """The largest partition's classes as rectangles; no SVG where the release shows no bounds of two columns."""
    title, seen = "Classes of one partition", facts.get("partition_view")
    if not seen:
        return Picture(title, "Not drawn: it needs bounds of two columns with an order.")
    x, y = (_axis(seen, side) for side in ("x", "y"))
    rows = np.array([each[4] for each in seen["classes"]], dtype=np.float64)
    where = ", ".join(seen["partition"].values()) or "the whole release"
    shown = "All" if len(rows) == seen["classes_total"] else f"The {len(rows):,} largest of"
    caption = (
        f"{shown} {seen['classes_total']:,} classes of {where} over {x.name} and {y.name}. Each rectangle is one class: of its "
        f"rows a reader learns that they lie somewhere inside. Small rectangles where people are many, large ones where they are "
        f"few; darker means more rows in the class."
    )
    if seen["others"]:
        caption += f" Classes that differ in other columns ({seen['others']} more) lie over one another, which darkens too."
    alt = _told(x, y, rows, seen["rows_total"])
    return Picture(title, caption, alt, drawn("partition", alt, _ROWS, lambda axes: _draw(axes, x, y, rows), _WIDTH))


def _axis(seen: Fact, side: str) -> _Axis:
    column = seen[side]
    place = 0 if side == "x" else 2
    lower, upper = (np.array([_position(each[place + end], column["kind"]) for each in seen["classes"]]) for end in (0, 1))
    # A class of a single day or cell has a width all the same: that of the day or cell.
    width = {"date": 1, "ordered": 1}.get(column["kind"], column["step"])
    upper = np.maximum(upper + (1 if column["kind"] != "number" else 0), lower + width)
    return _Axis(column["name"], column["kind"], column["step"], column["values"], lower, upper)


def _position(value: Any, kind: str) -> float:
    return float((date.fromisoformat(value) - _EPOCH).days if kind == "date" else value)


def _told(x: _Axis, y: _Axis, rows: NDArray[np.float64], total: int) -> str:
    spans = [f"{number(float(np.median(axis.upper - axis.lower)))} {_unit(axis)}" for axis in (x, y)]
    largest = [number(float(axis.upper.max() - axis.lower.min())) for axis in (x, y)]
    return (
        f"{len(rows):,} rectangles with {percent(float(rows.sum()) / total)} of the partition's rows; half of them span at most "
        f"{spans[0]} (of {largest[0]}) and {spans[1]} (of {largest[1]}); a class has {number(rows.min())} to "
        f"{number(rows.max())} rows."
    )


def _unit(axis: _Axis) -> str:
    return {"date": f"days of {axis.name}", "ordered": f"values of {axis.name}"}.get(axis.kind, f"of {axis.name}")


def _draw(axes: Axes, x: _Axis, y: _Axis, rows: NDArray[np.float64]) -> None:
    """Large rectangles first, so that small ones stay visible; the more they overlap, the clearer they are."""
    shade = LogNorm(rows.min(), max(rows.max(), rows.min() + 1))
    (left, right), (low, high) = x.sides, y.sides
    areas = (right - left) * (high - low)
    clearness = float(np.clip(0.9 / max(float(areas.sum()), 1e-9), 0.16, 0.9))
    for each in np.argsort(-areas, kind="stable"):
        corner, size = (x.lower[each], y.lower[each]), (x.upper[each] - x.lower[each], y.upper[each] - y.lower[each])
        colour = _SHADES(shade(rows[each]))
        axes.add_patch(Rectangle(corner, *size, facecolor=(*colour[:3], clearness), edgecolor=_EDGE, linewidth=0.45))
    _dress(axes, x, horizontal=True)
    _dress(axes, y, horizontal=False)
    samples = dict.fromkeys([int(rows.min()), int(np.sqrt(rows.min() * rows.max())), int(rows.max())])
    handles = [Patch(facecolor=_SHADES(shade(each)), label=f"{each:,} rows") for each in samples]
    axes.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(-0.01, 1), frameon=False, ncols=3, handlelength=1.2, columnspacing=1.4
    )


def _dress(axes: Axes, column: _Axis, horizontal: bool) -> None:
    """Ticks, scale, limits and name of one axis."""
    side = axes.xaxis if horizontal else axes.yaxis
    if column.kind == "date":
        side.set_ticks(*_days(column))
    elif column.kind == "ordered":
        side.set_ticks([place + 0.5 for place in range(len(column.values))], column.values)
    elif column.skewed:
        (axes.set_xscale if horizontal else axes.set_yscale)("function", functions=(column.stretched, column.shrunk))
        side.set_ticks([0, *(10.0**power for power in range(1, 16) if column.step <= 10.0**power <= column.upper.max())])
    if column.kind == "number":
        side.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    # Ticks widen an axis to where they are, so its limits come last.
    (axes.set_xlim if horizontal else axes.set_ylim)(float(column.lower.min()), float(column.upper.max()))
    (axes.set_xlabel if horizontal else axes.set_ylabel)(column.name)
    axes.spines[["left", "bottom"]].set_visible(True)
    axes.spines[["left", "bottom"]].set_color(PALE)


def _days(column: _Axis) -> tuple[list[float], list[str]]:
    """Some days of the axis and what they are called."""
    first, last = column.lower.min(), column.upper.max() - 1
    step = max(1, math.ceil((last - first) / 6))
    days = [float(day) for day in np.arange(first, last + 1, step)]
    form = "%d %b %Y" if last - first > _YEAR else "%d %b"
    return days, [(_EPOCH + timedelta(days=int(day))).strftime(form).lstrip("0") for day in days]

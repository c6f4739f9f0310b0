"""The report's four figures as SVG text: inline, without fonts, scripts or dates, the same bytes for the same facts."""

import io
import math
import re
from collections.abc import Callable
from html import escape
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from kveil.report.findings import asked_k, champion, scored, spending
from kveil.report.words import ALGORITHMS, SCORES, number, ratio, said

Fact = dict[str, Any]

INK, GREY, PALE = "#1b1f24", "#57606a", "#d0d7de"
# Blue and vermilion of Okabe and Ito's palette, which the common kinds of colour blindness keep apart.
BLUE, ORANGE = "#0072b2", "#d55e00"

CLASSES_BY_PEOPLE = "classes_by_people"

_WIDTH = 350
_ROW = 22
_LETTERS = 22

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "kveil",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.5,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": PALE,
    "axes.labelcolor": GREY,
    "xtick.color": GREY,
    "ytick.color": INK,
    "hatch.linewidth": 0.8,
}


class Picture(NamedTuple):
    """A figure: its title, how it is read, all that it shows in words and its SVG; no SVG when nothing was measured."""

    title: str
    caption: str
    alt: str = ""
    svg: str = ""


def pictures(facts: Fact) -> list[Picture]:
    """The figures in the report's order; one whose facts are missing has no SVG and says so."""
    return [_class_sizes(facts), _generalization(facts), _utility(facts), _budget(facts)]


def class_sizes(facts: Fact) -> list[tuple[str, float]]:
    """Size ranges (people per class) with their numbers of classes, smallest first."""
    rows = [row for row in facts["privacy"] if row["metric"] == CLASSES_BY_PEOPLE and row["value"] is not None]
    return sorted(((row["scope"], row["value"]) for row in rows), key=lambda pair: _bounds(pair[0]))


def _bounds(scope: str) -> tuple[float, float]:
    ends = [int(end) for end in re.findall(r"\d+", scope)] or [0]
    return ends[0], ends[-1] if len(ends) > 1 or not scope.endswith("+") else float("inf")


def _class_sizes(facts: Fact) -> Picture:
    title, sizes, k = "People per class", class_sizes(facts), asked_k(facts)
    if not sizes:
        return Picture(title, "Not measured.")
    unsafe = [_bounds(scope)[1] < k for scope, _ in sizes]
    alt = (
        "Number of classes by people in a class: " + "; ".join(f"{scope} people, {number(value)}" for scope, value in sizes) + "."
    )
    alt += f" Classes below k = {k} are orange and hatched." if any(unsafe) else f" No range lies below k = {k}."

    def draw(axes: Axes) -> None:
        colours = [ORANGE if below else BLUE for below in unsafe]
        bars = horizontal_bars(axes, [scope for scope, _ in sizes], [value for _, value in sizes], colours, number)
        for bar, below in zip(bars, unsafe, strict=True):
            bar.set_hatch("////" if below else "")
            bar.set_edgecolor("white")
        axes.set_xlim(0, max(value for _, value in sizes) * 1.22 or 1)
        axes.set_xticks([])

    return Picture(
        title, f"Number of classes by the people they hold; k = {k} was asked.", alt, drawn("class-sizes", alt, len(sizes), draw)
    )


def _generalization(facts: Fact) -> Picture:
    title = "Generalization by column"
    rows = [row for row in facts["privacy"] if row["metric"] == "ncp" and row["value"] is not None]
    if not rows:
        return Picture(title, "Not measured.")
    rows = sorted(rows, key=lambda row: (-row["value"], row["scope"]))
    alt = "Normalized certainty penalty, 0 is exact and 1 is all the same: "
    alt += "; ".join(f"{row['scope']} {ratio(row['value'])}" for row in rows) + "."

    def draw(axes: Axes) -> None:
        horizontal_bars(axes, [row["scope"] for row in rows], [row["value"] for row in rows], [BLUE] * len(rows), ratio)
        axes.set_xlim(0, 1.18)
        axes.set_xticks([0, 0.5, 1], ["0 exact", "0.5", "1 all the same"])

    return Picture(
        title,
        "Normalized certainty penalty (NCP): how much of a column's detail was given up.",
        alt,
        drawn("generalization", alt, len(rows), draw),
    )


def _utility(facts: Fact) -> Picture:
    title, algorithm = "Best model against its baseline", champion(facts)
    pairs = [
        (name, scored(facts, algorithm, "baseline", "clean", metric), scored(facts, algorithm, "release", "generalized", metric))
        for metric, name in SCORES.items()
        if algorithm is not None
    ]
    pairs = [pair for pair in pairs if pair[1] is not None or pair[2] is not None]
    if not pairs:
        return Picture(title, "Not measured.")
    caption = f"{said(ALGORITHMS, str(algorithm))} on held-out people; at the right what training on the release changes."
    alt = "Trained on raw values and trained on the release: "
    alt += "; ".join(f"{name} {ratio(baseline)} and {ratio(ours)}" for name, baseline, ours in pairs) + "."

    def draw(axes: Axes) -> None:
        for place, (_, baseline, ours) in enumerate(pairs):
            if baseline is not None and ours is not None:
                axes.plot([baseline, ours], [place, place], color=GREY, linewidth=1.2, zorder=1)
                axes.text(
                    1.02,
                    place,
                    f"{ours - baseline:+.3f}".replace("-", "\u2212"),
                    va="center",
                    transform=axes.get_yaxis_transform(),
                )
        _dots(axes, [pair[1] for pair in pairs], "trained on raw values", marker="o", facecolor="white")
        _dots(axes, [pair[2] for pair in pairs], "trained on the release", marker="D", facecolor=BLUE)
        axes.set_yticks(range(len(pairs)), [name for name, _, _ in pairs])
        axes.set_ylim(len(pairs) - 0.5, -0.5)
        worst = min(value for pair in pairs for value in pair[1:] if value is not None)
        axes.set_xlim(max(0, math.floor(worst * 10 - 1) / 10), 1)
        axes.grid(axis="x", color=PALE, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), frameon=False, ncols=2, handletextpad=0.1, columnspacing=1)

    return Picture(title, caption, alt, drawn("utility", alt, len(pairs) + 1, draw))


def _budget(facts: Fact) -> Picture:
    title, money = "Privacy budget, epsilon per row", spending(facts)
    if not money["budget"]:
        return Picture(title, "Not measured: the policy has no noise and so no budget.")
    remaining = max(float(money["remaining"]), 0)
    parts = [("this release", float(money["this"]), BLUE, ""), ("other releases", float(money["others"]), GREY, "////"),
             ("remaining", remaining, "white", "")]  # fmt: skip
    alt = f"Of a budget of {money['budget']}, this release spent {money['this']}, other releases {money['others']}; "
    alt += f"{money['remaining']} remains." if remaining == float(money["remaining"]) else "more than the budget is spent."

    def draw(axes: Axes) -> None:
        left = 0.0
        for name, value, colour, hatch in parts:
            edge = "white" if hatch else BLUE
            axes.barh(
                0, value, 0.6, left, color=colour, edgecolor=edge, hatch=hatch, label=f"{name}: {number(value)}", linewidth=1
            )
            left += value
        axes.set_ylim(-0.5, 0.5)
        axes.set_yticks([])
        axes.set_xlim(0, left * 1.02 or 1)
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), frameon=False, ncols=1, handlelength=1.2, handleheight=1)

    return Picture(title, "Spent by releases of this policy, and what remains.", alt, drawn("budget", alt, 4, draw))


def horizontal_bars(axes: Axes, names: list[str], values: list[float], colours: list[str], form: Callable[[Any], str]) -> Any:
    """Horizontal bars, first on top, each with its value at its end."""
    bars = axes.barh(range(len(names)), values, 0.66, color=colours)
    axes.bar_label(bars, [form(value) for value in values], padding=4, color=INK)
    axes.set_yticks(range(len(names)), [name if len(name) <= _LETTERS else name[: _LETTERS - 1] + "…" for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    return bars


def _dots(axes: Axes, values: list[float | None], label: str, **look: Any) -> None:
    """One dot per measured value, each on its own line."""
    places = [place for place, value in enumerate(values) if value is not None]
    axes.scatter([value for value in values if value is not None], places, s=34, edgecolor=BLUE, label=label, zorder=2, **look)


def drawn(name: str, alt: str, rows: int, draw: Callable[[Axes], None], width: int = _WIDTH) -> str:
    """What `draw` draws on a plain pair of axes, as an SVG element that fills the width it is given."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width / 72, (rows * _ROW + 34) / 72), layout=ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02))
        axes = figure.add_subplot()
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.tick_params(length=0)
        draw(axes)
        text = io.StringIO()
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(text, format="svg", metadata=metadata)
    return _inline(text.getvalue(), name, alt)


def _inline(document: str, name: str, alt: str) -> str:
    """The SVG document as an element of a page: ids that no other figure has, the page's size and font, a text for the blind."""
    svg = document[document.index("<svg") :]
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    svg = re.sub(r'xlink:href="#', f'xlink:href="#{name}-', svg)
    box = re.search(r'viewBox="[^"]*"', svg)
    head = f'<svg {box.group() if box else ""} role="img" aria-label="{escape(alt)}" xmlns="http://www.w3.org/2000/svg" '
    return re.sub(r"^<svg[^>]*>", lambda _: head + 'xmlns:xlink="http://www.w3.org/1999/xlink">', svg).strip()

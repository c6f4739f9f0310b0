"""The figures of people registered several times: match weights as bars, and how a weight adds up as a waterfall."""

from itertools import accumulate
from typing import Any, NamedTuple

from matplotlib.axes import Axes

from kveil.report.figures import BLUE, GREY, INK, ORANGE, PALE, Picture, drawn, horizontal_bars
from kveil.report.words import number

Fact = dict[str, Any]

_WIDE = 740
_MINUS = "\N{MINUS SIGN}"


class Step(NamedTuple):
    """One bar of a waterfall: from where the bars before it have led, to where it leads; a total starts at 0."""

    name: str
    start: float
    end: float
    is_total: bool

    @property
    def told(self) -> str:
        """Its height, with its sign where it is a difference."""
        return _signed(self.end - self.start) if not self.is_total else f"{self.end:.1f}".replace("-", _MINUS)


def people_pictures(facts: Fact) -> list[Picture]:
    """A waterfall of all links, one of the weakest where there are enough of them, and the histogram of weights."""
    people = facts["people"]
    if not people or not people["waterfalls"]:
        return []
    waterfalls = [_waterfall(each, people) for each in people["waterfalls"]]
    return [*waterfalls, _histogram(people, facts["asked"]["k"], is_wide=len(waterfalls) % 2 == 0)]


def steps(waterfall: Fact) -> list[Step]:
    """The bars of a waterfall from the prior to the match weight."""
    ends = list(accumulate([each["weight"] for each in waterfall["columns"]], initial=waterfall["prior"]))
    names = [each["column"] for each in waterfall["columns"]]
    between = [Step(name, start, end, False) for name, start, end in zip(names, ends, ends[1:], strict=False)]
    return [Step("prior", 0, ends[0], True), *between, Step("match weight", 0, waterfall["weight"], True)]


def _waterfall(fact: Fact, people: Fact) -> Picture:
    found, limit = steps(fact), people["threshold_weight"]
    title = "Match weight of all links" if fact["whose"] == "all" else "Match weight of the weakest links"
    caption = (
        f"How it adds up, mean over {number(fact['people'])} people: the prior, what each column adds or takes, the sum, each "
        f"as log2 of the odds. "
        f"Broken line: the threshold, {number(people['threshold'])}."
    )
    alt = f"Mean of {number(fact['people'])} people: " + "; ".join(f"{step.name} {step.told}" for step in found)
    alt += f". Linked from {limit:.1f} on."

    def draw(axes: Axes) -> None:
        for place, step in enumerate(found):
            low, high = sorted((step.start, step.end))
            against = step.end < step.start and not step.is_total
            axes.barh(
                place, high - low, 0.66, low, color=GREY if step.is_total else ORANGE if against else BLUE,
                hatch="////" if against else "", edgecolor="white", linewidth=0,
            )  # fmt: skip
            paper = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # so that the broken line crosses no figure
            axes.annotate(step.told, (high, place), (4, 0), textcoords="offset points", va="center", color=INK, bbox=paper)
            if place + 1 < len(found):
                axes.plot([step.end, step.end], [place + 0.33, place + 0.67], color=GREY, linewidth=0.8)
        axes.axvline(limit, color=INK, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
        axes.axvline(0, color=PALE, linewidth=0.9, zorder=0)
        axes.set_yticks(range(len(found)), [step.name for step in found])
        axes.set_ylim(len(found) - 0.5, -0.5)
        ends = [0.0, limit, *(end for step in found for end in (step.start, step.end))]
        spread = max(ends) - min(ends)
        axes.set_xlim(min(ends) - 0.02 * spread, max(ends) + 0.16 * spread)
        axes.spines["left"].set_visible(False)

    return Picture(title, caption, alt, drawn(f"waterfall-{fact['whose']}", alt, len(found) + 1, draw))


def _histogram(people: Fact, k: int, is_wide: bool) -> Picture:
    title, ranges = "People by the match weight of their weakest link", people["weights"]
    names = [f"{_plain(each['lower'])} to {_plain(each['upper'])}" for each in ranges]
    told = [f"{name}, {number(each['people'])}" for name, each in zip(names, ranges, strict=True)]
    alt = "Number of people by match weight: " + "; ".join(told) + "."

    def draw(axes: Axes) -> None:
        counts = [each["people"] for each in ranges]
        horizontal_bars(axes, names, counts, [BLUE] * len(counts), number)
        axes.set_xlim(0, max(counts) * 1.22)
        axes.set_xticks([])

    svg = drawn("match-weights", alt, len(ranges), draw, **({"width": _WIDE} if is_wide else {}))
    caption = f"No range holds fewer than k = {k} people; one that would is joined with the next."
    return Picture(title, caption, alt, svg)


def _plain(value: int) -> str:
    return str(value).replace("-", _MINUS)


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", _MINUS)

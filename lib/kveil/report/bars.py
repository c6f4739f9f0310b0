"""A column's small histogram as an inline SVG element; its only text, for the blind, names the column and counts rows."""

from html import escape
from typing import Any

_WIDTH, _HEIGHT, _GAP = 100, 20, 1


def bars(column: dict[str, Any]) -> str:
    """Bars for the column's counts, the highest filling the height; nothing where there are none. None counts as too few."""
    counts = [count or 0 for count in column["counts"]]
    highest = max(counts, default=0)
    if not highest:
        return ""
    width = _WIDTH / len(counts)
    drawn = "".join(
        f'<rect x="{i * width:g}" y="{_HEIGHT * (1 - count / highest):.2f}" width="{width - _GAP:g}" '
        f'height="{_HEIGHT * count / highest:.2f}"></rect>'
        for i, count in enumerate(counts)
    )
    told = ", ".join("too few to tell" if count is None else f"{count:,}" for count in column["counts"])
    alt = escape(f"Histogram of {column['column']} in the sample, rows by value or range: {told}.")
    head = f'<svg class="bars" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{alt}">'
    return f"{head}{drawn}</svg>"

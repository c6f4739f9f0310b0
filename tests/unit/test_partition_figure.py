"""The picture of a partition: one rectangle per class, where its bounds say, and a text that says the same."""

import re

import pytest
from kveil.report.partition_figure import partition_picture


def view(**changes):
    """Three classes over age and spend (on a grid of 50): one single cell, one whole row, one corner."""
    seen = {
        "partition": {"month": "2024-01", "split": "train"},
        "x": {"name": "age", "kind": "number", "step": 1, "values": []},
        "y": {"name": "spend", "kind": "number", "step": 50, "values": []},
        "others": 0,
        "classes": [[20, 20, 0, 49, 10], [20, 59, 100, 149, 30], [40, 59, 0, 99, 20]],
        "classes_total": 3,
        "rows_total": 60,
    }
    return {"partition_view": {**seen, **changes}}


def boxes(svg: str) -> list[tuple[float, float, float, float]]:
    """Left, right, top and bottom of the filled rectangles inside the axes, in the SVG's units, in the order of drawing."""
    found = []
    for path in re.findall(r'<path d="([^"]*)" clip-path="[^"]*" style="fill: [^"]*stroke-width[^"]*"', svg):
        numbers = [float(value) for value in re.findall(r"-?\d+\.?\d*", path)]
        xs, ys = numbers[::2], numbers[1::2]
        found.append((min(xs), max(xs), min(ys), max(ys)))
    return found


def test_each_class_is_a_rectangle_in_proportion_to_its_bounds():
    drawn = boxes(partition_picture(view()).svg)
    assert len(drawn) == 3
    widths, heights = [right - left for left, right, _, _ in drawn], [bottom - top for _, _, top, bottom in drawn]
    # Drawn largest first: the row of 39 x 50 and the corner of 19 x 99, then the cell of 1 x 50.
    assert {round(width / min(widths)) for width in widths} == {39, 19, 1}
    assert round(max(heights) / min(heights), 1) == 2.0
    assert widths[-1] == min(widths)


def test_a_class_of_one_day_or_one_value_can_be_seen():
    seen = view(
        x={"name": "day", "kind": "date", "step": 1, "values": []},
        y={"name": "size", "kind": "ordered", "step": 1, "values": ["1", "2", "3+"]},
        classes=[["2024-01-05", "2024-01-05", 1, 1, 10], ["2024-01-01", "2024-01-31", 0, 2, 12]],
        classes_total=2,
    )
    picture = partition_picture(seen)
    assert min(right - left for left, right, _, _ in boxes(picture.svg)) > 5
    assert "days of day" in picture.alt
    assert "3+" in picture.svg


def test_the_words_say_how_much_is_shown():
    assert "All 3 classes of 2024-01, train" in partition_picture(view()).caption
    some = partition_picture(view(classes_total=9, rows_total=120, others=4))
    assert "The 3 largest of 9 classes" in some.caption
    assert "(4 more)" in some.caption
    assert "50% of the partition's rows" in some.alt


@pytest.mark.parametrize("seen", [{}, {"partition_view": None}])
def test_without_bounds_there_is_no_picture(seen):
    picture = partition_picture(seen)
    assert picture.svg == ""
    assert "Not drawn" in picture.caption


def test_one_class_of_one_point_is_drawn_too():
    assert len(boxes(partition_picture(view(classes=[[30, 30, 0, 49, 10]], classes_total=1)).svg)) == 1


def test_names_cannot_make_markup_and_the_same_facts_give_the_same_bytes():
    hostile = view(x={"name": "<b>&$x$", "kind": "number", "step": 1, "values": []})
    picture = partition_picture(hostile)
    assert "<b>" not in picture.svg
    assert picture == partition_picture(hostile)

"""What is published of full-domain levels: the released classes' values and what they show, as the levels themselves say."""

import numpy as np
import pytest
from kveil.privacy.coding import NULL, Coding
from kveil.privacy.full_domain import FrozenLevels
from kveil.privacy.published_levels import PublishedLevels, published_levels
from kveil.privacy.taxonomy import Taxonomy

AGES = Coding.of_taxonomy(
    "age",
    Taxonomy.of_paths([(str(age), f"{age // 10 * 10} .. {age // 10 * 10 + 9}", "*") for age in range(20, 60)]),
    "number",
    tuple((age, age) for age in range(20, 60)),
)
POSTS = Coding.of_taxonomy(
    "post", Taxonomy.of_paths([(code, code[:1] + "**", "*") for code in ("101", "102", "203", "301")]), prefix=(3, "*", (2,))
)
TOWNS = Coding("town", "category", values=("bonn", "celle", "quellenhof"), highest=2)
DAYS = Coding("day", "date", lowest=-40_000, highest=30_000)
INCOME = Coding("income", "number", lowest=0, highest=98_765_432)
CODINGS = (AGES, POSTS, TOWNS, DAYS, INCOME)

RAW = {
    "age": np.array([23.0, 29.0, 35.0, np.nan, 51.0]),
    "post": np.array(["101", "102", "203", None, "301"], dtype=object),
    "town": np.array(["bonn", "bonn", "celle", None, "quellenhof"], dtype=object),
    "day": np.array(["2024-01-05", "2024-01-05", "2024-01-06", "2024-01-06", "1903-05-17"], dtype="datetime64[D]"),
    "income": np.array([1.0, 2.0, 3.0, np.nan, 98_765_432.0]),
}


@pytest.fixture(scope="module")
def levels() -> FrozenLevels:
    means = {
        "age": np.full(len(AGES.taxonomy.parent), 33.0),
        "post": np.full(len(POSTS.taxonomy.parent), 0),
        "income": np.array([50.0]),
    }
    return FrozenLevels(CODINGS, (1, 1, 0, 0, 1), (True,) * 5, means, {"income": (0, 99)})


@pytest.fixture(scope="module")
def published(levels) -> PublishedLevels:
    """The last row is suppressed."""
    codes = np.column_stack([each.codes(RAW[each.name]) for each in CODINGS])
    return PublishedLevels.from_bytes(published_levels(levels, levels.ids(codes)[:4]).to_bytes())


def test_released_rows_show_what_the_levels_show_and_others_are_not_covered(levels, published):
    assert published.covers(RAW).tolist() == [True, True, True, True, False]
    for part in ("label", "bounds", "representative"):
        mine = published.shows(part, RAW)
        for coding in CODINGS:
            shown = levels.shown(coding.name, coding.codes(RAW[coding.name]))
            if part == "label":
                assert mine[coding.name].tolist()[:4] == shown.labels[:4]
            elif part == "bounds" and not coding.is_text:
                assert mine[coding.name].tolist()[:4] == list(map(list, zip(shown.lowest, shown.highest, strict=True)))[:4]
            elif part == "representative" and not coding.is_text:
                assert np.array_equal(mine[coding.name][:4], shown.representative[:4], equal_nan=True)


def test_texts_of_representatives_are_texts(published):
    found = published.shows("representative", RAW)
    assert found["town"].tolist() == ["bonn", "bonn", "celle", None, None]
    assert found["post"].tolist() == ["101", "101", "101", None, None]


def test_nothing_of_suppressed_rows_is_published(published):
    told = str(published)
    for value in ("quellenhof", "301", "3**", "98765432", "-24335", "-40000", "50 .. 59"):
        assert value not in told
    unseen = {**RAW, "town": np.array(["x"] * 5, dtype=object), "post": np.array(["999", "", "1*1", "1012", None], dtype=object)}
    assert not published.covers(unseen).any()
    assert published.shows("label", unseen)["town"].tolist() == ["unlisted"] * 5


def test_a_value_between_released_nodes_is_not_covered(published):
    between = {**RAW, "age": np.array([41.0, 59.0, 12.0, np.nan, 35.0])}
    assert published.covers(between).tolist()[:3] == [False, False, False]
    assert published.codings[0].codes(np.array([np.nan]))[0] == NULL

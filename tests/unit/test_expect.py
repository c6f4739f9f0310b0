"""What may be expected of the clean table, and how it is told that it cannot be."""

import pytest
from kveil.settings import Policy
from pydantic import ValidationError

from tests.builders import shop


def policy(*expected, **more):
    return Policy.model_validate(shop(clean__expect=list(expected), **more))


@pytest.mark.parametrize(
    ("one", "says"),
    [
        ({"rule": "not_null", "column": "gone"}, "the clean table has no column 'gone'"),
        ({"rule": "unique", "by": ["customer", "gone"]}, "the clean table has no column 'gone'"),
        (
            {"rule": "referential", "column": "town", "source": "towns", "by": "name"},
            "'towns', which is no source; allowed: sales",
        ),
        ({"rule": "referential", "column": "town", "source": "sales", "by": "name"}, "declares no column 'name'"),
    ],
)
def test_what_is_not_there_is_told(one, says):
    (problem,) = [sentence for key, sentence in policy(one).problems() if key.startswith("clean.expect.0")]
    assert says in problem


@pytest.mark.parametrize(
    ("one", "says"),
    [
        ({"rule": "between", "column": "cents"}, "needs min, max or both"),
        ({"rule": "matches", "column": "town", "pattern": "(a+)+"}, "repeats a group"),
        ({"rule": "between", "column": "cents", "min": 1, "tolerance": 2}, "less than or equal to 1"),
        ({"rule": "guess", "column": "cents"}, "does not match any of the expected tags"),
    ],
)
def test_what_cannot_be_asked_is_refused(one, says):
    with pytest.raises(ValidationError, match=r"clean.expect.0") as raised:
        policy(one)
    assert says in str(raised.value)


def test_derived_and_joined_columns_may_be_expected_and_are_collected():
    sound = policy(
        {"rule": "between", "column": "date", "min": "2020-01-01"}, {"rule": "in_set", "column": "split", "allowed": ["train"]}
    )
    assert [problem for problem in sound.problems() if problem[0].startswith("clean")] == []


def test_every_expectation_says_itself_in_words():
    expected = [
        {"rule": "not_null", "column": "town"},
        {"rule": "unique", "by": ["customer"]},
        {"rule": "in_set", "column": "town", "allowed": ["north", "south"]},
        {"rule": "between", "column": "cents", "min": 0, "max": 10},
        {"rule": "matches", "column": "town", "pattern": "[a-z]+"},
        {"rule": "referential", "column": "town", "source": "sales", "by": "town"},
        {"rule": "row_count_between", "min": 1000},
        {"rule": "freshness", "column": "date", "days": 3},
    ]
    assert [one.words for one in policy(*expected).clean.expect] == [
        "town is never null",
        "customer is unique",
        "town is one of north, south",
        "cents is at least 0 and at most 10",
        "town matches [a-z]+",
        "town stands in town of source sales",
        "rows are at least 1,000",
        "the latest date is at most 3 days old",
    ]

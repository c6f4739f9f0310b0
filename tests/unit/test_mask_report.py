"""Masked columns in the report: technique and reason of each, what was measured, and what is not claimed."""

import copy
import json
from pathlib import Path

import pytest
from kveil.report import findings, words
from kveil.report.mask_words import mask_columns
from kveil.settings import Policy

from tests.builders import shop

GOLDEN = Path(__file__).parents[1] / "golden"
SAID = {"linkable": True, "reason": "because of X"}
MASK = {
    "a": ({"technique": "redact"}, "that there is one"),
    "b": ({"technique": "partial", "keep_first": 2, "keep_last": 4}, "the first 2 and the last 4 characters"),
    "c": ({"technique": "partial", "keep": "domain"}, "the domain of the e-mail address"),
    "d": ({"technique": "pseudonym", "scope": "shared", **SAID}, "recognised again wherever the key is used; key version 3"),
    "e": ({"technique": "encrypt", "format": "card", "keep_first": 6, **SAID}, "valid check digit; the first 6 stay"),
    "f": ({"technique": "fake", "kind": "first_name", **SAID}, "a made-up first name for each person"),
    "g": ({"technique": "date_shift", "days": 30, **SAID}, "up to 30 days"),
    "h": ({"technique": "round", "to": "0.5"}, "nearest multiple of 0.5"),
    "i": ({"technique": "round", "to": "month"}, "beginning of its month"),
    "j": ({"technique": "bin", "edges": [1, 2]}, "its range, of 3"),
    "k": ({"technique": "top_bottom", "lower": "2020-01-01", "upper": "2024-01-01"}, "not below 2020-01-01 and not above"),
    "l": ({"technique": "scrub", **SAID}, "became the names of their types"),
    "n": (
        {
            "technique": "top_bottom",
            "quantiles": {"upper": "0.99"},
            "within": {"lower": 0, "upper": 5000},
            "epsilon": "0.5",
            **SAID,
        },
        "0.99 of rows lie below the upper, found privately between 0 and 5,000 at ε = 0.5",
    ),
    "m": ({"technique": "swap"}, "each beside another row of its class"),
}


@pytest.fixture(scope="module")
def columns():
    asked = {name: {"reason": "because of X", **given} for name, (given, _) in MASK.items()}
    keys = {version: f"secret://env/KEY_{version}" for version in (1, 3)}
    release = Policy.model_validate(shop(anonymize__mask=asked, anonymize__mask_keys=keys)).anonymize
    found = [
        {"column": name, "role": "masked", "kind": technique, "parameters": given}
        for name, technique, given in mask_columns(release)
    ]
    assert "KEY_" not in json.dumps(found)
    return json.loads(json.dumps(found))


def test_each_column_says_what_it_shows_whether_it_links_and_why(columns):
    for column in columns:
        told = words.parameters(column)
        assert MASK[column["column"]][1] in told
        assert told.endswith("reason given: because of X")
        assert ("may be told from others" in told) == ("linkable" in MASK[column["column"]][0])


def test_what_masks_do_not_promise_is_said_where_there_are_masks(columns):
    facts = json.loads((GOLDEN / "report_facts.json").read_text(encoding="utf-8"))
    before = findings.not_claimed(facts)
    masked = copy.deepcopy(facts)
    masked["asked"]["columns"] += columns
    more = [sentence for sentence in findings.not_claimed(masked) if sentence not in before]
    assert len(more) == 5
    assert "d, e, f, g, l, n may link them" in more[0]
    assert "e can be decrypted" in more[1]
    assert "a swapped value (m)" in more[2] and "l-diversity" in more[2]
    assert "of the values of n. Their bounds have it" in more[3]
    assert "free text (l) names nobody" in more[4]


def test_every_measure_of_masks_has_words():
    for metric in ("mask_people_min", "mask_singled_out_share", "mask_class_singled_out_share", "mask_collisions", "unicity_4"):
        assert words.words_of(metric).group == words.MASKS

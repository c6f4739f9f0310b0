"""What the report says of law: counts that follow from the logs, and sentences that are true for the facts."""

import copy
import json
from pathlib import Path

import pytest
from kveil.report import findings, render
from kveil.report.law_facts import law_facts, models_with_erased
from kveil.report.law_findings import law_sentences, law_troubles
from kveil.rights.erase import Erasure, told_erasure
from kveil.settings import Policy

from tests.builders import shop

CLEAN = "clean.bank_rows"


@pytest.fixture
def facts():
    return json.loads((Path(__file__).parents[1] / "golden" / "report_facts.json").read_text(encoding="utf-8"))


def ran(stage, version, build=""):
    return {"stage": stage, "build": build, "reads": {CLEAN: version} if stage == "train" else {}, "writes": {CLEAN: version}}


def held(version, people, table=CLEAN, state="requested"):
    return {"request": f"r{version}", "state": state, "table": table, "version": version, "people": people, "rows": 9}


RUNS = [ran("clean", 0), ran("train", 0, "first"), ran("clean", 4), ran("train", 4, "second")]
MODELS = [
    {"build": build, "release_id": f"of {build}", "trained_on": "release", "algorithm": algorithm}
    for build in ("first", "second")
    for algorithm in ("trees", "regression")
]


def counted(erased):
    return {fact["release_id"]: (fact["certain"], fact["possible"]) for fact in models_with_erased(MODELS, RUNS, erased, CLEAN)}


def test_a_model_is_named_with_the_people_who_were_in_the_table_it_read():
    assert counted([held(0, 2)]) == {"of first": (2, 0)}
    # Versions 1 to 3 only took rows away: who was there then was there when the first model was trained.
    assert counted([held(0, 2), held(3, 1)]) == {"of first": (3, 0)}
    # Who was in a later table may have been in an earlier one or not.
    assert counted([held(0, 2), held(5, 4)]) == {"of first": (2, 4), "of second": (4, 0)}
    assert models_with_erased(MODELS, RUNS, [held(0, 1)], CLEAN)[0]["algorithms"] == "regression, trees"


def test_people_without_rows_in_the_clean_table_are_in_no_model():
    assert counted([held(0, 0), held(4, 3, table="raw.bank_rows"), held(4, 3, state="proven"), held(None, 3, table=None)]) == {}
    assert models_with_erased(MODELS, [], [held(0, 2)], CLEAN) == []


def test_troubles_are_what_the_law_asks_and_is_not_there(facts):
    assert list(law_troubles(facts)) == []
    lacking = copy.deepcopy(facts)
    lacking["law"]["limits"] = []
    lacking["law"]["erasures"] |= {"late": 2, "pending": 1}
    for row in lacking["law"]["record"]:
        row["value"] = None if row["item"] in ("controller", "recipients") else row["value"]
    told = "\n".join(findings.troubles(lacking))
    assert "Erasure requests that were not proven within 30 days, as the law asks: 2;" in told
    assert "does not say how long raw and clean rows are kept" in told
    assert "The record of processing lacks: controller, contact, recipients of releases." in told
    assert "not proven yet: 1" in render.markdown(lacking)
    unasked = copy.deepcopy(lacking)
    unasked["law"]["limits_are_asked"] = False
    assert not any("how long" in trouble for trouble in law_troubles(unasked))


def test_erasure_stops_at_the_release_whatever_happened(facts):
    quiet = copy.deepcopy(facts)
    quiet["law"]["erasures"] = dict.fromkeys(quiet["law"]["erasures"], 0)
    quiet["law"]["models"], quiet["law"]["retained"], quiet["law"]["not_collected"] = [], [], []
    for said in (facts, quiet):
        assert "Released tables hold no link to a person, so erasure stops there." in " ".join(law_sentences(said))
        for document in (render.markdown(said), render.html(said)):
            assert "Art. 17" in document and "§ 1798.105" in document
    assert "nobody asked for it so far" in " ".join(law_sentences(quiet))
    assert "Every declared column is used" in " ".join(law_sentences(quiet))


def test_nothing_is_called_deidentified_that_was_not_published(facts):
    assert any("Deidentification" in sentence for sentence in law_sentences(facts))
    assert not any("Deidentification" in sentence for sentence in law_sentences({**facts, "release": None}))


def test_the_record_names_what_the_policy_tells():
    told = law_facts(Policy.model_validate(shop(law={"retention": {"raw": 90}}, report={"contact": "dpo@example.org"})))
    record = {row["item"]: row["value"] for row in told["record"]}
    assert record["controller"] == "dpo@example.org" and record["retention"] == "raw: 90 days" and record["purpose"] == "testing"
    assert record["categories"] == "age, bought_at, cents, item, reduced, town"
    bare = {row["item"]: row["value"] for row in law_facts(Policy.model_validate(shop()))["record"]}
    assert bare["controller"] is None and bare["retention"] is None


@pytest.mark.parametrize(
    ("done", "lines"),
    [
        (Erasure("", 2, 2), ["people erased before, about whom nothing was done: 2"]),
        (
            Erasure("ab", 3, 1, tables=2, rows=1200, files=5),
            [
                "request ab: people erased: 2; rows: 1,200; tables that held them: 2; files that remain and were read: 5; none "
                "holds them",
                "people erased before, about whom nothing was done: 1",
            ],
        ),
        (
            Erasure("ab", 1, 0, 1, 7, None),
            ["request ab: people erased: 1; rows: 7; tables that held them: 1; the tables were read again; none holds them"],
        ),
    ],
)
def test_what_became_of_a_request_is_told_in_lines(done, lines):
    assert told_erasure(done) == lines

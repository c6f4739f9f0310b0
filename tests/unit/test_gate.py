"""The gate: every threshold binds, what is missing is not met, baselines are never chosen."""

import math
from types import SimpleNamespace

import pytest
from kveil.deploy.gate import decision
from kveil.settings.models import Deploy, Gate

POLICY = SimpleNamespace(
    anonymize=SimpleNamespace(k=10),
    deploy=Deploy(model="m", gate=Gate(min_auc=0.7, max_auc_loss=0.05, max_prosecutor_risk=0.1)),
)


def auc(algorithm, trained_on, view, value):
    return {"algorithm": algorithm, "trained_on": trained_on, "view": view, "metric": "auc_roc", "value": value}


def privacy(metric, value, measured_on="staging"):
    return {"measured_on": measured_on, "metric": metric, "value": value}


UTILITY = [
    auc("linear", "release", "generalized", 0.70),
    auc("trees", "release", "generalized", 0.75),
    auc("trees", "release", "clean", 0.99),
    auc("trees", "baseline", "clean", 0.80),
    auc("linear", "baseline", "clean", 0.95),
    auc("linear", "baseline", "generalized", 0.99),
    {"algorithm": "trees", "trained_on": "release", "view": "generalized", "metric": "f1", "value": 0.1},
]
PRIVACY = [
    privacy("prosecutor_risk_max", 0.1),
    privacy("class_people_min", 10.0),
    privacy("class_people_min", 1.0, "release"),
    privacy("prosecutor_risk_max", 1.0, "clean"),
]


def failed(decided):
    return [check.name for check in decided.checks if not check.met]


def test_thresholds_themselves_are_allowed():
    decided = decision(POLICY, UTILITY, PRIVACY)
    assert decided.passed and decided.algorithm == "trees" and decided.refusal("m") == ""
    measured = {check.name: check.measured for check in decided.checks}
    assert measured == {
        "min_auc": 0.75,
        "max_auc_loss": pytest.approx(0.05),
        "max_prosecutor_risk": 0.1,
        "k": 10.0,
    }


@pytest.mark.parametrize(
    ("utility", "people", "expected"),
    [
        ([auc("t", "release", "generalized", 0.69), auc("t", "baseline", "clean", 0.7)], PRIVACY, ["min_auc"]),
        ([auc("t", "release", "generalized", 0.75), auc("t", "baseline", "clean", 0.81)], PRIVACY, ["max_auc_loss"]),
        (UTILITY, [privacy("prosecutor_risk_max", 0.11), privacy("class_people_min", 10)], ["max_prosecutor_risk"]),
        (UTILITY, [privacy("prosecutor_risk_max", 0.1), privacy("class_people_min", 9)], ["k"]),
        (UTILITY, [], ["max_prosecutor_risk", "k"]),
        ([], PRIVACY, ["min_auc", "max_auc_loss"]),
        ([row for row in UTILITY if row["trained_on"] != "baseline"], PRIVACY, ["max_auc_loss"]),
        (UTILITY, [*PRIVACY, privacy("class_people_min", None)], ["k"]),
        (UTILITY, [*PRIVACY, privacy("prosecutor_risk_max", math.nan)], ["max_prosecutor_risk"]),
    ],
)
def test_each_check_refuses_by_itself(utility, people, expected):
    decided = decision(POLICY, utility, people)
    assert failed(decided) == expected
    assert not decided.passed


def test_an_undefined_score_is_no_score():
    decided = decision(POLICY, [auc("t", "release", "generalized", None), auc("t", "baseline", "clean", 0.8)], PRIVACY)
    assert decided.algorithm is None
    assert failed(decided) == ["min_auc", "max_auc_loss"]


def test_of_several_measurements_the_worst_counts():
    people = [*PRIVACY, privacy("prosecutor_risk_max", 0.5), privacy("class_people_min", 2)]
    assert failed(decision(POLICY, UTILITY, people)) == ["max_prosecutor_risk", "k"]


def test_the_refusal_is_one_sentence_with_both_numbers():
    people = [privacy("prosecutor_risk_max", 0.25)]
    sentence = decision(POLICY, UTILITY, people).refusal("m")
    assert sentence == (
        "deploy: m was not registered because "
        "deploy.gate.max_prosecutor_risk: the highest prosecutor risk is 0.25 where at most 0.1 is demanded; "
        "anonymize.k: people in the smallest class was not measured where at least 10 is demanded"
    )

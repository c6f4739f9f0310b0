"""The privacy models on a table: SQL against brute-force counting in Python, and the kernel's numbering against both."""

import math
from collections import defaultdict
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from kveil.anonymize import references as references_module
from kveil.anonymize.columns import PERSON, of_class
from kveil.anonymize.references import references
from kveil.anonymize.remeasure_models import model_metrics
from kveil.errors import ContractError
from kveil.settings.anonymize import Anonymize

ILLNESSES = ["flu", "cold", "asthma", "ulcer", None]
TREE = {"lungs": {"infection": ["flu", "cold", "pneumonia"], "chronic": ["asthma"]}, "stomach": ["ulcer", "gastritis"]}
PATHS = {
    "flu": ("lungs", "infection"), "cold": ("lungs", "infection"), "pneumonia": ("lungs", "infection"),
    "asthma": ("lungs", "chronic"), "ulcer": ("stomach",), "gastritis": ("stomach",), None: ("null",),
}  # fmt: skip
ORDER = ["cold", "flu", "ulcer", "gastritis", "asthma"]
ASKED = {
    "illness": {
        "t": 0.9,
        "distance": "hierarchical",
        "hierarchy": TREE,
        "beta": 9,
        "entropy": 1.1,
        "recursive": {"c": 99, "l": 2},
    },
    "severity": {"t": 0.9, "distance": "ordered", "order": ORDER},
    "salary": {"t": 0.9, "distance": "ordered", "recursive": {"c": 99, "l": 3}},
    "paid_on": {"t": 0.9},
}
TYPES = "person string, town string, age string, age_lo bigint, illness string, severity string, salary double, paid_on date"


def settings(**sensitive) -> Anonymize:
    return Anonymize.model_validate(
        {
            "release": "rows",
            "k": 2,
            "partition_by": ["town"],
            "quasi_identifiers": {"age": {"kind": "number"}},
            "sensitive": sensitive or ASKED,
        }
    )


def rows(seed: int = 4, size: int = 400) -> list[tuple]:
    """Classes with a null label, people with many rows in many classes, a person with a third of all, nulls everywhere."""
    random = np.random.default_rng(seed)
    made = []
    for i in range(size):
        person = "p0" if i % 3 == 0 else f"p{random.integers(0, 60)}"
        town = ["north", None, "south"][random.integers(3)]
        age = [None, "18 .. 29", "30 .. 44"][random.integers(3)]
        illness = ILLNESSES[min(random.integers(5), random.integers(5))]
        severity = [*ORDER[:3], None][random.integers(4)]
        salary = [None, float("nan"), -0.0, 0.0, 1000.0, 2500.0][random.integers(6)]
        paid = [date(2024, 1, int(random.integers(1, 5))), None][random.integers(6) // 5]
        made.append((person, town, age, None if age is None else int(age[:2]), illness, severity, salary, paid))
    return [*made, (None, "north", None, None, "gastritis", "asthma", 9.0, None)]


@pytest.fixture(scope="module")
def clean(spark):
    return spark.createDataFrame(rows(), TYPES)


@pytest.fixture(scope="module")
def metrics(staging, clean):
    return model_metrics(staging, clean, "person", settings())


@pytest.fixture(scope="module")
def staging(clean):
    """Staging rows as the kernel writes them: without the rows of nobody and, here, without one partition."""
    shown = clean.where("person IS NOT NULL AND NOT town <=> 'south'").withColumnRenamed("person", PERSON)
    return shown.selectExpr("*", "age_lo + 11 AS age_hi", "CAST(age_lo AS double) AS age_rep")


# --- the oracle: counting with dictionaries, distances by their definitions ---


def value_of(value):
    """Null, NaN and zero as one value each."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value + 0.0
    return value


def pairs_of(table: list[tuple], column: int) -> dict:
    held = defaultdict(set)
    for row in table:
        if row[0] is not None:
            held[value_of(row[column])].add(row[0])
    return {value: len(people) for value, people in held.items()}


def shares(pairs: dict) -> dict:
    total = sum(pairs.values())
    return {value: count / total for value, count in pairs.items()}


def height_of_common(one, two) -> float:
    if one == two:
        return 0.0
    heights = {"infection": 1, "chronic": 1, "lungs": 2, "stomach": 1}
    shared = [node for node in PATHS[one] if node in PATHS[two]]
    return heights[shared[-1]] / 3 if shared else 1.0


def transport(p: dict, q: dict, distance) -> float:
    from scipy.optimize import linprog

    values = list(q)
    size = len(values)
    cost = [distance(one, two) for one in values for two in values]
    rows_ = np.vstack([np.kron(np.eye(size), np.ones(size)), np.kron(np.ones(size), np.eye(size))])
    demand = [p.get(value, 0) for value in values] + [q[value] for value in values]
    return linprog(cost, A_eq=rows_, b_eq=demand).fun


def ordered_distance(order: list):
    return lambda one, two: abs(order.index(one) - order.index(two)) / (len(order) - 1)


def expected(name: str, column: int) -> dict[str, float]:
    table = rows()
    q = shares(pairs_of(table, column))
    classes = defaultdict(list)
    for row in table:
        if row[0] is not None and row[1] != "south":
            classes[row[1:4]].append(row)
    role = settings().sensitive[name]
    orders = {
        "severity": [None, *ORDER],
        "salary": [None, 0.0, 1000.0, 2500.0, "nan"],
    }
    found = defaultdict(list)
    for members in classes.values():
        counts = pairs_of(members, column)
        p = shares(counts)
        r = sorted(counts.values(), reverse=True)
        found["entropy_l_min"].append(math.exp(-sum(share * math.log(share) for share in p.values())))
        found["beta_max"].append(max([(share - q[value]) / q[value] for value, share in p.items()]))
        found["t_equal_max"].append(sum(abs(p.get(value, 0) - q[value]) for value in q) / 2)
        if role.recursive:
            tail = sum(r[role.recursive.l - 1 :])
            found["recursive_c_max"].append(r[0] / tail if tail else math.inf)
        if role.distance == "ordered":
            everything = {value: q.get(value, 0) for value in orders[name]}
            found["t_ordered_max"].append(transport(p, everything, ordered_distance(orders[name])))
        if role.distance == "hierarchical":
            found["t_hierarchical_max"].append(transport(p, q, height_of_common))
    return {measure: (min if measure.endswith("min") else max)(values) for measure, values in found.items()}


def test_sql_measures_what_counting_finds(metrics):
    found = defaultdict(dict)
    for metric in metrics:
        found[metric.scope][metric.name] = metric.value
    for column, name in enumerate(ASKED, start=4):
        assert found[name] == pytest.approx(expected(name, column), abs=1e-9), name


def test_thresholds_are_judged_by_their_side(staging, clean):
    truth = expected("illness", 4)
    entropy, c = truth["entropy_l_min"], truth["recursive_c_max"]
    t, beta = truth["t_hierarchical_max"], truth["beta_max"]

    def met(**asked) -> list[bool]:
        role = {"distance": "hierarchical", "hierarchy": TREE, **asked}
        return [m.met for m in model_metrics(staging, clean, "person", settings(illness=role)) if m.met is not None]

    assert met(entropy=entropy, recursive={"c": c + 1e-6, "l": 2}, t=t, beta=beta) == [True] * 4
    assert met(entropy=entropy + 1e-6, recursive={"c": c, "l": 2}, t=t - 1e-6, beta=beta - 1e-6) == [False] * 4


def test_a_value_that_no_clean_row_held_is_never_close(staging, clean):
    invented = staging.withColumn("paid_on", staging.paid_on + 1000)
    metrics = model_metrics(invented, clean, "person", settings(paid_on={"t": 0.99, "beta": 1000}))
    assert [metric.met for metric in metrics if metric.met is not None] == [False, False]


def test_the_kernels_rules_say_the_same_of_every_class(staging, clean, metrics):
    """The arrays' way: numbers of Arrow columns, counts, holds; at the very thresholds that SQL measures."""
    staged = staging.toArrow()
    people = staged[PERSON].to_numpy()
    class_of = staged.select(of_class(settings())).to_pandas().astype(str).agg("|".join, axis=1)
    for reference in references(clean, "person", settings()):
        numbers = reference.numbers(staged[reference.name])
        held = [
            np.bincount([number for number, _ in {*zip(numbers[at], people[at], strict=True)}], minlength=len(reference.values))
            for at in class_of.groupby(class_of).indices.values()
        ]
        _, l = reference.rule.recursive or (0, 0)  # noqa: E741
        asked = {"distinct": 1, "entropy": 0.0, "recursive": None, "t": None, "beta": None}
        for metric in (m for m in metrics if m.scope == reference.name):
            just, not_quite = {
                "entropy_l_min": ({"entropy": metric.value}, {"entropy": metric.value + 1e-6}),
                "recursive_c_max": ({"recursive": (metric.value + 1e-6, l)}, {"recursive": (metric.value, l)}),
                "beta_max": ({"beta": metric.value}, {"beta": metric.value - 1e-6}),
            }.get(metric.name) or [
                {"t": metric.value - less, "distance": metric.name.removeprefix("t_").removesuffix("_max")} for less in (0, 1e-6)
            ]
            for rule, verdict in ((just, True), (not_quite, False)):
                judge = replace(reference.rule, **{**asked, **rule})
                assert all(judge.holds(counts) for counts in held) is verdict, (metric.scope, metric.name)


def test_values_are_numbered_null_first_and_in_order(clean):
    illness, severity, salary, paid_on = references(clean, "person", settings())
    assert illness.values.to_pylist() == [None, "asthma", "cold", "flu", "ulcer"]
    assert severity.values.to_pylist() == [None, *ORDER]
    assert severity.rule.reference[ORDER.index("gastritis") + 1] == 0
    assert [value_of(value) for value in salary.values.to_pylist()] == [None, 0.0, 1000.0, 2500.0, "nan"]
    assert salary.numbers(pa.array([-0.0, 0.0, None, float("nan")])).tolist() == [1, 1, 0, 4]
    assert paid_on.rule.reference.sum() == pytest.approx(1)
    with pytest.raises(ValueError, match="was not there"):
        illness.numbers(pa.array(["measles"]))


def test_columns_that_are_not_compared_cost_no_pass(clean, monkeypatch):
    monkeypatch.setattr(references_module, "_whole_table", None)
    one, two = references(clean, "person", settings(illness={"distinct": 3}, salary={"entropy": 2}))
    assert (one.rule.distinct, two.rule.entropy, two.rule.distinct) == (3, 2, 1)
    assert one.numbers(pa.chunked_array([["b", None], ["b", "a"]])).tolist() == [0, 1, 0, 2]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"severity": {"t": 0.2, "distance": "ordered"}}, "texts need an order"),
        ({"salary": {"t": 0.2, "distance": "ordered", "order": ["1"]}}, "remove order"),
        ({"salary": {"t": 0.2, "distance": "hierarchical", "hierarchy": TREE}}, "hierarchy holds texts"),
        ({"severity": {"t": 0.2, "distance": "ordered", "order": ["cold", "flu"]}}, "order: 1 values"),
        ({"illness": {"t": 0.2, "distance": "hierarchical", "hierarchy": {"all": ["flu"]}}}, "hierarchy: 3 values"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(clean, asked, says):
    with pytest.raises(ContractError, match=says) as caught:
        references(clean, "person", settings(**asked))
    assert "\n" not in str(caught.value)


def test_too_many_values_are_refused(spark, monkeypatch):
    monkeypatch.setattr(references_module, "MOST_VALUES", 5)
    many = spark.createDataFrame(pd.DataFrame({"person": range(12), "salary": [i / 2 for i in range(12)], "paid_on": [1] * 12}))
    with pytest.raises(ContractError, match=r"sensitive\.salary: found more than 5 values"):
        references(many, "person", settings(paid_on={"t": 0.2}, salary={"t": 0.2}))

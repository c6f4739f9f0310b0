"""Histories: what is left after suppression, and what SQL says of it, against brute force over all sets of known points."""

from collections import defaultdict
from itertools import combinations

import numpy as np
import pytest
from kveil.anonymize import stage, trajectories
from kveil.anonymize.columns import PERSON, of_class
from kveil.anonymize.hiding import hidden_rows
from kveil.anonymize.remeasure_trajectories import trajectory_metrics
from kveil.anonymize.trajectories import POINT, histories, point, safe_histories
from kveil.errors import ContractError
from kveil.settings.disclosure import Trajectory
from kveil.tables.schema import CLEAN, PRIVACY_METRICS, RELEASE, STAGING, TRAJECTORIES

from tests.builders import clean_rows, context, purchases, shop

TYPES = f"{PERSON} string, date string, shop string, illness string"


def rows(seed: int = 1, people: int = 40) -> list[tuple]:
    """Skewed points, null days, illnesses that lean on shops, people of one row and of many, equal rows."""
    random = np.random.default_rng(seed)
    made = []
    for i in range(people):
        for _ in range(random.integers(1, 7)):
            day = [None, "d1", "d2", "d3"][min(random.integers(4), random.integers(4))]
            shop = ["east", "west"][random.integers(2)]
            illness = [None, "flu", "cold", "ulcer"][random.integers(4)] if random.random() < 0.5 else ["flu", "cold"][i % 2]
            made.append((f"p{i}", day, shop, illness))
    return [*made, *made[:5], ("p0", "d9", "east", "flu")]


def asked(known: int, share: float | None = None) -> Trajectory:
    confidence = {"column": "illness", "share": share} if share else None
    return Trajectory.model_validate({"points": ["date", "shop"], "known": known, "confidence": confidence})


def brute_force(table: list[tuple], known: int, values=(None, "flu", "cold", "ulcer")) -> tuple[int, float]:
    """The fewest people of a set that someone holds, and the greatest share of them with the same illness."""
    points, illnesses = defaultdict(set), defaultdict(set)
    for person, day, place, illness in table:
        points[person].add((day, place))
        illnesses[person].add(illness)
    holders = defaultdict(set)
    for person, held in points.items():
        for size in range(1, known + 1):
            for some in combinations(sorted(held, key=str), size):
                holders[some].add(person)
    shares = [
        max(sum(value in illnesses[person] for person in people) for value in values) / len(people) for people in holders.values()
    ]
    return min(len(people) for people in holders.values()), max(shares)


@pytest.fixture
def keep(spark):
    """Keeps a round's rows in memory, where the stage keeps them in a table."""
    return lambda df: spark.createDataFrame(df.collect(), df.schema).coalesce(1)


def left_of(spark, table, want, k, keep):
    staging = spark.createDataFrame(table, TYPES).coalesce(2)
    safe = safe_histories(histories(staging, want), want, k, keep).select(PERSON, POINT).distinct()
    kept = staging.withColumn(POINT, point(want.points)).join(safe, [PERSON, POINT], "left_semi").drop(POINT)
    return sorted((tuple(row) for row in kept.collect()), key=str)


@pytest.mark.parametrize(("known", "share"), [(1, None), (2, None), (3, 0.8), (3, None)])
def test_sql_measures_what_brute_force_finds(spark, known, share):
    people, most = brute_force(rows(), known)
    metrics = trajectory_metrics(spark.createDataFrame(rows(), TYPES), asked(known, share), 3)
    assert [metric.value for metric in metrics] == ([people] if share is None else [people, pytest.approx(most)])
    assert [metric.met for metric in metrics] == ([people >= 3] if share is None else [people >= 3, most <= share])


@pytest.mark.parametrize(
    ("known", "share", "some"),
    [(1, None, 10), pytest.param(2, None, 10, marks=pytest.mark.long), (3, 0.8, 10), (2, None, 0)],
)
def test_what_is_left_is_safe_by_brute_force(spark, keep, monkeypatch, known, share, some):
    monkeypatch.setattr(trajectories, "_ROUNDS_OF_SOME", some)
    left = left_of(spark, rows(), asked(known, share), 4, keep)
    people, most = brute_force(left, known)
    assert people >= 4
    assert share is None or most <= share
    assert 0 < len(left) < len(rows())


def test_only_rare_points_go_where_single_points_are_known(spark, keep):
    holders = defaultdict(set)
    for person, day, place, _ in rows():
        holders[day, place].add(person)
    expected = sorted((row for row in rows() if len(holders[row[1], row[2]]) >= 4), key=str)
    assert left_of(spark, rows(), asked(1), 4, keep) == expected


def test_the_rarest_point_of_an_unsafe_pair_goes_and_the_order_of_rows_does_not_matter(spark, keep):
    """One of four people holds a rare and a common point together; losing the rare one leaves it safe with three."""
    common = [(f"p{i}", "d1", "east", None) for i in range(6)]
    rare = [(f"p{i}", "d2", "west", None) for i in (0, 10, 11, 12)]
    expected = sorted([*common, *rare[1:]], key=str)
    assert left_of(spark, common + rare, asked(2), 3, keep) == expected
    assert left_of(spark, (common + rare)[::-1], asked(2), 3, keep) == expected


def test_too_many_sets_are_one_sentence(spark, keep, monkeypatch):
    monkeypatch.setattr(trajectories, "MOST_SETS", 10)
    with pytest.raises(ContractError, match=r"sets of 2 points, more than the 10 that are looked at; lower known"):
        left_of(spark, rows(), asked(2), 2, keep)


def test_a_release_hides_histories_and_keeps_its_classes_whole(store, monkeypatch):
    """The stage from clean rows to publication; staging is kept for the test to count people in pandas."""
    trajectory = {"points": ["month", "town"], "known": 2, "k": 8, "confidence": {"column": "item", "share": 0.95}}
    ctx = context(store, shop(anonymize__trajectory=trajectory, anonymize__suppression_limit=0.9), "anonymize")
    store.replace(ctx.ref(CLEAN), clean_rows(store.spark, purchases()))
    monkeypatch.setattr(stage, "destroy_link", lambda ctx: 0)
    stage.run(ctx)
    staging = store.read(ctx.ref(STAGING)).where("kveil_tree IS NULL").toPandas()
    release, metrics = (store.read(ctx.ref(table)).toPandas() for table in (RELEASE, PRIVACY_METRICS))
    metrics = metrics.set_index("metric")
    table = list(staging[[PERSON, "month", "town", "item"]].itertuples(index=False, name=None))
    people, most = brute_force(table, 2, [None, "milk", "bread", "wine"])
    assert people >= 8
    assert most <= 0.95
    assert metrics.value["trajectory_people_min"] == people
    assert metrics.value["trajectory_confidence_max"] == pytest.approx(most)
    classes = staging.groupby(of_class(ctx.policy.anonymize), dropna=False)
    assert classes[PERSON].nunique().min() >= 5
    assert classes["item"].nunique(dropna=False).min() >= 2
    assert len(release) == len(staging) == len(purchases()) - metrics.value["suppressed_rows"]
    assert store.version(ctx.ref(TRAJECTORIES)) is None
    before = store.version(ctx.ref(STAGING))
    assert before > 0
    assert hidden_rows(ctx, "again", store.read(ctx.ref(CLEAN))) == 0
    assert store.version(ctx.ref(STAGING)) == before

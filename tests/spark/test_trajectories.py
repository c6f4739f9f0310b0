"""Histories: what is left after suppression, and what SQL says of it, against brute force over all sets of known points."""

from collections import defaultdict
from itertools import combinations

import numpy as np
import pytest
from kveil.anonymize import trajectories
from kveil.anonymize.columns import PERSON
from kveil.anonymize.remeasure_trajectories import trajectory_metrics
from kveil.anonymize.trajectories import POINT, histories, point, safe_histories
from kveil.errors import ContractError
from kveil.settings.disclosure import Trajectory

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


def brute_force(table: list[tuple], known: int) -> tuple[int, float]:
    """The fewest people of a set that someone holds, and the greatest share of them with the same illness."""
    points, illnesses = defaultdict(set), defaultdict(set)
    for person, day, shop, illness in table:
        points[person].add((day, shop))
        illnesses[person].add(illness)
    holders = defaultdict(set)
    for person, held in points.items():
        for size in range(1, known + 1):
            for some in combinations(sorted(held, key=str), size):
                holders[some].add(person)
    shares = [
        max(sum(value in illnesses[person] for person in people) for value in (None, "flu", "cold", "ulcer")) / len(people)
        for people in holders.values()
    ]
    return min(len(people) for people in holders.values()), max(shares)


@pytest.fixture
def keep(store):
    """Writes a round and reads it back, as the stage does."""
    from kveil.tables.declaration import TableRef

    def written(df):
        ref = TableRef("restricted", "rounds")
        store.replace(ref, df)
        return store.read(ref, store.version(ref))

    return written


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


@pytest.mark.parametrize(("known", "share", "some"), [(1, None, 10), (2, None, 10), (3, 0.8, 10), (2, None, 0)])
def test_what_is_left_is_safe_by_brute_force(spark, keep, monkeypatch, known, share, some):
    monkeypatch.setattr(trajectories, "_ROUNDS_OF_SOME", some)
    left = left_of(spark, rows(), asked(known, share), 4, keep)
    people, most = brute_force(left, known)
    assert people >= 4
    assert share is None or most <= share
    assert 0 < len(left) < len(rows())


def test_only_rare_points_go_where_single_points_are_known(spark, keep):
    holders = defaultdict(set)
    for person, day, shop, _ in rows():
        holders[day, shop].add(person)
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

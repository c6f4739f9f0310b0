"""The lattice search is exact: it finds what looking at every node finds, with fewer looks."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.anonymize.full_domain import check_model
from kveil.errors import ContractError
from kveil.privacy.coding import NULL, Coding, named
from kveil.privacy.frequency import FrequencySet, class_numbers
from kveil.privacy.full_domain import FrozenLevels, generalized, height, penalty
from kveil.privacy.labels import members
from kveil.privacy.lattice import MOST_NODES, Checked, optimal
from kveil.privacy.models import Model, PopulationRule, SensitiveRule
from kveil.privacy.published_levels import PublishedLevels, is_levels, published_levels
from kveil.privacy.taxonomy import Taxonomy


@st.composite
def tables(draw: st.DrawFn):
    """Codings with and without hierarchies, and rows of codes with people, nulls and frequent buyers among them."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    codings = []
    for i in range(draw(st.integers(1, 3))):
        size = draw(st.integers(1, 6))
        if draw(st.booleans()):
            fine, coarse = random.integers(0, 3, size), random.integers(0, 2, 3)
            rows = [(f"v{j}", f"f{fine[j]}", f"c{coarse[fine[j]]}", "*") for j in range(size)]
            codings.append(Coding.of_taxonomy(f"q{i}", Taxonomy.of_paths(rows)))
        else:
            codings.append(Coding(f"q{i}", "number", lowest=0, highest=size - 1))
    rows = draw(st.integers(1, 60))
    codes = np.column_stack([random.integers(0, coding.highest + 1, rows) for coding in codings])
    codes[random.random(codes.shape) < draw(st.sampled_from([0.0, 0.1]))] = NULL
    people = random.integers(0, draw(st.integers(1, 40)), rows)
    return codings, codes, people, random.integers(0, 3, (rows, 1))


def naive(codings, codes, people, sensitive, k, levels):
    """Suppressed rows and mean loss by dictionaries alone."""
    held: dict = {}
    for row in range(len(codes)):
        key = []
        for coding, code, level in zip(codings, codes[row].tolist(), levels, strict=True):
            top = level == height(coding) - 1
            node = None if code == NULL or coding.taxonomy is None else coding.taxonomy.leaf_node[code]
            for _ in range(level if node is not None else 0):
                node = coding.taxonomy.parent[node]
            key.append("top" if top else code if node is None else ("node", int(node)))
        held.setdefault(tuple(key), []).append(row)
    safe = [
        rows
        for rows in held.values()
        if len({int(people[row]) for row in rows}) >= k and len({int(sensitive[row, 0]) for row in rows}) >= 2
    ]
    kept = [row for rows in safe for row in rows]
    losses = np.mean([penalty(coding, codes[:, i], levels[i]) for i, coding in enumerate(codings)], axis=0)
    suppressed = len(codes) - len(kept)
    return Checked(suppressed, (sum(losses[row] for row in kept) + suppressed) / len(codes))


@given(tables(), st.integers(1, 6), st.floats(0, 1))
def test_the_optimum_is_that_of_looking_at_every_node(table, k, limit):
    codings, codes, people, sensitive = table
    looks = []

    def check(levels):
        looks.append(levels)
        return naive(codings, codes, people, sensitive, k, levels)

    most = int(limit * len(codes))
    penalties = [
        np.array([penalty(coding, codes[:, i], level).mean() for level in range(height(coding))])
        for i, coding in enumerate(codings)
    ]
    found = optimal(penalties, check, most)
    every = [naive(codings, codes, people, sensitive, k, levels) for levels in product(*(range(height(c)) for c in codings))]
    allowed = [each.loss for each in every if each.suppressed <= most]
    assert (found is None) == (not allowed)
    if found is not None:
        assert found.loss == pytest.approx(min(allowed))
        assert found.suppressed <= most
        again = naive(codings, codes, people, sensitive, k, found.levels)
        assert (again.suppressed, again.loss) == (found.suppressed, pytest.approx(found.loss))
        assert found.checked == len(looks) == len(set(looks)) <= len(every)


def test_a_large_lattice_is_decided_by_few_looks():
    """Eight columns of five levels; safe from a sum of 14 levels on: 390,625 nodes."""
    penalties = [np.array([0, 0.1, 0.3, 0.6, 1.0]) * (i + 1) / 8 for i in range(8)]
    base = np.array(penalties)

    def check(levels):
        loss = sum(base[i, level] for i, level in enumerate(levels)) / 8
        short = max(14 - sum(levels), 0)
        return Checked(short, loss + short / 14 * (1 - loss))

    found = optimal(penalties, check, 0)
    exact = min(check(levels).loss for levels in product(range(5), repeat=8) if sum(levels) == 14)
    assert found.loss == pytest.approx(exact)
    assert found.checked < 4_000


def test_a_lattice_beyond_search_is_refused():
    with pytest.raises(ValueError, match=f"{MOST_NODES:,}"):
        optimal([np.zeros(2)] * 40, lambda levels: Checked(0, 0.0), 0)


@given(tables(), st.data())
def test_the_frequency_set_counts_people_and_values_of_any_classes(table, data):
    _, codes, people, sensitive = table
    once = np.ones(len(codes), dtype=np.int64)
    found = FrequencySet.of(codes, people, once, sensitive)
    assert found.rows.sum() == len(codes)
    classes = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(found.codes), max_size=len(found.codes))))
    by_code = {tuple(code): number for code, number in zip(found.codes.tolist(), classes.tolist(), strict=True)}
    class_of_row = np.array([by_code[tuple(code)] for code in codes.tolist()])
    for number in range(4):
        rows = class_of_row == number
        assert found.people_in(classes, 4)[number] == len(set(people[rows].tolist()))
        assert found.values_in(0, classes, 4)[number] == len(set(sensitive[rows, 0].tolist()))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), min_size=1), st.booleans())
def test_class_numbers_tell_rows_apart_and_have_no_gaps(rows, wide):
    columns = [np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)]
    sizes = [2**40, 2**40] if wide else [5, 3]
    numbers = class_numbers(columns, sizes).tolist()
    assert len(set(zip(rows, numbers, strict=True))) == len(set(rows)) == len(set(numbers)) == max(numbers) + 1


@given(tables(), st.data())
def test_frozen_levels_show_labels_that_hold_the_value_and_survive_bytes(table, data):
    codings, codes, _, _ = table
    levels = tuple(data.draw(st.integers(0, height(coding) - 1)) for coding in codings)
    has_null = tuple(bool((codes[:, i] == NULL).any()) for i in range(len(codings)))
    representatives = {
        coding.name: np.zeros(len(coding.taxonomy.names) if coding.taxonomy else 1, dtype=np.int64 if coding.is_text else float)
        for coding, level in zip(codings, levels, strict=True)
        if level
    }
    ends = {coding.name: (0, int(coding.highest)) for coding in codings if not coding.is_text}
    frozen = FrozenLevels(tuple(codings), levels, has_null, representatives, ends)
    kept = frozen.ids(codes)[: len(codes) // 2 + 1]
    data = published_levels(frozen, kept).to_bytes()
    assert is_levels(data)
    raw = {
        coding.name: named(coding, codes[:, i]) if coding.is_text else np.where(codes[:, i] == NULL, np.nan, codes[:, i])
        for i, coding in enumerate(codings)
    }
    published = PublishedLevels.from_bytes(data)
    assert published.covers(raw).tolist() == [row in kept.tolist() for row in frozen.ids(codes).tolist()]
    labels = published.shows("label", raw)
    for i, coding in enumerate(codings):
        mine = frozen.shown(coding.name, codes[:, i]).labels
        assert labels[coding.name].tolist()[: len(kept)] == mine[: len(kept)]
    for i, coding in enumerate(codings):
        column = frozen.shown(coding.name, codes[:, i])
        for code, label, low, high in zip(codes[:, i].tolist(), column.labels, column.lowest, column.highest, strict=True):
            assert coding.is_text or (low <= code <= high) or label.endswith("or null")
            if coding.taxonomy is not None:
                names, null = members(label, coding)
                assert null if code == NULL else coding.values[code] in names
        ids = generalized(coding, codes[:, i], levels[i]).tolist()
        assert len(set(zip(ids, column.labels, strict=True))) == len(set(ids)) == len(set(column.labels))


def test_a_model_that_levels_are_not_searched_by_is_refused():
    check_model(Model(5, (SensitiveRule(3),)))
    for model in (Model(5, (SensitiveRule(3, t=0.2),)), Model(5, population=PopulationRule(k_map=9))):
        with pytest.raises(ContractError, match="take algorithm"):
            check_model(model)

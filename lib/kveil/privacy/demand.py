"""What both sides of a cut must hold, counted over people while rows are added one by one."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.diversity import holds
from kveil.privacy.jit import compiled
from kveil.privacy.models import Model, SensitiveRule
from kveil.privacy.space import OUTSIDE, PERSON, VALUES

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]
F64 = NDArray[np.float64]


class Demand(NamedTuple):
    """A model as arrays. Per sensitive column i: `distinct` values, the further `rules` row where `general`, and its part
    [value_offset[i] : value_offset[i+1]] of `reference` and `node_of_value` and [tree_offset[i] : ...] of its tree.
    """

    k: int
    distinct: I64
    general: NDArray[np.bool_]
    rules: F64
    value_offset: I64
    reference: F64
    node_of_value: I64
    tree_offset: I64
    parent: I64
    height: I64
    k_map: int
    delta_min: float
    delta_max: float


def demand(model: Model, sizes: tuple[int, ...]) -> Demand:
    """The model for a fragment whose sensitive columns have so many values; without rules nothing is asked of them."""
    asked = model.rules or (SensitiveRule(),) * len(sizes)
    parts = [_values_of(rule, size) for rule, size in zip(asked, sizes, strict=True)]
    rules = np.array([rule.as_array() for rule in asked], dtype=np.float64).reshape(len(parts), len(SensitiveRule().as_array()))
    none = np.empty(0, dtype=np.int64)
    return Demand(
        model.k,
        np.array([rule.distinct for rule in asked], dtype=np.int64),
        np.array([rule.asks_more for rule in asked], dtype=bool),
        rules,
        np.cumsum([0, *(len(reference) for reference, _ in parts)]),
        np.concatenate([np.empty(0), *(reference for reference, _ in parts)]),
        np.concatenate([none, *(node for _, node in parts)]),
        np.cumsum([0, *(len(rule.parent) for rule in asked)]),
        np.concatenate([none, *(rule.parent for rule in asked)]),
        np.concatenate([none, *(rule.height for rule in asked)]),
        model.population.k_map,
        model.population.delta_min,
        model.population.delta_max,
    )


def _values_of(rule: SensitiveRule, size: int) -> tuple[F64, I64]:
    """The rule's reference and nodes, filled up to the number of values where it needs none."""
    size = max(size, len(rule.reference))
    reference, nodes = np.zeros(size), np.zeros(size, dtype=np.int64)
    reference[: len(rule.reference)] = rule.reference
    nodes[: len(rule.node_of_value)] = rule.node_of_value
    return reference, nodes


class Tally(NamedTuple):
    """A running count: `token` tells which marks are of the present count; numbers are [people, outsiders] and per
    sensitive column its distinct values; `counts` the people per value.
    """

    token: I64
    number: I64
    distinct: I64
    counts: I64
    person: I64
    outsider: I64
    value: I64
    pair: I64


def tally(demand: Demand, people: int, pairs: int) -> Tally:
    """An empty count for so many people (of the release and of the population together) and (person, value) pairs."""

    def numbers(size: int) -> I64:
        return np.zeros(size, dtype=np.int64)

    values, s = int(demand.value_offset[-1]), len(demand.distinct)
    return Tally(
        numbers(1), numbers(2), numbers(s), numbers(values), numbers(people), numbers(people), numbers(values), numbers(pairs)
    )


@compiled
def cleared(tally: Tally, demand: Demand) -> None:
    """Starts a new count."""
    tally.token[0] += 1
    tally.number[:] = 0
    tally.distinct[:] = 0
    if demand.general.any():
        tally.counts[:] = 0


@compiled
def added(table: I32, rows: I64, d: int, tally: Tally, demand: Demand) -> None:
    """Counts these rows: their people and, per sensitive column, their values and the pairs of both, each once."""
    # What a loop takes from a tuple of arrays is counted as a reference at every turn: twenty times the loop's own work.
    token, number, people_seen, outsiders_seen = tally.token[0], tally.number, tally.person, tally.outsider
    people, outsiders = number[0], number[1]
    for row in rows:
        person = table[row, d + PERSON]
        if table[row, d + OUTSIDE]:
            if outsiders_seen[person] != token:
                outsiders_seen[person] = token
                outsiders += 1
        elif people_seen[person] != token:
            people_seen[person] = token
            people += 1
    number[0], number[1] = people, outsiders
    for i in range(len(demand.distinct)):
        _values_added(table, rows, d, i, tally, demand)


@compiled
def _values_added(table: I32, rows: I64, d: int, i: int, tally: Tally, demand: Demand) -> None:
    """Counts the values of sensitive column i and, where its rule asks for more, the people of each."""
    token, seen, pairs_seen, counts = tally.token[0], tally.value, tally.pair, tally.counts
    offset, of_values, general, distinct = demand.value_offset[i], d + VALUES + 2 * i, demand.general[i], tally.distinct[i]
    for row in rows:
        if table[row, d + OUTSIDE]:
            continue
        value = offset + table[row, of_values]
        if seen[value] != token:
            seen[value] = token
            distinct += 1
        if general:
            pair = table[row, of_values + 1]
            if pairs_seen[pair] != token:
                pairs_seen[pair] = token
                counts[value] += 1
    tally.distinct[i] = distinct


@compiled
def may_be_cut(table: I32, start: int, end: int, d: int, tally: Tally, demand: Demand) -> bool:
    """Whether two sides could hold k people each, a person with several rows standing on both; spares most leaves a search."""
    if end - start < 2 * demand.k:
        return False
    once, twice = tally.token[0] + 1, tally.token[0] + 2
    tally.token[0] = twice
    places = 0
    for row in range(start, end):
        if table[row, d + OUTSIDE]:
            continue
        person = table[row, d + PERSON]
        seen = tally.person[person]
        if seen != twice:
            tally.person[person] = twice if seen == once else once
            places += 1
            if places >= 2 * demand.k:
                return True
    return False


@compiled
def met(tally: Tally, demand: Demand) -> bool:
    """Whether the rows counted so far satisfy the model."""
    people, outsiders = tally.number
    if people < demand.k or outsiders < demand.k_map:
        return False
    if outsiders and not demand.delta_min * outsiders <= people <= demand.delta_max * outsiders:
        return False
    for i in range(len(demand.distinct)):
        if tally.distinct[i] < demand.distinct[i]:
            return False
    for i in range(len(demand.distinct)):
        if demand.general[i]:
            a, b = demand.value_offset[i], demand.value_offset[i + 1]
            x, y = demand.tree_offset[i], demand.tree_offset[i + 1]
            if not holds(
                tally.counts[a:b], demand.reference[a:b], demand.rules[i], demand.parent[x:y], demand.height[x:y],
                demand.node_of_value[a:b],
            ):  # fmt: skip
                return False
    return True


@compiled
def is_lasting(demand: Demand) -> bool:
    """Whether more rows can only help, so that counting may stop as soon as the model is met."""
    return not demand.general.any() and demand.k_map == 0 and demand.delta_min == 0 and demand.delta_max >= 1

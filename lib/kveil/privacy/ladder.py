"""Classes by climbing levels: rows leave for a class as soon as enough people share one, at the least loss first.

Every column has levels, from the value itself to the whole domain (a taxonomy its own). Combinations of levels are tried in
ascending order of what they would lose; groups that satisfy the model become classes, the others go on, as ARX's local
recoding re-anonymizes what a transformation suppressed (Prasser, Bild, Kuhn 2016).
"""

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.coding import NULL
from kveil.privacy.models import Model, SensitiveRule
from kveil.privacy.space import Fragment
from kveil.privacy.taxonomy import Taxonomy

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

MOST_COMBINATIONS = 20_000
_PARTS = (64, 16, 4)
"""Into how many equal ranges an ordered column without a taxonomy is cut, level by level."""


def climbed(fragment: Fragment, model: Model) -> I64 | None:
    """Each row's class, from 0; None where there are too many combinations or some rows found no class.

    Every class satisfies the model. Rows of the population are not known here.
    """
    levels = [list(_levels(fragment, j)) for j in range(fragment.codes.shape[1])]
    if np.prod([float(len(each)) for each in levels]) > MOST_COMBINATIONS:
        return None
    classes = np.full(len(fragment.codes), -1, dtype=np.int64)
    left, made = np.arange(len(classes)), 0
    for chosen in _ascending(levels):
        if not left.size:
            break
        group = _numbered([ids[left] for ids, _ in chosen])
        safe = _safe(fragment, model, left, group)
        in_safe = safe[group]
        classes[left[in_safe]] = (np.cumsum(safe) - 1 + made)[group[in_safe]]
        made += int(safe.sum())
        left = left[~in_safe]
    return None if left.size else classes


def _levels(fragment: Fragment, j: int) -> Iterator[tuple[I64, float]]:
    """Per level each row's generalized value and the mean penalty of the level."""
    codes = fragment.codes[:, j]
    taxonomy = fragment.taxonomies[j] if fragment.taxonomies else None
    if taxonomy is not None:
        yield from _of_taxonomy(codes, taxonomy)
        return
    yield codes, 0.0
    known = codes != NULL
    if not fragment.is_set[j] and known.any():
        lowest = int(codes[known].min())
        for parts in _PARTS:
            width = fragment.span[j] // parts + 1
            if 1 < width < fragment.span[j]:
                yield np.where(known, (codes - lowest) // width, NULL), (width - 1) / fragment.span[j]
    yield np.zeros_like(codes), 1.0


def _of_taxonomy(codes: I64, taxonomy: Taxonomy) -> Iterator[tuple[I64, float]]:
    known = codes >= 0
    for level in range(taxonomy.levels - 1):
        nodes = taxonomy.ancestor_at(level)[np.where(known, codes, 0)]
        share = (taxonomy.sizes[nodes] - 1) / max(taxonomy.leaves - 1, 1)
        yield np.where(known, nodes, codes), float(np.where(known, share, 0.0).mean())
    yield np.zeros_like(codes), 1.0


def _ascending(levels: list[list[tuple[I64, float]]]) -> list[tuple[tuple[I64, float], ...]]:
    return sorted(itertools.product(*levels), key=lambda chosen: sum(loss for _, loss in chosen))


def _numbered(columns: list[I64]) -> I64:
    """Equal rows get equal numbers, from 0."""
    number = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        values, index = np.unique(column, return_inverse=True)
        number = np.unique(number * len(values) + index, return_inverse=True)[1]
    return number


def _safe(fragment: Fragment, model: Model, rows: I64, group: I64) -> NDArray[np.bool_]:
    """Per group of rows whether it satisfies the model."""
    groups = int(group.max()) + 1
    safe = _distinct(group, fragment.people[rows], groups) >= model.k
    for i, rule in enumerate(model.rules):
        values = fragment.sensitive[rows, i]
        if rule.distinct > 1:
            safe &= _distinct(group, values, groups) >= rule.distinct
        if rule.asks_more and safe.any():
            safe[safe] = _holding(rule, group, fragment.people[rows], values, np.flatnonzero(safe))
    return safe


def _distinct(group: I64, values: I64, groups: int) -> I64:
    width = int(values.max(initial=0)) + 1
    return np.bincount(np.unique(group * width + values) // width, minlength=groups)


def _holding(rule: SensitiveRule, group: I64, people: I64, values: I64, asked: I64) -> list[bool]:
    size = max(len(rule.reference), int(values.max(initial=0)) + 1)
    pairs = np.unique(np.column_stack([group, people, values]), axis=0)
    ends = np.searchsorted(pairs[:, 0], asked), np.searchsorted(pairs[:, 0], asked, side="right")
    return [bool(rule.holds(np.bincount(pairs[a:b, 2], minlength=size))) for a, b in zip(*ends, strict=True)]

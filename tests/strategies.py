"""Hypothesis strategies and reproducible words that several tests share."""

import numpy as np
from hypothesis import strategies as st
from kveil.privacy.coding import NULL
from kveil.privacy.randomness import KeyedBits, derived_key
from kveil.privacy.space import Fragment


def seeded_bits(seed: int, size: int) -> KeyedBits:
    """Reproducible words for `size` cells, for tests alone: the product has no seed."""
    return KeyedBits(derived_key(b"a secret of tests alone", seed), np.arange(size, dtype=np.uint64))


@st.composite
def fragments(draw: st.DrawFn) -> Fragment:
    """Small tables with nulls, ties, frequent buyers, ordered and unordered columns."""
    rows = draw(st.integers(1, 120))
    dimensions = draw(st.integers(1, 4))
    seed = draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    codes = generator.integers(0, draw(st.integers(1, 12)), (rows, dimensions))
    codes[generator.random(codes.shape) < draw(st.sampled_from([0, 0.2, 1]))] = NULL
    people = generator.integers(0, draw(st.integers(1, 60)), rows)
    if draw(st.booleans()):
        people[: rows // 2] = 0
    sensitive = generator.integers(0, 4, (rows, 1))
    is_set = tuple(bool(flag) for flag in generator.integers(0, 2, dimensions))
    return Fragment(codes.astype(np.int64), people.astype(np.int64), sensitive.astype(np.int64), is_set, (12,) * dimensions)

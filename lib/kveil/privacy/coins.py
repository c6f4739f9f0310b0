"""Exact coins: no probability is ever rounded. Canonne, Kamath and Steinke 2020, algorithm 1, vectorised over cells."""

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.randomness import Bits, below

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
B1 = NDArray[np.bool_]
Whole = NDArray[np.object_]
"""Python integers, of any size."""


def exp_coins(numerator: U64, denominator: int, cells: I64, bits: Bits) -> B1:
    """Coins that show True with probability exp(-numerator / denominator), for ratios in [0, 1]; denominator < 2**56."""
    rounds = np.ones(numerator.size, dtype=np.int64)
    running = np.arange(numerator.size)
    step = 1
    while running.size:
        bound = np.full(running.size, denominator * step, dtype=np.uint64)
        running = running[below(bound, cells[running], bits) < numerator[running]]
        rounds[running] += 1
        step += 1
    return rounds % 2 == 1


def exp_coins_of_any_size(numerator: Whole, denominator: int, cells: I64, bits: Bits) -> B1:
    """Coins that show True with probability exp(-numerator / denominator), for non-negative integers of any size."""
    whole, rest = numerator // denominator, numerator % denominator
    alive = _small_exp_coins(rest, denominator, cells, bits)
    rounds = 1
    while (running := np.flatnonzero(alive & (whole >= rounds))).size:
        alive[running] = exp_coins(np.ones(running.size, dtype=np.uint64), 1, cells[running], bits)
        rounds += 1
    return alive


def _small_exp_coins(numerator: Whole, denominator: int, cells: I64, bits: Bits) -> B1:
    rounds = np.ones(numerator.size, dtype=np.int64)
    running = np.arange(numerator.size)
    step = 1
    while running.size:
        running = running[ratio_coins(numerator[running], denominator * step, cells[running], bits)]
        rounds[running] += 1
        step += 1
    return rounds % 2 == 1


def ratio_coins(numerator: Whole, denominator: int, cells: I64, bits: Bits) -> B1:
    """Coins that show True with probability numerator / denominator, for integers of any size and ratios in [0, 1].

    A uniform number's binary digits are drawn 64 at a time until they differ from the ratio's.
    """
    shown = np.zeros(numerator.size, dtype=bool)
    todo, left = np.arange(numerator.size), numerator
    while todo.size:
        shifted = left * 2**64
        digits, left = shifted // denominator, shifted % denominator
        words = bits.words(cells[todo])[:, 0].astype(object)
        shown[todo[words < digits]] = True
        same = (words == digits).astype(bool)
        todo, left = todo[same], left[same]
    return shown

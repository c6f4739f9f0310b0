"""Random numbers as functions of (seed, row id, name of the draw), so that no partitioning, retry or order changes a value."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

_STEP = 2.0**-53
"""The distance of two uniform numbers: a hash's upper 53 bits, all that a double holds."""


@dataclass(frozen=True)
class Draws:
    """The draws of one kind of row. `key` is a bigint that names the row; two draws are independent when their names differ.

    `of` names the kind (customer, transaction), so that customer 7 and transaction 7 have nothing in common.
    """

    seed: int
    of: str
    key: Column

    def bits(self, name: str) -> Column:
        """64 evenly spread bits, as a bigint: xxHash64 of the row's key under a salt made of seed, kind and name."""
        return F.xxhash64(F.lit(salt(self.seed, self.of, name)), self.key)

    def uniform(self, name: str) -> Column:
        """A double from 0 to 1, 1 excluded."""
        return F.shiftrightunsigned(self.bits(name), 11) * F.lit(_STEP)

    def below(self, bound: int | Column, name: str) -> Column:
        """A bigint from 0 to bound - 1, each as likely."""
        return F.floor(self.uniform(name) * bound)

    def normal(self, name: str) -> Column:
        """A standard normal double (Box and Muller 1958); between -8.6 and 8.6, since a uniform number has 53 bits."""
        radius = F.sqrt(-2 * F.log(1 - self.uniform(f"{name} radius")))
        return radius * F.cos(F.lit(2 * math.pi) * self.uniform(f"{name} angle"))

    def chance(self, share: float | Column, name: str) -> Column:
        """True with this probability."""
        return self.uniform(name) < share

    def pick(self, weights: Sequence[float], name: str) -> Column:
        """An int from 0 to len(weights) - 1 in proportion to the weights (Walker's alias method, one draw, two look-ups)."""
        keep, alias = alias_table(weights)
        place = self.uniform(name) * len(weights)
        slot = F.floor(place).cast("int")
        stays = place - slot < at(constant(keep, "array<double>"), slot)
        return F.when(stays, slot).otherwise(at(constant(alias, "array<int>"), slot))

    def pick_of(self, tables: Sequence[Sequence[float]], which: Column, name: str) -> Column:
        """As `pick`, by the weights of table number `which`; the tables are equally long."""
        keep, alias = zip(*map(alias_table, tables), strict=True)
        place = self.uniform(name) * len(tables[0])
        slot = F.floor(place).cast("int")
        stays = place - slot < at(at(constant(keep, "array<array<double>>"), which), slot)
        return F.when(stays, slot).otherwise(at(at(constant(alias, "array<array<int>>"), which), slot))


def salt(seed: int, of: str, name: str) -> int:
    """A signed 64-bit number that differs with seed, kind and name."""
    return int.from_bytes(hashlib.sha256(f"{seed}\0{of}\0{name}".encode()).digest()[:8], "big", signed=True)


def alias_table(weights: Sequence[float]) -> tuple[list[float], list[int]]:
    """For each slot the probability to keep it, and who gets the rest (Vose 1991). Weights are not negative, not all zero."""
    count, total = len(weights), math.fsum(weights)
    if not total > 0 or min(weights) < 0:
        raise ValueError("weights are not negative, and one is positive")
    share = [weight * count / total for weight in weights]
    keep, alias = [1.0] * count, list(range(count))
    small = [i for i, each in enumerate(share) if each < 1]
    large = [i for i, each in enumerate(share) if each >= 1]
    while small and large:
        low, high = small.pop(), large[-1]
        keep[low], alias[low] = share[low], high
        share[high] -= 1 - share[low]
        if share[high] < 1:
            small.append(large.pop())
    return keep, alias


def zipf(count: int, exponent: float = 1.0) -> list[float]:
    """Zipf's weights of ranks 1 to count."""
    return [rank**-exponent for rank in range(1, count + 1)]


def permuted(index: Column, count: int, name: str, seed: int) -> Column:
    """Another index below `count` for each index below it, none twice: multiplied by a prime, shifted, modulo count.

    The prime is above the largest count, so it has no factor in common with any; the product stays within 64 bits.
    """
    if not 0 < count < _PRIME:
        raise ValueError(f"count is from 1 to {_PRIME - 1:,}")
    return F.pmod(index * F.lit(_PRIME) + F.lit(salt(seed, "permutation", name) % count), F.lit(count))


_PRIME = 2_147_483_647


def at(values: Column, index: Column) -> Column:
    """The value at an index that counts from 0."""
    return F.element_at(values, (index + 1).cast("int"))


def constant(values: Sequence[object], kind: str) -> Column:
    """Values as one literal that the optimiser computes once, instead of one expression per value."""
    return F.from_json(F.lit(json.dumps(values, ensure_ascii=False)), kind)

"""A tree over codes as a Spark SQL expression over the columns that were coded.

A tree names a column at many nodes, and Java compiles no long method: so what a number is to the tree stands in a column of
its own, computed once per row.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.hierarchies import number_of
from kveil.privacy.coding import NULL, Coding
from kveil.privacy.tree import LEAF, Tree

I64 = NDArray[np.int64]
_CELL = "_kveil_cell_"


def with_cells(rows: DataFrame, codings: tuple[Coding, ...]) -> DataFrame:
    """The rows with the columns that `leaf` reads beside those that were coded."""
    return rows.withColumns({_CELL + coding.name: _cell(coding) for coding in codings if not coding.is_text})


def without_cells(rows: DataFrame, codings: tuple[Coding, ...]) -> DataFrame:
    """The rows without these columns."""
    return rows.drop(*[_CELL + coding.name for coding in codings])


def leaf(tree: Tree, codings: tuple[Coding, ...], given: tuple[Coding, ...] = (), node: int = 0) -> Column:
    """The leaf that a row `with_cells` reaches from a node: what `Tree.leaf_of` finds for its codes, nulls included.

    `codings` are those that the tree's codes are of; `given` are the whole table's, where these do not list every text.
    """
    given = given or codings
    if tree.dimension[node] == LEAF:
        return F.lit(int(tree.leaf[node]))
    coding, every = codings[tree.dimension[node]], given[tree.dimension[node]]
    members = tree.member_code[tree.member_node == node]
    left = _is_member(coding, every, members) if members.size else _at_most(coding, int(tree.threshold[node]))
    return F.when(left, leaf(tree, codings, given, tree.left[node])).otherwise(leaf(tree, codings, given, tree.right[node]))


def _at_most(coding: Coding, threshold: int) -> Column:
    """Whether the code is at most the threshold; null is the lowest code."""
    column, highest = F.col(coding.name), _highest(coding, threshold)
    if coding.kind == "ordered":
        below = column.isin(list(coding.values[: highest + 1])) if highest >= 0 else column.isNull()
    else:
        below = F.col(_CELL + coding.name) <= F.lit(highest)
    return F.coalesce(below, F.lit(True))


def _highest(coding: Coding, threshold: int) -> int:
    """The highest value on the whole table's grid that goes where the threshold's cell goes: up to the next cell."""
    above = [low for low, _ in coding.cells if low > threshold]
    return above[0] - 1 if coding.cells and above and threshold >= coding.cells[0][0] else threshold


def _is_member(coding: Coding, every: Coding, members: I64) -> Column:
    known = np.sort(members[members >= 0])
    # Asked for null first: no list that is empty, as one without null may be, says null to it.
    null = F.lit(bool((members == NULL).any()))
    if coding.is_text:
        return F.when(F.col(coding.name).isNull(), null).otherwise(_is_text_of(coding, every, known))
    return F.when(F.col(_CELL + coding.name).isNull(), null).otherwise(_in_cells(coding, known))


def _is_text_of(coding: Coding, every: Coding, codes: I64) -> Column:
    text, texts = F.col(coding.name).cast("string"), np.array([*every.values, None], dtype=object)[:-1]
    found = text.isin(texts[np.isin(coding.codes(texts), codes)].tolist())
    return found | ~text.isin(texts.tolist()) if coding.other in codes else found


def _in_cells(coding: Coding, codes: I64) -> Column:
    """Whether the value lies in one of these leaves' cells; the first and the last reach to infinity."""
    value, found = F.col(_CELL + coding.name), F.lit(False)
    starts = [low for low, _ in coding.cells]
    # Neighbouring leaves make one range.
    ends = [*np.flatnonzero(np.diff(codes, prepend=-2) != 1).tolist(), len(codes)]
    for first, last in ((int(codes[a]), int(codes[b - 1])) for a, b in pairwise(ends)):
        above = value >= starts[first] if first else F.lit(True)
        found |= above & (value < starts[last + 1]) if last + 1 < len(starts) else above
    return found


def _cell(coding: Coding) -> Column:
    """The number's or day's cell on the coding's grid."""
    column = F.col(coding.name)
    return F.unix_date(column) if coding.holds == "date" else F.floor(number_of(column) / coding.step)

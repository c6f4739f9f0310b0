"""Rows of the base that came twice: alike in what matters, within seconds of each other."""

from collections.abc import Collection
from dataclasses import dataclass

import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.clean.near import is_near_duplicate
from kveil.clean.suggest.look import Look
from kveil.clean.suggest.made import Found, made
from kveil.profile.concepts import concept_of
from kveil.settings.clean import NearDuplicates
from kveil.settings.recipe import Duplicates

SECONDS = 10
_MOST_NULL = 0.01
_FEWEST_ROWS = 20
_ASKED = 0.6
"""Two equal payments within seconds may both be meant, so a person is asked."""


@dataclass(frozen=True)
class Twice:
    """Rows that are alike another in every column, of which one stays without a step; and the step for rows that nearly are."""

    exact: int
    step: Duplicates | None


def came_twice(look: Look, rows: DataFrame, person: str, time: str, keys: Collection[str]) -> Twice:
    """The base's rows that came twice: alike in the person and all that tells rows apart but keys, moments and columns with gaps.

    Two passes over the rows, one of them by person.
    """
    by = _alike_in(look, person, time, keys)
    different, near = rows.select(*look.types).distinct(), F.lit(False)
    if look.types.get(time) == "timestamp" and person in by and len(by) > 1:
        near = is_near_duplicate(different, NearDuplicates(by=by, seconds=SECONDS), time)
    found = different.select(near.alias("near")).agg(F.count("*").alias("rows"), F.count_if("near").alias("near")).first()
    assert found is not None, "an aggregation without groups has one row"
    return Twice(look.rows - found["rows"], _step(look, time, by, found["near"]) if found["near"] else None)


def _step(look: Look, time: str, by: list[str], near: int) -> Duplicates:
    reason = f"{near:,} of {look.rows:,} rows are alike in {', '.join(by)} and within {SECONDS} s of one before"
    told = made(look, time, Found(_ASKED, reason, f"{near:,} rows of {look.rows:,} are set aside", near))
    told["evidence"] = told["evidence"].model_copy(update={"rows": look.rows})
    return Duplicates(step="duplicates", by=by, seconds=SECONDS, **told)


def _alike_in(look: Look, person: str, time: str, keys: Collection[str]) -> list[str]:
    """The person, and columns in which rows of one event agree: no key, no other moment, hardly a null."""
    if look.sample.num_rows < _FEWEST_ROWS:
        return []
    tells = {name for name, type_ in look.types.items() if name not in keys and name != time and type_ != "timestamp"}
    return [name for name in look.types if name == person or (name in tells and _is_shared(look, name))]


def _is_shared(look: Look, name: str) -> bool:
    """Whether rows have the column's values in common, and nearly all rows have one."""
    column, rows = look.sample.column(name), look.sample.num_rows
    named = concept_of(name)
    is_key = (named is not None and named[0].role == "record") or pc.count_distinct(column).as_py() == rows
    return not is_key and column.null_count <= _MOST_NULL * rows

"""Rows of the base that came twice: alike in what matters, within seconds of each other."""

from collections.abc import Collection, Iterator

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


def of_rows(look: Look, rows: DataFrame, person: str, time: str, keys: Collection[str]) -> Iterator[Duplicates]:
    """One step where rows came twice. They are alike in the person and all that tells them: no key, no moment, no gaps.

    Two passes over the rows, one of them by person; rows that are alike in every column are counted apart, since of those
    one stays in any case.
    """
    by = _alike_in(look, person, time, keys)
    if look.types.get(time) != "timestamp" or person not in by or len(by) < 2:
        return
    different = rows.select(*look.types).distinct()
    near = is_near_duplicate(different, NearDuplicates(by=by, seconds=SECONDS), time)
    found = different.select(near.alias("near")).agg(F.count("*").alias("rows"), F.count_if("near").alias("near")).first()
    assert found is not None, "an aggregation without groups has one row"
    if not found["near"]:
        return
    exact = look.rows - found["rows"]
    reason = f"{found['near']:,} of {look.rows:,} rows are alike in {', '.join(by)} and within {SECONDS} s of one before"
    reason += f"; {exact:,} more are alike in every column, and of those one stays anyway" if exact else ""
    effect = f"{found['near']:,} rows of {look.rows:,} are set aside"
    told = made(look, time, Found(_ASKED, reason, effect, found["near"]))
    told["evidence"] = told["evidence"].model_copy(update={"rows": look.rows})
    yield Duplicates(step="duplicates", by=by, seconds=SECONDS, **told)


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

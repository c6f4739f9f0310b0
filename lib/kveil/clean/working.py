"""Working tables of cleaning: rows that are needed more than once are written once, and destroyed when it is done."""

from collections.abc import Callable, Mapping

from pyspark.sql import DataFrame

from kveil.context import Context
from kveil.tables.declaration import Table
from kveil.tables.schema import FACTS, ONCE, REPAIRED, REPAIRED_IN_TURN
from kveil.tables.store import NO_STATISTICS

Keep = Callable[[DataFrame, str], DataFrame]
"""Writes rows to a working table of a name and reads them back, so that they are computed once."""
_WORKING: Mapping[str, Table] = {"rows": REPAIRED, "rows_in_turn": REPAIRED_IN_TURN, "facts": FACTS, "once": ONCE}


def keeping(ctx: Context, source: str) -> Keep:
    """Keeps rows of the source in the restricted zone; the names are rows, rows_in_turn, facts and once."""

    def keep(rows: DataFrame, name: str) -> DataFrame:
        ref = _WORKING[name].of(ctx.policy, source)
        ctx.store.replace(ref, rows, properties=NO_STATISTICS)
        return ctx.store.read(ref, ctx.store.version(ref))

    return keep


def destroy_working_tables(ctx: Context) -> None:
    """Removes what was kept, also by a run that was killed."""
    for source in ctx.policy.clean.sources_joined:
        for table in _WORKING.values():
            ctx.store.destroy(table.of(ctx.policy, source))

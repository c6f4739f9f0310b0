"""A raw table made of a file that changed meanwhile is taken back."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kveil.collect.locations import SourceFile
from kveil.collect.unchanged import check_unchanged
from kveil.context import Context
from kveil.errors import ContractError
from kveil.settings.sources import Source
from kveil.tables.declaration import TableRef


@contextmanager
def undone_if_changed(ctx: Context, ref: TableRef, name: str, source: Source, files: Sequence[SourceFile]) -> Iterator[None]:
    """Puts the table that the block commits back to what it was when one of the files read is not the same any more.

    Earlier versions must still be there: forget history after this block, not in it.
    """
    before = ctx.store.version(ref)
    yield
    try:
        check_unchanged(ctx.spark, name, source, files)
    except ContractError:
        if before is None:
            ctx.store.destroy(ref)
        else:
            ctx.store.restore(ref, before)
            ctx.store.forget_history(ref)
        raise

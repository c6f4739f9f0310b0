"""A database is read once: its rows lie in the restricted zone while collect works on them, and are destroyed at its end.

Collect looks at rows more than once (their fate, then the rows to keep), and a database in use is another one each time.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from kveil.collect.found import Found
from kveil.collect.readers import unreadable
from kveil.context import Context
from kveil.session import SPARK_ERRORS
from kveil.settings.sources import Source
from kveil.tables.schema import LANDING
from kveil.tables.store import NO_STATISTICS


def landed(ctx: Context, name: str, source: Source, found: Found) -> Found:
    """What was found, at rest: rows of a source that may change are fetched now, in their declared columns and in one commit.

    Raises ContractError when the source fails meanwhile; nothing of it is then there.
    """
    if not found.live or not set(source.columns) <= set(found.schema.names):
        return found
    ref = LANDING.of(ctx.policy, name)
    ctx.store.destroy(ref)
    try:
        ctx.store.replace(ref, found.rows.select(*source.columns), properties=NO_STATISTICS)
    except SPARK_ERRORS as error:
        ctx.store.destroy(ref)
        raise unreadable(name, source, error) from None
    return Found(ctx.store.read(ref), found.schema, texts=False)


@contextmanager
def landings_destroyed(ctx: Context) -> Iterator[None]:
    """Destroys what landed, however the block ends; what a killed run left goes when the source is read again."""
    try:
        yield
    finally:
        for name, source in ctx.policy.sources.items():
            if source.format == "jdbc":
                ctx.store.destroy(LANDING.of(ctx.policy, name))

"""The secret of which all noise of aggregates is a function: made before the draw, destroyed after the publication."""

from kveil.context import Context
from kveil.privacy.randomness import fresh_secret
from kveil.tables.schema import AGGREGATE_SECRET
from kveil.tables.store import NO_STATISTICS


def secret_of(ctx: Context) -> bytes:
    """The secret of all aggregates that are not published yet; a run that was cut short left it, and draws the same again."""
    ref = ctx.ref(AGGREGATE_SECRET)
    # A destroyed table may be there without its row: see TableStore.destroy.
    row = ctx.store.read(ref).first() if ctx.store.exists(ref) else None
    if row is not None:
        return bytes(row["secret"])
    secret = fresh_secret()
    ctx.store.replace(ref, ctx.rows(AGGREGATE_SECRET, [{"secret": secret}]), properties=NO_STATISTICS)
    return secret

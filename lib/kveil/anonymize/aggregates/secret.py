"""The secret of which all noise of aggregates is a function: made before the draw, destroyed after the publication."""

from kveil.context import Context
from kveil.privacy.randomness import fresh_secret
from kveil.tables.schema import AGGREGATE_SECRET
from kveil.tables.store import NO_STATISTICS


def has_secret(ctx: Context) -> bool:
    """Whether a run that was cut short left the secret."""
    # A destroyed table may be there without its row: see TableStore.destroy.
    return ctx.store.has_rows(ctx.ref(AGGREGATE_SECRET))


def secret_of(ctx: Context) -> bytes:
    """The secret of all aggregates that are not published yet; a run that was cut short left it, and draws the same again."""
    ref = ctx.ref(AGGREGATE_SECRET)
    if has_secret(ctx):
        row = ctx.store.read(ref).first()
        assert row is not None  # has_secret
        return bytes(row["secret"])
    secret = fresh_secret()
    ctx.store.replace(ref, ctx.rows(AGGREGATE_SECRET, [{"secret": secret}]), properties=NO_STATISTICS)
    return secret

"""The release's secret, of which its noise is a function: made before the draw, destroyed with staging."""

from dataclasses import replace

from kveil.anonymize.identity import used_columns
from kveil.anonymize.named_secret import named_secret
from kveil.anonymize.noise import Draws
from kveil.context import Context
from kveil.privacy.randomness import fresh_secret
from kveil.settings.mask_checks import swapped_columns
from kveil.tables.heads import RELEASE_ID
from kveil.tables.schema import RELEASE_SECRET, STAGING
from kveil.tables.store import NO_STATISTICS


def draws_of(ctx: Context, release_id: str) -> Draws:
    """What the release's noise is drawn from; made once, so that a run that was cut short draws the same again.

    With `noise_key` it is the named secret, and the release plays no part: an unchanged value draws what it drew before.
    """
    named_by = tuple(ctx.policy.anonymize.noise_row)
    draws = Draws(named_by or tuple(used_columns(ctx.policy)), (ctx.policy.name, release_id), b"", bool(named_by))
    if not ctx.policy.anonymize.noise:
        return draws
    named = ctx.policy.anonymize.noise_key
    if named is not None:
        return replace(draws, use=(ctx.policy.name, "every release"), secret=named_secret(named, "anonymize.noise_key"))
    return replace(draws, secret=release_secret(ctx, release_id))


def swaps_of(ctx: Context, release_id: str) -> Draws:
    """What the release's swaps within classes are drawn from: always its own secret, which nothing outlives."""
    use = (ctx.policy.name, release_id, "swap")
    secret = release_secret(ctx, release_id) if swapped_columns(ctx.policy.anonymize.mask) else b""
    return Draws(use=use, secret=secret)


def can_be_drawn_again(ctx: Context, release_id: str) -> bool:
    """Whether what a run that was cut short has drawn for the release, or would draw it from, is there."""
    return any(ctx.store.property_of(ctx.ref(table), RELEASE_ID) == release_id for table in (STAGING, RELEASE_SECRET))


def release_secret(ctx: Context, release_id: str) -> bytes:
    """32 bytes that belong to one release: the same until the release's link to people is destroyed."""
    ref = ctx.ref(RELEASE_SECRET)
    if ctx.store.property_of(ref, RELEASE_ID) == release_id:
        row = ctx.store.read(ref).first()
        assert row is not None  # written in the commit that names the release
        return bytes(row["secret"])
    secret = fresh_secret()
    rows = ctx.rows(RELEASE_SECRET, [{"release_id": release_id, "secret": secret}])
    ctx.store.replace(ref, rows, properties={RELEASE_ID: release_id, **NO_STATISTICS})
    return secret

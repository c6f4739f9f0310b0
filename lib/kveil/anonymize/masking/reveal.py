"""Authorised re-identification: the value behind one token of an encrypted column, after the question was written down."""

from kveil.anonymize.masking.keys import masks_of, use_of_release
from kveil.context import Context
from kveil.errors import ContractError
from kveil.settings.mask import Encrypt
from kveil.tables.heads import RELEASE_ID
from kveil.tables.keys import keyed_hash
from kveil.tables.schema import RELEASE, REVEAL_LOG

_KEY = "reveal"


def revealed(ctx: Context, column: str, token: str, reason: str) -> str:
    """The value that the published release shows as `token` in an encrypted column; needs the key that made it.

    The question is in `reveal_log` before anything is decrypted, also when no row holds the token. ContractError for a
    column that is not encrypted, an empty reason or a token that the release does not hold: this is no oracle for others.
    """
    encrypted = [name for name, role in ctx.policy.anonymize.mask.items() if isinstance(role, Encrypt)]
    if column not in encrypted:
        allowed = ", ".join(encrypted) or "none, since anonymize.mask encrypts no column"
        raise ContractError(f"reveal --column: found {column!r}, of which nothing can be brought back; allowed: {allowed}")
    if not reason.strip():
        raise ContractError("reveal --reason: is empty; say in words why the person must be known, it is logged")
    use = use_of_release(ctx)
    if use is None:
        raise ContractError(f"reveal: {ctx.ref(RELEASE)} is not there; run kveil run first")
    masks = masks_of(ctx.policy, use)
    _log(ctx, column, token, reason, use.version)
    values = masks.back(column)([token])
    if values[0] is None or not ctx.store.has_rows(ctx.ref(RELEASE), **{column: token}):
        raise ContractError(f"reveal --token: no row of {ctx.ref(RELEASE)} holds it in {column}; copy it from there as it stands")
    return values[0]


def _log(ctx: Context, column: str, token: str, reason: str, version: int) -> None:
    user = ctx.spark.sql("SELECT current_user()").first()
    assert user is not None  # one row
    row = {
        "release_id": ctx.store.property_of(ctx.ref(RELEASE), RELEASE_ID), "column": column, "reason": reason.strip(),
        "token_hash": keyed_hash(ctx.store, _KEY, token), "actor": user[0], "key_version": version,
    }  # fmt: skip
    ctx.store.append(ctx.ref(REVEAL_LOG), ctx.rows(REVEAL_LOG, [row]))

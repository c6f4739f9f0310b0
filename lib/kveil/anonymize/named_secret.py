"""Secrets that a policy names, as keys: long enough that nobody tries them all."""

from kveil.errors import SettingsError
from kveil.privacy.randomness import SECRET_BYTES
from kveil.settings.secrets import resolved


def named_secret(reference: str, key: str) -> bytes:
    """The secret behind the reference of a policy's `key`; SettingsError when it is not there or short."""
    secret = resolved(reference, key).encode()
    if len(secret) < SECRET_BYTES:
        raise SettingsError(
            [
                f"{key}: {reference} holds {len(secret)} bytes; at least {SECRET_BYTES} of a random secret are "
                "needed; put there, say, what `openssl rand -hex 32` prints, and keep it"
            ]
        )
    return secret

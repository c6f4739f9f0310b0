"""The policy as typed values."""

from kveil.settings.loader import fingerprint, load
from kveil.settings.policy import Policy

__all__ = ["Policy", "fingerprint", "load"]

"""The time that the ledger records."""

from datetime import datetime, timezone


def now() -> datetime:
    """The time, UTC, in whole milliseconds, which is what the ledger's JSON keeps."""
    time = datetime.now(timezone.utc)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def text_of(time: datetime) -> str:
    """A time as 2026-01-02T03:04:05.678Z."""
    return time.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"


def time_of(text: str) -> datetime:
    """The time that a text of `text_of` means."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)

"""What was published before, brought back as it was: drawing its noise again would spend without booking."""

from kveil.context import Context
from kveil.errors import GuaranteeError
from kveil.session import SPARK_ERRORS
from kveil.tables.declaration import TableRef


def require_whole(ctx: Context, ref: TableRef, version: int, what: str) -> None:
    """GuaranteeError unless every file of the version is there; reads them, since a log also names what a vacuum has deleted."""
    try:
        ctx.store.read(ref, version).write.format("noop").mode("overwrite").save()
    except SPARK_ERRORS:
        raise _gone(ref, version, what) from None


def restored_version(ctx: Context, ref: TableRef, version: int, what: str) -> int:
    """Makes an earlier version the current one, its files as they were, and returns the new version; GuaranteeError if gone."""
    try:
        ctx.store.restore(ref, version)
    except SPARK_ERRORS:
        raise _gone(ref, version, what) from None
    restored = ctx.store.version(ref)
    assert restored is not None  # just written
    return restored


def _gone(ref: TableRef, version: int, what: str) -> GuaranteeError:
    return GuaranteeError(
        f"{what} was published before, but version {version} of {ref} is gone; drawing its noise again would not be paid for, "
        "so change what is asked or the data, or bring the table's files back"
    )

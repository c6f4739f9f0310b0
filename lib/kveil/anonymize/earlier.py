"""What was published before, brought back as it was: drawing its noise again would spend without booking."""

from kveil.anonymize.ledger.heads import head_properties
from kveil.context import Context
from kveil.errors import GuaranteeError
from kveil.session import SPARK_ERRORS
from kveil.tables.declaration import TableRef
from kveil.tables.heads import RELEASE_ID, named_before


def require_whole(ctx: Context, ref: TableRef, version: int, what: str) -> None:
    """GuaranteeError unless every file of the version is there; reads them, since a log also names what a vacuum has deleted."""
    try:
        ctx.store.read(ref, version).write.format("noop").mode("overwrite").save()
    except SPARK_ERRORS:
        raise _gone(ref, version, what) from None


def restored_version(ctx: Context, ref: TableRef, version: int, release_id: str, what: str) -> int:
    """Makes the version that showed a release the current one, its files as they were, and returns the new version.

    GuaranteeError where it is gone, or is another release's since the table was made anew: it then stays as it was.
    """
    before = ctx.store.version(ref)
    try:
        ctx.store.restore(ref, version)
    except SPARK_ERRORS:
        raise _gone(ref, version, what) from None
    if before is not None and ctx.store.property_of(ref, RELEASE_ID) != release_id:
        ctx.store.restore(ref, before)
        raise _gone(ref, version, what)
    # With the files came the head of that time; today's tells of what was spent since.
    ctx.store.set_properties(ref, head_properties(ctx))
    restored = ctx.store.version(ref)
    assert restored is not None  # just written
    return restored


def require_not_shown(ctx: Context, ref: TableRef, release_id: str, what: str) -> None:
    """GuaranteeError where a release was visible in a table, although nothing says that it was published.

    For a run that would draw it anew: what a killed run had drawn from is gone.
    """
    if named_before(ctx.store, ref, RELEASE_ID, release_id):
        raise GuaranteeError(
            f"{what} was visible in {ref} before, but its record is missing and what its noise was drawn from is gone; drawing "
            "it again would not be paid for, so change what is asked or the data, or bring the control tables back"
        )


def _gone(ref: TableRef, version: int, what: str) -> GuaranteeError:
    return GuaranteeError(
        f"{what} was published before, but version {version} of {ref} is gone; drawing its noise again would not be paid for, "
        "so change what is asked or the data, or bring the table's files back"
    )

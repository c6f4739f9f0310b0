"""Whether ledger and audit tell the same of every account, before anything is spent: a missing, shorter or older one does not."""

from collections.abc import Iterator

from kveil.anonymize.ledger.audit import lines
from kveil.anonymize.ledger.storage import Books, Kept
from kveil.anonymize.ledger.verify import row_problems


def contradiction(books: Books) -> str | None:
    """The first thing that is wrong, as the beginning of a sentence; None where both tables agree.

    An audit may lack its last lines, those of a job that is working or died between two writes: they can be made from the row.
    How many it must have, the row says.
    """
    return next(_contradictions(books), None)


def _contradictions(books: Books) -> Iterator[str]:
    for name in books.orphans:
        yield f"control.budget_ledger: account {name} is gone, though control.budget_audit has lines of it"
    for kept in books.accounts:
        yield from _of_account(kept)


def _of_account(kept: Kept) -> Iterator[str]:
    account, end, told = kept.account, kept.audit_end, list(lines(kept.account))
    yield from row_problems(account, kept.noted, told)
    if end < account.audited:
        yield (
            f"control.budget_audit ends at line {end} of account {account.name}, though it had {account.audited}: "
            "somebody removed lines"
        )
    if end > account.sequence:
        yield (
            f"control.budget_ledger ends at step {account.sequence} of account {account.name}, though control.budget_audit has "
            f"{end}: an older row was put back"
        )
    hashes = {line["sequence"]: line["hash"] for line in told}
    for number, found in kept.audit:
        if found != hashes.get(number, found):
            yield f"control.budget_audit: line {number} of account {account.name} is not what control.budget_ledger tells"
    missing = set(range(1, end + 1)) - {number for number, _ in kept.audit}
    if missing:
        yield f"control.budget_audit: {len(missing)} lines of account {account.name} are missing before its last"

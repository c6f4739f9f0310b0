"""Whether an account and its audit tell one story, and that of exact sums."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from kveil.anonymize.ledger.account import NEXT, Account, Entry
from kveil.anonymize.ledger.audit import START, Line, hash_of, lines
from kveil.anonymize.ledger.charge import Cost, cost_of, request_hash
from kveil.anonymize.ledger.spending import spent


def problems(account: Account, noted: Cost, audit: Sequence[Line]) -> list[str]:
    """One sentence per thing that is wrong; nothing where all is sound.

    `noted` are the sums that the account's row states, `audit` the account's lines as the table holds them. Found are edited,
    removed, added and reordered lines, a cut tail, a row changed by hand or put back, and sums that are not those of the
    entries. Not found: a row and an audit that somebody who may write both made up together; keep heads elsewhere for that.
    """
    told = list(lines(account))
    return [*row_problems(account, noted, told), *_of_chain(account, audit), *_of_both(account, told, audit)]


def unwritten(account: Account, audit: Sequence[Line]) -> int:
    """Lines that the audit may lack by right: a job is working, or died between two writes; the next booking adds them."""
    end = max((line["sequence"] for line in audit), default=0)
    return account.sequence - end if account.audited <= end < account.sequence else 0


def row_problems(account: Account, noted: Cost, told: Sequence[Line]) -> Iterator[str]:
    """What is wrong with the account's row by itself; `told` are the audit's lines as it tells them."""
    row = f"control.budget_ledger, account {account.name}"
    if [line["sequence"] for line in told] != list(range(1, account.sequence + 1)):
        yield f"{row}: its steps are not 1 to {account.sequence}; the row was changed by hand"
    if account.head != (told[-1]["hash"] if told else ""):
        yield f"{row}: its entries do not end in the hash that it names; the row was changed by hand"
    if noted != spent(account.counted()):
        yield f"{row}: the sums it states are not those of its entries; the row was changed by hand"
    for entry in account.entries:
        if entry.cost != cost_of(entry.charges) or entry.request != request_hash(entry.charges, entry.slices or ()):
            yield f"{row}: release {entry.release_id} does not cost what its charges add up to; the row was changed by hand"
        if not _is_lawful(entry):
            yield f"{row}: release {entry.release_id} went through states in an order that cannot be; the row was changed by hand"


def _is_lawful(entry: Entry) -> bool:
    states = [step.state for step in entry.steps]
    return states[0] == "reserved" and all(after in NEXT[before] for before, after in pairwise(states))


def _of_chain(account: Account, audit: Sequence[Line]) -> Iterator[str]:
    """The audit by itself: every line hashes to what it says and names the hash of the one before."""
    table, previous, number = f"control.budget_audit, account {account.name}", START, 0
    for line in _once(audit):
        if line["sequence"] == number:
            yield f"{table}: line {number} stands there twice with different content"
        elif line["sequence"] != number + 1:
            yield f"{table}: lines {number + 1} to {line['sequence'] - 1} are missing"
        elif line.get("previous") != previous:
            yield f"{table}: line {line['sequence']} does not follow the line before it; one of them was changed or moved"
        if line.get("hash") != hash_of(line):
            yield f"{table}: line {line['sequence']} was changed"
        previous, number = str(line.get("hash")), line["sequence"]


def _of_both(account: Account, told: Sequence[Line], audit: Sequence[Line]) -> Iterator[str]:
    table, end = f"control.budget_audit, account {account.name}", max((line["sequence"] for line in audit), default=0)
    known = {line["sequence"]: line["hash"] for line in told}
    for line in _once(audit):
        if line["sequence"] in known and line.get("hash") != known[line["sequence"]]:
            yield f"{table}: line {line['sequence']} is not what the account's row in control.budget_ledger tells"
    if end > account.sequence:
        yield f"{table}: ends at line {end}, the account's row at {account.sequence}; an older row was put back"
    if end < account.audited:
        yield f"{table}: ends at line {end}, though it had {account.audited}; its tail was cut off"


def _once(audit: Sequence[Line]) -> list[Line]:
    """The lines in order; the same line written twice, by two jobs that both made up for a third, counts once."""
    kept: list[Line] = []
    for line in sorted(audit, key=lambda each: (each["sequence"], str(each.get("hash")))):
        if line not in kept[-1:]:
            kept.append(line)
    return kept

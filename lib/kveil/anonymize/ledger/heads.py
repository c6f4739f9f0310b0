"""The head of the audit, kept with what was published, so that who deletes or puts back the ledger's own tables is noticed."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kveil.anonymize.ledger.account import Account
from kveil.anonymize.ledger.audit import lines
from kveil.anonymize.ledger.book import budget_of, data_set_of, sound_accounts
from kveil.anonymize.ledger.rows import has_cost
from kveil.context import Context
from kveil.tables.heads import LEDGER_HEAD

_LENGTH = 32
"""Of a head's 64 digits so many are kept: enough that nobody makes another line with them, short enough for a registry's tag."""


def head_properties(ctx: Context) -> dict[str, str]:
    """The properties of a table that is published now: the last step, and its hash, of each account of its recipient.

    Tables of a policy that books nothing say nothing.
    """
    if not has_cost(ctx.policy.anonymize):
        return {}
    recipient = budget_of(ctx).recipient
    own = [kept.account for kept in sound_accounts(ctx) if kept.account.recipient == recipient]
    heads = {account.name: [account.sequence, account.head[:_LENGTH]] for account in own}
    return {LEDGER_HEAD: json.dumps(heads, sort_keys=True)} if heads else {}


def unknown_heads(ctx: Context, accounts: Sequence[Account], found: Mapping[str, str]) -> Iterator[str]:
    """One sentence for each place, by its name, whose head the accounts of the policy's data set do not contain."""
    own = f"{data_set_of(ctx)}/"
    known = {account.name: {line["sequence"]: line["hash"] for line in lines(account)} for account in accounts}
    for place, text in sorted(found.items()):
        for account, (sequence, head) in sorted(_parsed(text).items()):
            if account.startswith(own) and known.get(account, {}).get(sequence, "")[:_LENGTH] != head:
                yield (
                    f"control.budget_ledger does not hold step {sequence} of account {account} as {place} names it: "
                    "it was deleted, or an older one put back, after that was published"
                )


def _parsed(text: str) -> Mapping[str, tuple[Any, Any]]:
    """The heads by account; none of what is no head."""
    try:
        return {str(name): (int(sequence), str(head)) for name, (sequence, head) in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError):
        return {}

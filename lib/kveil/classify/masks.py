"""Masks that a draft offers: lines that release what leads to a person under a fitting technique, once somebody takes them in."""

from collections.abc import Iterator
from typing import Any

from kveil.classify.plan import Classified, Plan
from kveil.classify.roles import Column
from kveil.classify.wording import flow
from kveil.settings.law import Law
from kveil.settings.law_checks import special_problems

OFFER = "#~ "
"""What a person removes to take an offered line into the policy."""

_LINKS = {"linkable": True}
_NAMES = {"first_name": "first_name", "last_name": "last_name", "full_name": "name", "person_name": "name", "address": "address"}
_FORMATS = {"iban": "iban", "pan": "card"}
_KEYED = ("pseudonym", "encrypt", "fake")


def is_offered(column: Column, source: Classified, plan: Plan) -> bool:
    """Whether the column leads to a person, is not collected as a key of a join, and could be released masked.

    What a law protects as a special category is not offered: its exceptions are for a person to claim.
    """
    keys = {key for _, key in plan.joins}
    leads = column.role in ("direct identifier", "free text")
    return leads and column.name not in keys and (source.name, column.name) not in plan.dropped and not is_protected(column)


def is_protected(column: Column) -> bool:
    """Whether a law that a policy follows unless it says otherwise protects the column as a special category."""
    return any(True for _ in special_problems(Law(), {"": [column.name]}))


def masks(plan: Plan, name: str) -> Iterator[str]:
    """The offered lines of the section `anonymize`; none where nothing leads to a person."""
    columns = [(each, source) for source in plan.used for each in source.columns if is_offered(each, source, plan)]
    if not columns:
        return
    made = {each.name: mask_of(each, of_people=bool(source.people)) for each, source in columns}
    yield f"  # Masks on offer. To release one of these columns, remove `{OFFER.strip()}` before `mask:`, its line here and that"
    yield "  # in sources, and give as its reason what it is needed for. `linkable`: a person's rows may be told from others'."
    if any(mask["technique"] in _KEYED for mask in made.values()):
        yield f"  {OFFER}mask_keys: {{1: secret://env/{name.upper()}_MASK_KEY}}  # a key for pseudonym, encrypt and fake"
    yield f"  {OFFER}mask:"
    yield from (f"  {OFFER}  {column}: {flow(mask)}" for column, mask in made.items())


def mask_of(column: Column, of_people: bool = True) -> dict[str, Any]:
    """A mask that the column's type and values allow, as a policy holds it.

    Formats are kept only where the values showed them; what is an identifier by its name alone gets a token. So do names of
    things, since a fake follows the person of its row.
    """
    if column.role == "free text":
        return {"technique": "scrub", **_LINKS, "reason": "what was said matters, numbers and addresses in it do not"}
    if column.semantic == "email" and column.type == "string":
        return {"technique": "partial", "keep": "domain", "reason": "the provider matters, the address does not"}
    if column.semantic == "phone":
        return {"technique": "redact", "reason": "tells whether a number is known"}
    if column.semantic in _FORMATS and column.proven:
        kept = {"format": _FORMATS[column.semantic], "unfit": "null"}
        return {"technique": "encrypt", **kept, **_LINKS, "reason": "who has the key may ask for one of them"}
    if column.semantic in _NAMES and of_people:
        return {"technique": "fake", "kind": _NAMES[column.semantic], **_LINKS, "reason": "programs are tried with it"}
    return {"technique": "pseudonym", **_LINKS, "reason": "rows of one value are to be found together"}

"""What makes two tables the same rows, and two releases the same release."""

import hashlib
import json
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.errors import GuaranteeError
from kveil.settings import Policy

_NOT_PART_OF_A_RELEASE = {
    "budget", "suppression_limit", "retained_until", "incremental", "changed", "aggregates", "accepted", "mask_keys",
    "composition", "composition_reason", "recipients_apart", "replaced",
}  # fmt: skip
_BOUNDS = "-bounds"


def content(df: DataFrame, columns: list[str]) -> tuple[int, int]:
    """Row count and sum of 64-bit row hashes: equal for the same rows in any order, and, but for accidents, only then."""
    row = df.agg(F.count(F.lit(1)).alias("rows"), F.coalesce(F.sum(row_hash(columns)), F.lit(0)).alias("hash")).first()
    assert row is not None  # an aggregation without groups has one row
    return int(row["rows"]), int(row["hash"])


def check_same(found: tuple[int, int], promised: tuple[int, int], what: str) -> None:
    """GuaranteeError where content that was found is not what was promised."""
    if found != promised:
        raise GuaranteeError(
            f"anonymize: the {what} holds {found[0]:,} rows that are not the {promised[0]:,} rows of staging; "
            "the release is not trustworthy, run again and check the storage"
        )


def row_hash(columns: list[str]) -> Column:
    """A row's 64-bit hash, wide enough to be summed.

    xxhash64 passes over nulls, so a value that moved from one column to another would leave the hash as it was: a row with a
    null says as well where its nulls are.
    """
    values = [F.col(f"`{name}`") for name in columns]
    missing = [value.isNull() for value in values]
    nulls = F.when(reduce(Column.__or__, missing), F.struct(*missing))  # itself null, and passed over, where nothing is
    return F.xxhash64(*values, nulls).cast("decimal(20,0)")


def used_columns(policy: Policy) -> list[str]:
    """The clean columns that the release reads, the person first."""
    return list(dict.fromkeys([policy.person, *policy.anonymize.role_columns, *policy.anonymize.noise_row]))


def release_id(policy: Policy, clean_content: tuple[int, int], population_content: tuple[int, int] | None = None) -> str:
    """The same data under the same guarantee has the same id, so that repeating it spends and draws nothing."""
    return _hash([*_guarantee(policy), *clean_content, *(population_content or ())])


def increment_id(policy: Policy, parent: str, marks: list[str]) -> str:
    """The id of a release that extends another by slices with these marks."""
    return _hash([*_guarantee(policy), parent, *sorted(marks)])


def id_after(withdrawn: str) -> str:
    """The id under which a release that was withdrawn is made once more: another one, since it is booked and drawn anew."""
    return _hash([withdrawn, "withdrawn"])


def aggregate_id(policy: Policy, name: str, clean_content: tuple[int, int]) -> str:
    """The same rows under the same aggregate have the same id, so that repeating it spends and draws nothing."""
    # What a policy leaves out plays no part, so that a setting that is new in kveil makes no release another one.
    asked = policy.anonymize.aggregates[name].model_dump(mode="json", exclude_defaults=True)
    return _hash([policy.name, policy.purpose, policy.person, "aggregate", name, asked, *clean_content])


def bounds_id(release_id: str) -> str:
    """Under which id the bounds that a release's masks buy are booked: its own, told apart since accounts are per unit."""
    return f"{release_id}{_BOUNDS}"


def booked_for(booking: str) -> str:
    """The release that was booked under an id: its own, or that of its masks' bounds."""
    return booking.removesuffix(_BOUNDS)


def guarantee_id(policy: Policy) -> str:
    """The same for releases that promise the same, whatever their rows: only these can grow into one another."""
    return _hash(_guarantee(policy))


def _guarantee(policy: Policy) -> list[Any]:
    # A release without masks, or names of rows, keeps the id that it had before there were any.
    absent = {name for name in ("mask", "noise_row") if not getattr(policy.anonymize, name)}
    guarantee = policy.anonymize.model_dump(mode="json", exclude=_NOT_PART_OF_A_RELEASE | absent)
    return [policy.name, policy.purpose, policy.person, guarantee, *_account(policy)]


def _account(policy: Policy) -> list[str]:
    """Whose account pays: a release to another recipient is another release, so that it is booked there as well."""
    budget = policy.anonymize.budget
    return [budget.recipient, budget.data_set or policy.name] if budget else []


def _hash(what: list[Any]) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]

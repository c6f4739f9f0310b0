"""What a run has to anonymize: everything, or the slices that the current release does not hold."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pyspark.sql import functions as F

from kveil.anonymize.identity import guarantee_id, id_after, increment_id, release_id
from kveil.anonymize.ledger.refusals import NOTHING_IS_SPENT
from kveil.anonymize.slices import Slice, record_slices, released_slices
from kveil.context import Context
from kveil.errors import BudgetError, ContractError
from kveil.model.lineage import lineage_of
from kveil.tables.schema import CLEAN, RELEASES


@dataclass(frozen=True)
class Work:
    """The release to be made, the slices it anonymizes, and the row of the release that it extends, if it does.

    `lineage` holds that one's id and those before it. No slices mean that the release is there already. `changed` names
    released slices that are no longer what was released.
    """

    release_id: str
    slices: tuple[Slice, ...]
    parent: dict[str, Any] | None = None
    changed: tuple[str, ...] = ()
    lineage: tuple[str, ...] = ()

    @property
    def first(self) -> str:
        """The id of the first of the releases that grew into this one; its own where it extends none."""
        return self.lineage[-1] if self.lineage else self.release_id

    @property
    def rows(self) -> int:
        """Clean rows to anonymize."""
        return sum(each.rows for each in self.slices)

    @property
    def paid_for(self) -> list[str]:
        """The slices whose rows may be given noise: the new ones, and changed ones, from which rows may have moved to these."""
        return [*(each.name for each in self.slices), *self.changed]


def planned(ctx: Context, found: list[Slice], population: tuple[int, int] | None = None) -> Work:
    """The work for the clean table's slices, against a population of that content.

    ContractError where a released slice changed and the policy refuses that.
    """
    parent = _extendable(ctx)
    if parent is None:
        content = (sum(each.rows for each in found), sum(each.content for each in found))
        return Work(_standing_id(ctx, release_id(ctx.policy, content, population)), tuple(found))
    lineage = lineage_of(_releases(ctx), parent["release_id"])
    known = released_slices(ctx, lineage)
    _require_slices(ctx, parent, known)
    changed = _changed(ctx, known, found)
    names = {each.name for slices in known.values() for each, _ in slices}
    new = tuple(each for each in found if each.name not in names)
    if not new:
        return Work(parent["release_id"], ())
    this = _standing_id(ctx, increment_id(ctx.policy, parent["release_id"], [each.mark for each in new]))
    return Work(this, new, parent, tuple(changed), lineage)


def _standing_id(ctx: Context, release_id: str) -> str:
    """The id, or where the release of that id was withdrawn the one under which it is made once more."""
    withdrawn = {row["release_id"] for row in _releases(ctx) if row.get("withdrawn_at") is not None}
    while release_id in withdrawn:
        release_id = id_after(release_id)
    return release_id


def recorded(ctx: Context, release_id: str) -> dict[str, Any] | None:
    """The row of a release that was published before."""
    return next((row for row in _releases(ctx) if row["release_id"] == release_id), None)


def _releases(ctx: Context) -> list[dict[str, Any]]:
    """The policy's publications, the latest first: one row each time a release was made."""
    ref = ctx.ref(RELEASES)
    if not ctx.store.exists(ref):
        return []
    rows = ctx.store.read(ref).where(F.col("policy") == ctx.policy.name).orderBy(F.desc("written_at")).collect()
    return [{**row.asDict(), "epsilon": Decimal(row["epsilon"])} for row in rows]


def _extendable(ctx: Context) -> dict[str, Any] | None:
    """The current release, where the policy is incremental and still promises the same."""
    latest = next((row for row in _releases(ctx) if row.get("withdrawn_at") is None), None)
    if not ctx.policy.anonymize.incremental or latest is None or latest["guarantee"] != guarantee_id(ctx.policy):
        return None
    return latest


def _require_slices(ctx: Context, parent: dict[str, Any], known: dict[str, list[tuple[Slice, bool]]]) -> None:
    """BudgetError where a released slice is not on record: taken for a new one its rows would be drawn and published twice."""
    rows = sum(each.rows for slices in known.values() for each, _ in slices)
    if rows != parent["rows_in"]:
        raise BudgetError(
            f"control.release_slices names {rows:,} rows of release {parent['release_id']} and those before it, control.releases "
            f"{parent['rows_in']:,}: rows of one of them are missing; {NOTHING_IS_SPENT}"
        )


def _changed(ctx: Context, known: dict[str, list[tuple[Slice, bool]]], found: list[Slice]) -> list[str]:
    """The changed slices, refused or else noted down so that nobody compares them with the clean table again."""
    marks = {each.name: each.mark for each in found}
    changed = sorted(each.name for slices in known.values() for each, _ in slices if marks.get(each.name) != each.mark)
    if changed and ctx.policy.anonymize.changed == "refuse":
        raise ContractError(
            f"anonymize.incremental: {len(changed)} released slices of {ctx.ref(CLEAN)}, the first {changed[0]}, are not what "
            "was released; set anonymize.changed: keep to leave them as published, or anonymize.incremental: false for a new "
            "release of everything"
        )
    for release, slices in known.items():
        if any(flag != (each.name in changed) for each, flag in slices):
            record_slices(ctx, release, [each for each, _ in slices], changed)
    return changed

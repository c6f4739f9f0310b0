"""One publication of each aggregate: reserved in the ledger, drawn in one commit, recorded; repeated without drawing again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.anonymize import ledger
from kveil.anonymize.aggregates.bounds import with_bounds
from kveil.anonymize.aggregates.checks import check_columns, check_delta, check_noise
from kveil.anonymize.aggregates.cost import charges
from kveil.anonymize.aggregates.expected import bound_in_words
from kveil.anonymize.aggregates.request import Request
from kveil.anonymize.aggregates.secret import has_secret
from kveil.anonymize.aggregates.statistics import statistics
from kveil.anonymize.earlier import require_not_shown, require_whole, restored_version
from kveil.anonymize.identity import aggregate_id, row_hash
from kveil.anonymize.ledger.heads import head_properties
from kveil.context import Context
from kveil.errors import GuaranteeError
from kveil.tables.declaration import TableRef
from kveil.tables.heads import RELEASE_ID
from kveil.tables.schema import AGGREGATE, AGGREGATE_GROUPS, AGGREGATE_SECRET, AGGREGATES, CLEAN

_FEW_PEOPLE = 1_000_000


def check(ctx: Context) -> None:
    """ContractError where an aggregate asks what the clean table's columns cannot give; reads no row."""
    types = dict(ctx.read(CLEAN).dtypes)
    for name, asked in ctx.policy.anonymize.aggregates.items():
        check_columns(name, asked, types)
        check_noise(name, asked)


@dataclass(frozen=True)
class Plan:
    """A run's aggregates, about how many people the clean table holds, and the Delta versions of what was published before."""

    requests: tuple[Request, ...] = ()
    people: int = 0
    recorded: Mapping[str, int] = field(default_factory=dict)

    @property
    def bookings(self) -> list[ledger.Booking]:
        """What the aggregates that are not published yet will ask of the ledger, in the order of their publication."""
        new = [request for request in self.requests if request.release_id not in self.recorded]
        return [ledger.Booking(request.release_id, charges(request)) for request in new]


def planned(ctx: Context) -> Plan:
    """Which releases the aggregates are, in one pass over the clean rows.

    ContractError where a delta is too large for them, GuaranteeError where one was published before and is gone.
    """
    asked = ctx.policy.anonymize.aggregates
    if not asked:
        return Plan()
    with ctx.step("identify the aggregates") as note:
        ids, people = _identified(ctx, ctx.read(CLEAN))
        note.rows(len(ids), "aggregates")
    for name in asked:
        check_delta(name, asked[name], people)
    plan = Plan(tuple(Request.of(name, asked[name], ids[name]) for name in asked), people, _recorded(ctx))
    for name, version in _to_restore(ctx, plan):
        require_whole(ctx, table_of(ctx, name), version, _told(name))
    return plan


def published(ctx: Context, plan: Plan, booked: Mapping[str, str] | None = None) -> None:
    """Publishes every aggregate of the plan, once for the same rows and settings: repeating it spends and draws nothing.

    `booked` has the state of each booking as it was before; one that was recorded and not committed is committed now.
    """
    if not plan.requests:
        return
    clean = ctx.read(CLEAN)
    for request in plan.requests:
        if request.release_id not in plan.recorded:
            _publish(ctx, request, clean, plan.people)
        elif (booked or {}).get(request.release_id) == "drawn":
            ledger.committed(ctx, request.release_id, plan.recorded[request.release_id])
    ids = {request.name: request.release_id for request in plan.requests}
    for name, version in _to_restore(ctx, plan):
        _restore(ctx, name, version, ids[name])
    left = sum(ctx.store.destroy(ctx.ref(table)) for table in (AGGREGATE_SECRET, AGGREGATE_GROUPS))
    if left:
        raise GuaranteeError(f"anonymize: {left} files of aggregates remain in the restricted zone; delete them and run again")


def table_of(ctx: Context, name: str) -> TableRef:
    """The published table of an aggregate."""
    return AGGREGATE.of(ctx.policy, aggregate=name)


def _identified(ctx: Context, clean: DataFrame) -> tuple[dict[str, str], int]:
    """Each aggregate's release id, from its settings and the rows that it reads, and about how many people there are."""
    policy, asked = ctx.policy, ctx.policy.anonymize.aggregates
    hashes = [F.coalesce(F.sum(row_hash([policy.person, *each.columns])), F.lit(0)).alias(name) for name, each in asked.items()]
    counts = [F.count(F.lit(1)).alias("kveil_rows"), F.approx_count_distinct(policy.person).alias("kveil_people")]
    row = clean.agg(*counts, *hashes).first()
    assert row is not None  # an aggregation without groups has one row
    ids = {name: aggregate_id(policy, name, (int(row["kveil_rows"]), int(row[name]))) for name in asked}
    return ids, int(row["kveil_people"])


def _publish(ctx: Context, request: Request, clean: DataFrame, people: int) -> None:
    ref = table_of(ctx, request.name)
    if not has_secret(ctx):
        require_not_shown(ctx, ref, request.release_id, _told(request.name))
    ledger.reserve(ctx, request.release_id, charges(request))
    with ctx.step(f"aggregate {request.name}") as note:
        request = with_bounds(ctx, request, clean, people <= _FEW_PEOPLE)
        if ctx.store.property_of(ref, RELEASE_ID) != request.release_id:
            rows = statistics(ctx, request, clean, people <= _FEW_PEOPLE)
            # The one commit that draws: what a killed run may have drawn before it is the same and was never visible.
            ctx.store.replace(ref, rows, properties={RELEASE_ID: request.release_id, **head_properties(ctx)})
        ledger.drawn(ctx, request.release_id)
        groups = _groups_by_level(ctx, request)
        totals = sum(groups.values()) - groups[request.design.levels[-1].name]
        note.text = f"{sum(groups.values()) - totals:,} groups, {totals:,} totals, discrete {request.design.mechanism}"
    version = ctx.store.version(ref)
    assert version is not None  # just written
    # A run that was cut short before the record does all of this again, which changes nothing; what is committed is recorded.
    _record(ctx, request, version, groups)
    ledger.committed(ctx, request.release_id, version)


def _groups_by_level(ctx: Context, request: Request) -> dict[str, int]:
    """How many groups each level of the published table has, by the level's name."""
    measure, role = next(iter(request.asked.measures.items()))
    rows = ctx.store.read(table_of(ctx, request.name)).where(F.col("measure") == measure).groupBy("grouped_by").count().collect()
    found = {row["grouped_by"]: int(row["count"]) // role.rows_shown for row in rows}
    return {level.name: found.get(level.name, 0) for level in request.design.levels}


def _recorded(ctx: Context) -> dict[str, int]:
    """The Delta version of every aggregate release of the policy."""
    ref = ctx.ref(AGGREGATES)
    if not ctx.store.exists(ref):
        return {}
    rows = ctx.store.read(ref).where(F.col("policy") == ctx.policy.name).select("release_id", "version").distinct()
    return {row["release_id"]: int(row["version"]) for row in rows.collect()}


def _to_restore(ctx: Context, plan: Plan) -> list[tuple[str, int]]:
    """The aggregates that were published before and whose table shows another release now, and the version that showed them."""
    before = [(each.name, each.release_id) for each in plan.requests if each.release_id in plan.recorded]
    return [
        (name, plan.recorded[release_id])
        for name, release_id in before
        if ctx.store.property_of(table_of(ctx, name), RELEASE_ID) != release_id
    ]


def _restore(ctx: Context, name: str, version: int, release_id: str) -> None:
    with ctx.step(f"publish aggregate {name} again") as note:
        restored_version(ctx, table_of(ctx, name), version, release_id, _told(name))
        note.text = f"version {version} of {table_of(ctx, name)}"


def _told(name: str) -> str:
    return f"anonymize.aggregates.{name}: this release"


def _record(ctx: Context, request: Request, version: int, groups: dict[str, int]) -> None:
    made, cost = request.design, ledger.cost_of(charges(request))
    common: dict[str, Any] = {
        "release_id": request.release_id, "aggregate": request.name, "table": str(table_of(ctx, request.name)),
        "version": version, "mechanism": f"discrete {made.mechanism}", "epsilon": cost.epsilon, "delta": cost.delta,
        "rho": cost.rho if made.mechanism == "gaussian" else None,
    }  # fmt: skip
    rows = []
    for measure, role in request.asked.measures.items():
        total = made.of(measure)[-1]
        told = {**common, "measure": measure, "kind": role.kind, "bound": bound_in_words(total)}
        told |= {"lower": role.lower, "upper": role.upper, "bounds_epsilon": role.bounds.epsilon if role.bounds else None}
        for level, error, drawn in zip(made.levels, total.errors, total.tree.noises, strict=True):
            errors = {"standard_error": error.standard_error, "standard_error_drawn": drawn.standard_error}
            rows.append({**told, "grouped_by": level.name, "groups": groups[level.name], **errors})
    given = ctx.rows(AGGREGATES, rows)
    ctx.store.replace_where(ctx.ref(AGGREGATES), given, policy=ctx.policy.name, release_id=request.release_id)

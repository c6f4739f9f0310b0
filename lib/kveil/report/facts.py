"""Gathers what the report says: from the policy, control tables, released bounds and sums over pairs of registrations.

Nothing of it is personal.
"""

import json
import math
from collections.abc import Iterator
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.context import Context
from kveil.report.aggregate_facts import published_aggregates
from kveil.report.composition import composition_facts
from kveil.report.law_facts import law_facts, law_of_lake
from kveil.report.mask_words import mask_columns
from kveil.report.partition_view import partition_view
from kveil.report.people_facts import people_facts
from kveil.report.profile_facts import profile_facts
from kveil.session import code_version
from kveil.settings import Policy, fingerprint
from kveil.settings.budget import period_of
from kveil.settings.disclosure import Sensitive
from kveil.settings.noise import RowNoise
from kveil.tables import schema
from kveil.tables.declaration import Table, TableRef
from kveil.tables.lake import Lake
from kveil.tables.same_people import told_same_people

Fact = dict[str, Any]
"""A row or a group of plain values: text, whole and real numbers, true and false, lists and maps of these."""

STAGES = ("collect", "clean", "anonymize", "train", "evaluate", "deploy", "report")


def facts(ctx: Context) -> Fact:
    """Everything the report says, as values that JSON holds; exact decimals and times (UTC) are text.

    A table that was never written gives an empty list and a release that was not published gives None,
    so a report can be made after any stage.
    """
    policy = ctx.policy
    stages = _stages(ctx)
    release_id = _release_of(ctx, stages)
    provenance = _latest_build(ctx, schema.PROVENANCE)
    return {
        "format": 1,
        "title": policy.report.title,
        "contact": policy.report.contact,
        "policy": policy.name,
        "policy_hash": fingerprint(policy),
        "purpose": policy.purpose,
        "run_id": ctx.run_id,
        "build": ctx.build,
        "written_at": _utc(ctx.now),
        "code_version": code_version(),
        "path": f"reports/{ctx.run_id}/index.html",
        "tables": {
            table.pattern: _address(ctx.store.lake, ctx.ref(table)) for table in (schema.BUDGET_LEDGER, schema.PRIVACY_METRICS)
        },
        "asked": _asked(policy),
        "consent": _consent(policy, provenance),
        "stages": stages,
        "sources": _sources(policy, provenance),
        "profile": profile_facts(ctx),
        "cleaning": sorted(_latest_build(ctx, schema.CLEANING_LOG), key=lambda rule: rule["step"]),
        "expectations": _latest_build(ctx, schema.QUALITY_METRICS) if policy.clean.expect else [],
        "people": people_facts(ctx),
        "release_id": release_id,
        "release": _release(ctx, release_id),
        "partition_view": _partition_view(ctx, release_id),
        "privacy": _of_release(ctx, schema.PRIVACY_METRICS, release_id),
        "composition": composition_facts(ctx),
        "aggregates": published_aggregates(ctx, lambda made: _of_release(ctx, schema.AGGREGATES, made)),
        "models": _latest_build(ctx, schema.MODELS, release_id, without=("document",)),
        "utility": _of_release(ctx, schema.UTILITY_METRICS, release_id),
        "gate": _latest_build(ctx, schema.DEPLOYMENTS, release_id),
        "ledger": _ledger(ctx),
        "same_people": told_same_people(ctx.store, policy),
        "law": {**law_facts(policy), **law_of_lake(ctx)},
    }


def _ledger(ctx: Context) -> list[Fact]:
    """Every release that was booked on an account of the policy's data set, in order; `in_period` where its cost counts now."""
    budget, ref = ctx.policy.anonymize.budget, ctx.ref(schema.BUDGET_LEDGER)
    if budget is None or not ctx.store.exists(ref):
        return []
    own = ctx.read(schema.BUDGET_LEDGER).where(F.col("data_set") == (budget.data_set or ctx.policy.name))
    entries = own.select("unit", "recipient", F.explode("entries").alias("entry"))
    reserved = F.element_at(F.filter("entry.steps", lambda step: step["state"] == "reserved"), -1)
    told = entries.select(
        reserved["sequence"].alias("entry"), "entry.release_id", "entry.epsilon", "entry.delta", "unit", "recipient",
        "entry.state",        reserved["cap_epsilon"].alias("budget"), "entry.slices", reserved["run_id"].alias("run_id"),
        reserved["at"].alias("written_at"),
    )  # fmt: skip
    now = period_of(ctx.now, budget.period)
    found = _collected(told)
    for entry in found:
        at = datetime.strptime(entry["written_at"], "%Y-%m-%dT%H:%M:%SZ")
        entry["in_period"] = period_of(at, budget.period) == now
    return sorted(found, key=lambda entry: (entry["unit"], entry["recipient"], entry["entry"]))


def _account(policy: Policy) -> str | None:
    """The account on which the released rows' noise is booked."""
    budget = policy.anonymize.budget
    return f"{budget.data_set or policy.name}/row/{budget.recipient}" if budget else None


def _known(ctx: Context, table: Table) -> DataFrame | None:
    """The policy's rows of a control table; None when it was never written."""
    if not ctx.store.exists(ctx.ref(table)):
        return None
    return ctx.read(table).where(F.col("policy") == ctx.policy.name)


def _collected(df: DataFrame | None) -> list[Fact]:
    """The rows of a small control table as plain values, in an order of their own values; times are said in UTC."""
    if df is None:
        return []
    # Spark hands times to Python in the machine's zone; as text they keep the session's, which is UTC.
    columns = [_time_as_text(name) if kind == "timestamp" else F.col(name) for name, kind in df.drop("policy").dtypes]
    rows = [{name: _plain(value) for name, value in row.asDict().items()} for row in df.select(*columns).collect()]
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


def _time_as_text(name: str) -> Any:
    return F.date_format(name, "yyyy-MM-dd'T'HH:mm:ss'Z'").alias(name)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def decimal_text(value: Decimal) -> str:
    """A decimal without trailing zeros or exponent: 2.000000000 is 2."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _utc(now: datetime) -> str:
    aware = now if now.tzinfo else now.replace(tzinfo=timezone.utc)
    return aware.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _release_of(ctx: Context, stages: list[Fact]) -> str | None:
    """The release that the report is about: what is published now, or what the last anonymize failed to publish."""
    failed = any(stage["stage"] == "anonymize" and stage["outcome"] == "failed" for stage in stages)
    published = ctx.store.property_of(ctx.ref(schema.RELEASE), "kveil.release_id")
    return published if published and not failed else _last_measured(ctx)


def _last_measured(ctx: Context) -> str | None:
    """The release that was measured or published last; a refused one has metrics and no publication."""
    tables = [_known(ctx, table) for table in (schema.RELEASES, schema.PRIVACY_METRICS)]
    seen = [table.select("release_id", "written_at") for table in tables if table is not None]
    if not seen:
        return None
    both = seen[0] if len(seen) == 1 else seen[0].unionByName(seen[1])
    row = both.agg(F.max_by("release_id", "written_at").alias("release_id")).first()
    return row["release_id"] if row else None


def _of_release(ctx: Context, table: Table, release_id: str | None) -> list[Fact]:
    rows = _known(ctx, table)
    return _collected(rows.where(F.col("release_id") == release_id) if rows is not None and release_id else None)


def _latest_build(ctx: Context, table: Table, release_id: str | None = "", without: tuple[str, ...] = ()) -> list[Fact]:
    """Rows of the build written last: of the policy, or of a release where one is named; none when it is None."""
    rows = _known(ctx, table)
    if rows is None or release_id is None:
        return []
    if release_id:
        rows = rows.where(F.col("release_id") == release_id)
    last = rows.agg(F.max_by("build", "written_at").alias("build"))
    return _collected(rows.drop(*without).join(F.broadcast(last), "build", "left_semi"))


def _release(ctx: Context, release_id: str | None) -> Fact | None:
    rows = sorted(_of_release(ctx, schema.RELEASES, release_id), key=lambda row: row["written_at"])
    return {**rows[-1], "address": _address(ctx.store.lake, ctx.ref(schema.RELEASE))} if rows else None


def _partition_view(ctx: Context, release_id: str | None) -> Fact | None:
    """What the release itself shows of its classes, where it is the release that the report is about."""
    ref = ctx.ref(schema.RELEASE)
    if release_id is None or ctx.store.property_of(ref, "kveil.release_id") != release_id:
        return None
    return partition_view(ctx.read(schema.RELEASE), ctx.policy.anonymize)


def _address(lake: Lake, ref: TableRef) -> str:
    """The table in SQL; paths start at the lake's own folder, because where that lies is nobody's business."""
    shown = Lake(Path(lake.root).name) if lake.is_local else lake
    return shown.identifier(ref)


def _stages(ctx: Context) -> list[Fact]:
    """One fact per stage, in order: how it ended last, with the figures of the run that last did its work."""
    log = _known(ctx, schema.RUN_LOG)
    last = _last_per_stage(log)
    worked = _last_per_stage(log.where(F.col("outcome").isin("done", "refused")) if log is not None else None)
    nothing: Fact = dict.fromkeys(name for name in schema.RUN_LOG.names if name != "policy")
    stages = []
    for stage in STAGES:
        outcome = last[stage]["outcome"] if stage in last else "not run"
        figures = (worked if outcome == "up to date" else last).get(stage, {})
        stages.append({**nothing, **figures, "stage": stage, "outcome": outcome})
    # The report's own row is written when it is done, so what the log holds is the report before this one.
    stages[-1] = {**nothing, "stage": "report", "outcome": "this report", "run_id": ctx.run_id, "build": ctx.build}
    return stages


def _last_per_stage(log: DataFrame | None) -> dict[str, Fact]:
    if log is None:
        return {}
    last = log.groupBy("stage").agg(F.max_by(F.struct(*log.columns), "written_at").alias("last")).select("last.*")
    return {row["stage"]: row for row in _collected(last)}


def _asked(policy: Policy) -> Fact:
    release = policy.anonymize
    columns = list(_columns(policy))
    not_collected = {name for source in policy.sources for name in policy.sources[source].columns} - {
        name for source in policy.sources for name in policy.used_columns(source)
    }
    withheld = policy.clean_columns() - {column["column"] for column in columns} - not_collected
    return {
        "release": release.release,
        "person": policy.person,
        "k": release.k,
        "columns": columns,
        "withheld": sorted(withheld),
        "accepted": [{"column": name, "reason": reason} for name, reason in release.accepted.items()],
        "suppression_limit": release.suppression_limit,
        "budget": decimal_text(release.budget.epsilon) if release.budget else None,
        "budget_period": release.budget.period if release.budget else None,
        "recipient": release.budget.recipient if release.budget else None,
        "account": _account(policy),
        "retained_until": _iso(release.retained_until),
        "label": policy.train.label,
        "features": policy.train.features,
        "threshold": policy.evaluate.threshold,
        "gate": policy.deploy.gate.model_dump(),
        "model": policy.deploy.model,
    }


def _columns(policy: Policy) -> Iterator[Fact]:
    """Each released column with its role, kind and parameters."""
    release = policy.anonymize
    for name in release.partition_by:
        yield _column(name, "partition", "", {})
    for name, qi in release.quasi_identifiers.items():
        parameters: Fact = {"step": qi.step} if qi.kind == "number" else {"order": qi.order} if qi.kind == "ordered" else {}
        if qi.hierarchy is not None:
            parameters = {"hierarchy": qi.hierarchy.source}
        if len(release.shown(name)) < (3 if qi.has_bounds else 2):
            parameters["columns"] = release.released_columns(name)
        yield _column(name, "quasi-identifier", qi.kind, parameters)
    for name, sensitive in release.sensitive.items():
        yield _column(name, "sensitive", "", _asked_of(sensitive))
    for name, noise in release.noise.items():
        yield _column(name, "noise", noise.mechanism, _asked_of_noise(noise))
    for name, technique, asked in mask_columns(release):
        yield _column(name, "masked", technique, asked)
    for name, reason in release.insensitive.items():
        yield _column(name, "insensitive", "", {"reason": reason})


def _asked_of_noise(noise: RowNoise) -> Fact:
    """Bounds (dates as texts) or the number of public values, and epsilon."""
    epsilon = decimal_text(noise.epsilon)
    if noise.holds == "text":
        return {"values": len(noise.values), "epsilon": epsilon}
    lower, upper = map(_bound, (noise.lower, noise.upper))
    after = {"clamp_after": True} if noise.clamp_after else {}
    return {"lower": lower, "upper": upper, "epsilon": epsilon, **after}


def _bound(bound: int | Decimal | date | None) -> int | float | str | None:
    return bound.isoformat() if isinstance(bound, date) else float(bound) if isinstance(bound, Decimal) else bound


def _asked_of(sensitive: Sensitive) -> Fact:
    """What each class must hold of a sensitive column; what is not asked is left out."""
    models = sensitive.model_dump(include={"entropy", "recursive", "t", "beta"}, exclude_none=True)
    distance = {"distance": sensitive.distance} if sensitive.t is not None else {}
    return {"distinct": sensitive.distinct, **models, **distance}


def _column(name: str, role: str, kind: str, parameters: Fact) -> Fact:
    return {"column": name, "role": role, "kind": kind, "parameters": parameters}


def _consent(policy: Policy, provenance: list[Fact]) -> Fact:
    made_up = policy.consent.simulated
    return {
        "simulated": made_up is not None or any(row["simulated_consent"] for row in provenance),
        "registry": policy.consent.registry,
        "as_of": _iso(policy.consent.as_of),
        "shares": made_up.model_dump(include={"grant", "refuse", "withdraw"}) if made_up else None,
    }


def _iso(value: date | None) -> str | None:
    return value.isoformat() if value else None


def _sources(policy: Policy, provenance: list[Fact]) -> list[Fact]:
    """One fact per source, in the policy's order, with its files; each file's row repeats its batch's counts."""
    sources = []
    for name in policy.sources:
        rows = [row for row in provenance if row["source"] == name]
        if rows:
            files = [
                {"name": PurePosixPath(row["path"]).name, "bytes": row["bytes"], "sha256": row["sha256"]}
                for row in rows
                if row["sha256"] is not None
            ]
            sums = _sums(rows)
            head = {"source": name, "uri": _without_secrets(rows[0]["uri"]), "balanced": _balanced(sums)}
            sources.append({**head, **sums, "ignored_columns": rows[0]["ignored_columns"], "files": files})
    return sources


_COUNTS = ("rows_in", "rows_quarantined", "rows_duplicate", "rows_not_consented", "rows_out")


def _sums(rows: list[Fact]) -> Fact:
    """A source's counts over its batches (a source read whole is one); None where one is missing."""
    batches = list({row.get("batch"): row for row in rows}.values())
    counted = {count: [batch.get(count) for batch in batches] for count in _COUNTS}
    counted["rows_duplicate"] = [count or 0 for count in counted["rows_duplicate"]]
    return {name: None if None in counts else sum(counts) for name, counts in counted.items()}


def _balanced(row: Fact) -> bool | None:
    """Whether every row read is in the raw zone, set aside, not consented or a duplicate; None where a count is missing."""
    parts = [row["rows_out"], row["rows_quarantined"], row["rows_not_consented"], row["rows_duplicate"]]
    if row["rows_in"] is None or None in parts:
        return None
    return bool(row["rows_in"] == sum(parts))


def _without_secrets(uri: str) -> str:
    """The address without password and query, where storage tokens are put."""
    parts = urlsplit(uri)
    user, at, host = parts.netloc.rpartition("@")
    return urlunsplit((parts.scheme, user.split(":")[0] + at + host, parts.path, "", ""))

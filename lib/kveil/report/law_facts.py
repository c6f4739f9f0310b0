"""What the report says of law: rules with their articles, whose rows were used, what was not collected, kept, or erased."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.context import Context
from kveil.settings import Policy
from kveil.settings.regimes import days_to_erase, limits
from kveil.settings.regulations import in_force
from kveil.tables import schema
from kveil.tables.declaration import Table

Fact = dict[str, Any]


def law_facts(policy: Policy) -> Fact:
    """What the policy and its regulations say, without looking at any table."""
    regulations = policy.law.regulations.values()
    return {
        "regulations": [{"name": each.name, "title": each.title, "citation": each.citation} for each in regulations],
        "rules": [
            {
                "regulation": each.name, "rule": name, "article": rule.article, "says": rule.says, "enforced": rule.enforced,
                "what": rule.does if rule.enforced else rule.person,
            }
            for each in regulations
            for name, rule in each.listed()
        ],
        "basis": [{"source": source, **policy.law.basis_of(source).model_dump()} for source in policy.sources],
        "not_collected": [
            {"source": source, "columns": ", ".join(left)} for source in policy.sources if (left := _left_out(policy, source))
        ],
        "limits": [{"zone": zone, "days": days} for zone, days in limits(policy.law).items()],
        "limits_are_asked": any(in_force(each.rules.retention) for each in regulations),
        "days_to_erase": days_to_erase(policy.law),
        "deidentified": any(in_force(each.rules.deidentified) for each in regulations),
        "record": _record(policy),
    }  # fmt: skip


def _left_out(policy: Policy, source: str) -> list[str]:
    used = policy.used_columns(source)
    return [name for name in policy.sources[source].columns if name not in used]


def _record(policy: Policy) -> list[Fact]:
    """The record of processing, item by item; None where the policy does not tell one (Art. 30(1))."""
    asked = [in_force(each.rules.records) for each in policy.law.regulations.values()]
    wanted = list(dict.fromkeys(name for rule in asked if rule for name in rule.holds))
    budget = policy.anonymize.budget
    categories = {column for source in policy.sources for column in policy.used_columns(source)} - {policy.person}
    told = {
        "controller": policy.report.contact or None,
        "purpose": policy.purpose,
        "people": f"those named by {policy.person}",
        "categories": ", ".join(sorted(categories)),
        "recipients": budget.recipient if budget else None,
        "retention": "; ".join(f"{zone}: {days} days" for zone, days in limits(policy.law).items()) or None,
    }
    return [{"item": name, "value": told[name]} for name in wanted]


def law_of_lake(ctx: Context) -> Fact:
    """What the control tables say of people, erasures and retention; counts alone."""
    erased = _erasures(ctx)
    models = _rows(ctx, schema.MODELS, "build", "release_id", "trained_on", "algorithm")
    runs = _rows(ctx, schema.RUN_LOG, "build", "stage", "reads", "writes")
    return {
        "people": _people(ctx),
        "erasures": _erasure_counts(ctx, erased),
        "models": models_with_erased(models, runs, erased, str(ctx.ref(schema.CLEAN))),
        "retained": _retained(ctx),
    }


def _known(ctx: Context, table: Table) -> DataFrame | None:
    return ctx.store.read(ctx.ref(table)).where(F.col("policy") == ctx.policy.name) if ctx.store.exists(ctx.ref(table)) else None


def _rows(ctx: Context, table: Table, *columns: str) -> list[Fact]:
    """What lineage needs of a control table: a row per model or stage run, whatever the data."""
    rows = _known(ctx, table)
    return [row.asDict() for row in rows.orderBy("written_at").select(*columns).collect()] if rows is not None else []


def _people(ctx: Context) -> list[Fact]:
    rows = _known(ctx, schema.LAW_LOG)
    if rows is None:
        return []
    last = rows.agg(F.max_by("build", "written_at").alias("build"))
    found = rows.join(F.broadcast(last), "build", "left_semi").select("regulation", "outcome", "people")
    return sorted((row.asDict() for row in found.collect()), key=lambda row: (row["regulation"], row["outcome"]))


def _erasures(ctx: Context) -> list[Fact]:
    """The erasure log's rows, some ten per request."""
    rows = _known(ctx, schema.ERASURE_LOG)
    at = F.unix_seconds("written_at").alias("at")
    wanted = ("request", "state", "table", "version", "people", "rows")
    return [row.asDict() for row in rows.select(*wanted, at).collect()] if rows is not None else []


def _erasure_counts(ctx: Context, erased: Sequence[Fact]) -> Fact:
    """Requests, people and rows; how many requests are not proven, and of these, and all, how many are, or were, late."""
    whole = [row for row in erased if row["table"] is None]
    asked = {row["request"]: row["at"] for row in whole if row["state"] == "requested"}
    proven = {row["request"]: row["at"] for row in whole if row["state"] == "proven"}
    days = days_to_erase(ctx.policy.law)
    late = [] if days is None else [name for name, at in asked.items() if proven.get(name, _now(ctx)) - at > _seconds(days)]
    return {
        "requests": len(asked),
        "people": sum(row["people"] for row in whole if row["state"] == "requested"),
        "rows": sum(row["rows"] for row in erased if row["state"] == "requested" and row["table"]),
        "pending": len(asked.keys() - proven.keys()),
        "late": len(late),
    }


def _now(ctx: Context) -> int:
    return int(ctx.now.timestamp())


def _seconds(days: int) -> int:
    return int(timedelta(days=days).total_seconds())


def models_with_erased(models: Sequence[Fact], runs: Sequence[Fact], erased: Sequence[Fact], clean: str) -> list[Fact]:
    """Per training, how many people erased since had rows in the table that it learned from; trainings without any are left out.

    `certain`: their rows were in the clean table that the training read. `possible`: in a later state of it, so that nothing
    tells whether they were in the earlier one. Lineage goes from the model's build by the run log to the clean table's version.
    """
    written = sorted({run["writes"][clean] for run in runs if run["stage"] == "clean" and clean in (run["writes"] or {})})
    read = {run["build"]: run["reads"][clean] for run in runs if run["stage"] == "train" and clean in (run["reads"] or {})}
    gone = [row for row in erased if row["state"] == "requested" and row["table"] == clean and row["people"]]
    found: dict[tuple[str, str, str], Fact] = {}
    for model in models:
        version = read.get(model["build"])
        if version is None:
            continue
        mine = _made_by(written, version)
        key = (model["release_id"], model["trained_on"], model["build"])
        certain = sum(row["people"] for row in gone if _made_by(written, row["version"]) == mine)
        possible = sum(row["people"] for row in gone if _made_by(written, row["version"]) > mine)
        algorithms = [*found.get(key, {"algorithms": []})["algorithms"], model["algorithm"]]
        found[key] = {"algorithms": algorithms, "certain": certain, "possible": possible}
    return [
        {"release_id": key[0], "trained_on": key[1], **fact, "algorithms": ", ".join(sorted(set(fact["algorithms"])))}
        for key, fact in found.items()
        if fact["certain"] or fact["possible"]
    ]


def _made_by(written: Sequence[int], version: int) -> int:
    """The version that the clean stage wrote last at or before this one: what came after only took rows away."""
    return max((each for each in written if each <= version), default=version)


def _retained(ctx: Context) -> list[Fact]:
    """Per table, what retain deleted in all, and when it ran last."""
    rows = _known(ctx, schema.RETENTION_LOG)
    if rows is None:
        return []
    last = F.date_format(F.max("written_at"), "yyyy-MM-dd'T'HH:mm:ss'Z'").alias("last")
    by_table = rows.groupBy("table").agg(
        F.sum("rows_deleted").alias("rows_deleted"),
        F.max_by("days", "written_at").alias("days"),
        F.max_by("aged_by", "written_at").alias("aged_by"),
        F.max_by("rows_without_time", "written_at").alias("rows_without_time"),
        last,
    )
    return sorted((row.asDict() for row in by_table.collect()), key=lambda row: str(row["table"]))

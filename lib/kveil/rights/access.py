"""Writes what is held about a person, and what for (Art. 15 GDPR, § 1798.110 CCPA)."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.context import Context
from kveil.errors import KveilError
from kveil.settings import Policy
from kveil.settings.regimes import limits
from kveil.settings.regulations import in_force
from kveil.tables.erasure import held
from kveil.tables.people import HELD, places

_WITHOUT_LINK = "of released tables, which hold no link to a person"


def told(policy: Policy) -> dict[str, Any]:
    """The facts that the policy's regulations want a person to be told, by name."""
    rules = [in_force(regulation.rules.access) for regulation in policy.law.regulations.values()]
    asked = {name for rule in rules if rule for name in rule.tells}
    budget = policy.anonymize.budget
    links = any(mask.linkable for mask in policy.anonymize.mask.values())
    released = "of released tables, in which tokens may link a person's rows" if links else _WITHOUT_LINK
    facts: dict[str, Any] = {
        "purpose": policy.purpose,
        "basis": {source: policy.law.basis_of(source).model_dump() for source in policy.sources},
        "categories": {source: policy.used_columns(source) for source in policy.sources},
        "recipients": {
            released: budget.recipient if budget else "not named",
            "of raw and clean rows": "nobody by kveil",
        },
        "retention": {f"days in {zone}": days for zone, days in limits(policy.law).items()} or "no limit is set",
        "source": sorted(policy.sources),
        "rights": "erasure, correction, restriction, objection, and a complaint to a supervisory authority",
    }
    return {name: fact for name, fact in facts.items() if name in asked}


def write_held(ctx: Context, person: DataFrame, out: TextIO) -> int:
    """Writes a JSON document with `told` and, by table, every row of the person (a column `person`); returns their number.

    Rows are written as they are read, one a line, so that nobody's are too many. A table without such rows is listed empty.
    """
    head = {"policy": ctx.policy.name, "written_at": f"{ctx.now:%Y-%m-%dT%H:%M:%SZ}", "contact": ctx.policy.report.contact}
    opening = json.dumps({**head, "told": told(ctx.policy)}, ensure_ascii=False)
    out.write(f'{opening[:-1]}, "held": {{')
    count, between = 0, ""
    for place in places(ctx.policy):
        if not ctx.store.exists(place.ref):
            continue
        out.write(f"{between}\n{json.dumps(str(place.ref))}: [")
        between, comma = ",", ""
        for row in _rows(held(ctx.store, place, person)):
            out.write(f"{comma}\n{row}")
            count, comma = count + 1, ","
        out.write("]")
    out.write("}}\n")
    return count


def write_file(ctx: Context, person: DataFrame, path: Path) -> int:
    """`write_held` into a file that only its owner may read (mode 0600), there as a whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(beside, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            count = write_held(ctx, person, out)
        beside.replace(path)
    except OSError as error:
        raise KveilError(f"--out: {path} cannot be written ({error.strerror}); give a file in a folder you may write") from None
    finally:
        beside.unlink(missing_ok=True)
    return count


def _rows(rows: DataFrame) -> Iterator[str]:
    """Each row as one line of JSON."""
    return (row["row"] for row in rows.select(F.to_json(F.struct(*rows.drop(HELD).columns)).alias("row")).toLocalIterator())

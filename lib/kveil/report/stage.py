"""Stage 7: writes the report of a run and the row that says so."""

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

from pyspark.sql import functions as F

from kveil.context import Context, StageResult
from kveil.modes import close_to_others, share_with_group
from kveil.report.facts import facts
from kveil.report.render import document, html, markdown, summary
from kveil.tables.schema import REPORTS


def run(ctx: Context) -> StageResult:
    """Writes reports/RUN_ID/{index.html, report.md, facts.json}, points `latest` at it and records it in REPORTS.

    Reads control tables, the release and sums over pairs of registrations. A report is whole or not there: a reader never
    meets half of one.
    """
    with ctx.step("facts") as note:
        found = facts(ctx)
        note.rows(len(found["privacy"]) + len(found["utility"]), "measures")
    with ctx.step("documents") as note:
        documents = {"index.html": html(found), "report.md": markdown(found), "facts.json": document(found)}
        publish(ctx.files / "reports", ctx.run_id, documents)
        note.rows(len(documents), "files")
    digest = hashlib.sha256(documents["index.html"].encode()).hexdigest()
    row = {"release_id": found["release_id"], "path": found["path"], "sha256": digest}
    ctx.store.replace_where(ctx.ref(REPORTS), ctx.rows(REPORTS, [row]), policy=ctx.policy.name, build=ctx.build)
    return StageResult(rows_out=1)


def last_summary(ctx: Context) -> list[str]:
    """What the policy's last report says, in a few lines for a terminal; none when there is no report."""
    if not ctx.store.exists(ctx.ref(REPORTS)):
        return []
    rows = ctx.store.read(ctx.ref(REPORTS)).where(F.col("policy") == ctx.policy.name)
    row = rows.orderBy(F.desc("written_at")).first()
    if row is None or not (ctx.files / row["path"]).with_name("facts.json").is_file():
        return []
    page = ctx.files / row["path"]
    found = json.loads(page.with_name("facts.json").read_text(encoding="utf-8"))
    return summary({**found, "path": str(page)})


def publish(reports: Path, run_id: str, documents: dict[str, str]) -> None:
    """Puts the documents into reports/run_id, for the group to read where the mask lets it; reports/latest is the same."""
    reports.mkdir(parents=True, exist_ok=True)
    close_to_others(reports)
    fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=reports))
    for name, text in documents.items():
        (fresh / name).write_text(text, encoding="utf-8", newline="\n")
    share_with_group([fresh])
    _put(fresh, reports / run_id)
    link = Path(tempfile.mkdtemp(prefix=".latest-", dir=reports)) / "latest"
    try:
        link.symlink_to(Path(run_id), target_is_directory=True)
    except OSError:  # a file system without symlinks, such as a mounted volume
        shutil.copytree(reports / run_id, link)
    _put(link, reports / "latest")
    link.parent.rmdir()


def _put(fresh: Path, target: Path) -> None:
    """Renames `fresh` to `target`; a folder that is there, which a rename cannot replace, is moved aside and removed."""
    if target.is_dir() and not target.is_symlink():
        with tempfile.TemporaryDirectory(prefix=".old-", dir=target.parent) as aside:
            os.replace(target, Path(aside) / "old")
            os.replace(fresh, target)
        return
    os.replace(fresh, target)

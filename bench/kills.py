"""Kills collect with -9 at random moments, then runs it once: the tables must be those of a run that nobody disturbed.

    python -m bench.kills [--rows 1000000] [--kills 20] [--by whole|file|watermark|stream] [--folder FOLDER]

Every attempt is a process of its own with its own JVM; both are killed. Figures: rows, kills, seconds of an undisturbed run.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from bench.measure import Book

_JOB = Path(__file__).parent.parent / "jobs" / "collect.py"
FILES = 8
"""Files that the rows are delivered in."""


def main() -> None:
    """Prints one line per kill and one per figure; ends with 1 when the tables differ."""
    asked = _arguments()
    folder = Path(asked.folder or tempfile.mkdtemp(prefix="kveil-kills-"))
    policy = deliver(folder, asked.rows, asked.by)
    started = time.monotonic()
    subprocess.run(_command(policy, folder / "calm"), check=True)
    seconds = time.monotonic() - started
    expected = content(folder / "calm")
    killed = 0
    while killed < asked.kills:
        killed += kill_once(policy, folder / "killed", seconds, killed)
    subprocess.run(_command(policy, folder / "killed"), check=True)
    same = content(folder / "killed") == expected
    book = Book("kills")
    book.add(f"kills, {asked.by}: rows", asked.rows, "rows")
    book.add(f"kills, {asked.by}: runs killed", killed, "runs", asked.kills, "higher")
    book.add(f"kills, {asked.by}: undisturbed run", seconds, "s")
    book.add(f"kills, {asked.by}: tables as undisturbed", float(same), "yes", 1, "higher")
    print(book.write())
    if not asked.folder:
        shutil.rmtree(folder)
    sys.exit(0 if same else 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--by", choices=["whole", "file", "watermark", "stream"], default="whole")
    parser.add_argument("--folder", default="")
    return parser.parse_args()


def deliver(folder: Path, rows: int, by: str) -> Path:
    """Writes FILES CSV files of rows, a hundredth of them broken, a consent registry, and the policy; returns the policy."""
    (folder / "in").mkdir(parents=True)
    for n in range(FILES):
        lines = map(_line, range(n, rows, FILES))
        (folder / f"in/{n}.csv").write_text("id,person,at,amount\n" + "\n".join(lines) + "\n")
    people = (f"{person},scoring,{'refuse' if person % 10 == 3 else 'grant'},2020-01-01 00:00:00" for person in range(5000))
    (folder / "registry.csv").write_text("person,purpose,decision,decided_at\n" + "\n".join(people) + "\n")
    path = folder / "policy.yml"
    path.write_text(yaml.safe_dump(_policy(folder, by)))
    return path


def _line(i: int) -> str:
    return f"{i},{i % 5000},2024-01-{1 + i % 28:02} 00:00:00,{-1 if i % 100 == 7 else i % 1000}"


def _policy(folder: Path, by: str) -> dict[str, object]:
    required = {"type": "bigint", "required": True}
    base: dict[str, object] = {
        "uri": str(folder / "in"), "format": "csv", "quarantine_limit": 0.02,
        "columns": {"id": required, "person": required, "at": "timestamp", "amount": {"type": "int", "min": 0}},
    }  # fmt: skip
    if by != "whole":
        base["incremental"] = {"by": by, **({"column": "at"} if by == "watermark" else {})}
    if by == "watermark":
        base["key"] = ["id"]
    columns = {"person": "bigint", "purpose": "string", "decision": "string", "decided_at": "timestamp"}
    return {
        "name": "kills", "purpose": "scoring", "person": "person",
        "sources": {"base": base, "registry": {"uri": str(folder / "registry.csv"), "format": "csv", "columns": columns}},
        "consent": {"registry": "registry"},
        "clean": {"table": "rows", "base": "base", "time": "at", "derive": {"seen": "id"}},
        "anonymize": {
            "release": "rows", "k": 2, "partition_by": ["split"], "quasi_identifiers": {"date": {"kind": "date"}},
            "insensitive": {"amount": "the label"},
        },
        "train": {"label": "amount", "features": ["date"], "logistic_regression": {}},
        "deploy": {"model": "kills"},
    }  # fmt: skip


def kill_once(policy: Path, lake: Path, seconds: float, number: int) -> bool:
    """Starts a collect and kills it, JVM included, at a random moment of its usual duration; whether it was still running."""
    moment = random.uniform(0.2, 1.0) * seconds
    process = subprocess.Popen(_command(policy, lake), start_new_session=True, stderr=subprocess.DEVNULL)
    time.sleep(moment)
    running = process.poll() is None
    os.killpg(process.pid, signal.SIGKILL) if running else None
    process.wait()
    print(f"{number + 1:3}: killed after {moment:.1f} s" if running else f"{number + 1:3}: had ended", flush=True)
    return running


def _command(policy: Path, lake: Path) -> list[str]:
    return [sys.executable, str(_JOB), str(policy), "--lake", str(lake), "--force"]


def content(lake: Path) -> dict[str, str]:
    """What the lake's raw rows, quarantine and counts are, whatever their order, as read by a process of its own."""
    script = "from bench.kills import fingerprints; import sys; fingerprints(sys.argv[1])"
    told = subprocess.run([sys.executable, "-c", script, str(lake)], check=True, capture_output=True, text=True).stdout
    found: dict[str, str] = json.loads(told.splitlines()[-1])
    return found


def fingerprints(lake: str) -> None:
    """Prints rows and a hash of each table that collect makes, without what names the run."""
    from kveil.session import session
    from kveil.tables.declaration import TableRef
    from kveil.tables.lake import Lake
    from kveil.tables.schema import PROVENANCE, QUARANTINE
    from kveil.tables.store import TableStore
    from pyspark.sql import functions as F

    store, found = TableStore(session(), Lake.at(lake)), {}
    latest = store.read(TableRef("control", PROVENANCE.pattern)).orderBy(F.desc("written_at")).first()
    assert latest is not None
    tables = {
        "raw": store.read(TableRef("raw", "kills_base")),
        "quarantine": store.read(TableRef("restricted", QUARANTINE.pattern)).drop("attempt"),
        "provenance": store.read(TableRef("control", PROVENANCE.pattern))
        .where(F.col("build") == latest["build"])
        .drop("build", "run_id", "written_at", "batch"),
    }
    for name, rows in tables.items():
        counted = rows.agg(F.count("*"), F.sum(F.xxhash64(*rows.columns).cast("decimal(38,0)"))).first()
        found[name] = hashlib.sha256(str(counted).encode()).hexdigest()
    print(json.dumps(found))


if __name__ == "__main__":
    main()

"""Two commands at once on one lake, each a process with a JVM of its own: one waits or stops with a sentence, nothing doubles."""

import os
import shutil
import signal
from pathlib import Path

import pytest
from kveil.anonymize.ledger.statement import verification
from kveil.settings import load
from kveil.tables.lake import Lake
from kveil.tables.schema import CLEAN, RAW, RELEASES
from kveil.tables.store import TableStore

from tests.builders import NOW, booked
from tests.e2e.conftest import SMALL_JVM, start
from tests.e2e.small import PEOPLE, PERSON

COMMANDS = {
    "run": ("anonymize", "--force"),
    "collect": ("collect", "--force"),
    "clean": ("clean", "--force"),
    "erase one": ("erase", "--customer", PERSON.format(1)),
    "erase another": ("erase", "--customer", PERSON.format(2)),
    "retain": ("retain",),
    "verify": ("budget", "--verify"),
    "access": ("access", "--customer", PERSON.format(3)),
    "profile": ("profile",),
    "consent": ("consent", "--customer", PERSON.format(3)),
}
READERS = ("verify", "access", "profile", "consent")
PAIRS = [
    ("run", "run"), ("run", "erase one"), ("erase one", "run"), ("erase one", "erase another"), ("erase one", "erase one"),
    ("collect", "retain"), ("collect", "erase one"), ("clean", "run"),
    *((reader, change) for reader in READERS for change in ("run", "erase one", "collect")),
]  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("pair", PAIRS, ids=[" beside ".join(pair) for pair in PAIRS])
def test_two_at_once(spark, shop_lake, tmp_path, pair):
    lake, policy = shop_lake
    shutil.copytree(lake, tmp_path / "lake", symlinks=True)
    on = (policy, "--lake", str(tmp_path / "lake"))
    processes = [start([COMMANDS[name][0], *on, *COMMANDS[name][1:]], **SMALL_JVM) for name in pair]
    try:
        ended = [(*process.communicate(timeout=900), process.returncode)[::2] for process in processes]
    finally:
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    for said, code in ended:
        assert "Traceback" not in said and "Exception" not in said and "unexpected" not in said, said
        assert code in (0, 1), said
        if code:
            (sentence,) = [line for line in said.splitlines() if line.startswith("kveil: ")]
            assert "working in this lake" in sentence or "works in this lake" in sentence
    assert 0 in [code for _, code in ended], ended
    require_sound(spark, tmp_path / "lake", policy)


def require_sound(spark, folder: Path, policy_file: str) -> None:
    """Nothing is there twice, one release is booked once, and nothing is left half done."""
    from kveil.context import Context
    from kveil.log import Progress

    policy, store = load(policy_file), TableStore(spark, Lake.at(str(folder)))
    ctx = Context(policy, store, "run", NOW, Progress(), "build", "test")
    for ref in (RAW.of(policy, "payments"), CLEAN.of(policy)):
        rows = store.read(ref)
        assert rows.select("client").distinct().count() * 5 == rows.count() in {5 * (PEOPLE - n) for n in range(3)}
    entries = booked(ctx)
    assert len({entry.release_id for entry in entries}) == len(entries) == store.read(ctx.ref(RELEASES)).count() <= 2
    assert all(entry.state == "committed" for entry in entries)
    assert verification(ctx)[1] == []
    left = [path for path in (folder / "restricted").iterdir() if path.name.endswith(("staging", "secret", "erasing"))]
    assert left == [], [str(path) for path in left]
    assert list((folder / "restricted" / ".scratch").iterdir()) == []

"""What a run writes aside, seen from outside while it works and after it was killed: closed, unreadable, and swept."""

import os
import shutil
import signal
import stat
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import SMALL_JVM, kveil, start
from tests.e2e.small import PERSON, shop_files

CLOSED_ZONES = ("raw", "clean", "restricted")


def modes(folder: Path) -> dict[Path, int]:
    """The mode of everything in a folder that others may change meanwhile."""
    found = {}
    for top, _, files in os.walk(folder):
        for path in (Path(top), *(Path(top) / file for file in files)):
            try:
                found[path] = stat.S_IMODE(path.stat().st_mode)
            except FileNotFoundError:
                continue
    return found


def killed_run(lake: Path, tmp_path: Path, k: int) -> dict[Path, int]:
    """Kills a run, JVM included, that has shuffled rows; the modes of all that was in the lake until then."""
    (tmp_path / str(k)).mkdir()
    process = start(
        ["anonymize", shop_files(tmp_path / str(k), anonymize__k=k, anonymize__budget={"epsilon": 9}), "--lake", str(lake)],
        **SMALL_JVM,
    )
    seen: dict[Path, int] = {}
    try:
        deadline = time.monotonic() + 600
        while sum(path.name.startswith("shuffle_") for path in seen) < 20:
            assert process.poll() is None, process.stdout.read()
            assert time.monotonic() < deadline
            seen |= modes(lake)
            time.sleep(0.05)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return seen


@pytest.mark.long
@pytest.mark.usefixtures("spark")
def test_nobody_else_reads_what_is_written_aside_and_nothing_stays(shop_lake, tmp_path, capsys):
    lake = tmp_path / "lake"
    shutil.copytree(shop_lake[0], lake, symlinks=True)
    home = lake / "restricted" / ".scratch"
    assert list(home.iterdir()) == [], "a command that ended left something"
    seen = killed_run(lake, tmp_path, 6)
    aside = {path: mode for path, mode in seen.items() if home in path.parents}
    assert {mode & 0o066 for mode in aside.values()} == {0}
    # Spark makes the library's own archives executable for all, in a folder that nobody enters.
    assert {mode & 0o077 for path, mode in aside.items() if path.suffix != ".jar"} == {0}
    assert all(seen[lake / zone] == 0o700 for zone in CLOSED_ZONES)
    assert {mode & 0o006 for path, mode in seen.items() if path != lake and "release" not in path.parts[len(lake.parts) :]} == {0}
    left = [path for path in home.rglob("*") if path.is_file()]
    assert left, "nobody cleans up after kill -9"
    named = [path for path in left if path.suffix != ".jar" and PERSON.format(0)[:9].encode() in path.read_bytes()]
    assert named == []
    # The next command sweeps, whatever it is.
    process = start(["consent", shop_lake[1], "--customer", PERSON.format(3), "--lake", str(lake)], **SMALL_JVM)
    assert process.communicate(timeout=600)[0] and process.returncode == 0
    assert list(home.iterdir()) == []
    # So does an erasure, also in a session that was there.
    killed_run(lake, tmp_path, 7)
    assert any(home.iterdir())
    kveil("erase", shop_lake[1], "--customer", PERSON.format(1), "--lake", str(lake))
    assert "none holds them" in capsys.readouterr().out
    assert list(home.iterdir()) == []

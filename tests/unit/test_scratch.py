"""The folder of what is written aside: one per process, for nobody else, and swept once its process is gone."""

import os
import signal
import stat
import subprocess
import sys

import pytest
from kveil.errors import KveilError
from kveil.modes import close_to_others, share_with_group
from kveil.scratch import ELSEWHERE, closed_files, open_scratch, scratch_home, sweep

WORKER = """
import sys
from pathlib import Path
from kveil.scratch import open_scratch
scratch = open_scratch(Path(sys.argv[1]))
(scratch.spark / "rows").write_text("of people")
print(scratch.folder, flush=True)
sys.stdin.read()
"""


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def worker(tmp_path):
    """A process with a folder of its own in `home`."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tmp_path / "home")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process, tmp_path / "home" / process.stdout.readline().strip()
    process.kill()
    process.wait()


def test_what_a_killed_process_left_is_swept_and_what_a_living_one_has_is_not(worker, tmp_path):
    process, left = worker
    own = open_scratch(tmp_path / "home")
    assert sweep(tmp_path / "home") == 0
    assert (left / "spark" / "rows").exists() and own.spark.is_dir()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (left / "spark" / "rows").exists(), "nobody cleans up after kill -9"
    assert sweep(tmp_path / "home") == 1
    assert sorted(path.name for path in (tmp_path / "home").iterdir()) == [own.folder.name, f"{own.folder.name}.lock"]


def test_the_next_process_sweeps_and_one_that_ends_leaves_nothing(worker, tmp_path):
    process, left = worker
    process.send_signal(signal.SIGKILL)
    process.wait()
    own = open_scratch(tmp_path / "home")
    assert not left.exists() and own.folder.is_dir()
    ended = subprocess.run(
        [sys.executable, "-c", WORKER, str(tmp_path / "other")], input="", capture_output=True, text=True, check=True
    )
    assert ended.stdout
    assert list((tmp_path / "other").iterdir()) == []


def test_folders_are_for_their_user_alone_whatever_the_mask(tmp_path):
    before = os.umask(0)
    try:
        scratch = open_scratch(tmp_path / "home")
        with closed_files():
            (scratch.java / "file").touch()
        (tmp_path / "open").touch()
    finally:
        os.umask(before)
    folders = [tmp_path / "home", scratch.folder, scratch.spark, scratch.java, scratch.python]
    assert [mode(folder) for folder in folders] == [0o700] * 5
    assert (mode(scratch.java / "file"), mode(tmp_path / "open")) == (0o600, 0o666)


def test_it_lies_in_the_restricted_zone_or_where_the_variable_says(tmp_path, monkeypatch):
    monkeypatch.delenv(ELSEWHERE, raising=False)
    assert scratch_home(tmp_path / "lake") == tmp_path / "lake" / "restricted" / ".scratch"
    monkeypatch.setenv(ELSEWHERE, str(tmp_path / "disk"))
    assert scratch_home(tmp_path / "lake") == scratch_home() == tmp_path / "disk" / f"kveil-{os.getuid()}"


def test_a_place_that_cannot_be_used_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(KveilError, match=r"^KVEIL_SCRATCH: .*/file/x cannot be used for temporary files \(.*\); name a folder"):
        open_scratch(tmp_path / "file" / "x")


def test_a_folder_that_is_a_link_of_somebody_is_not_used_and_no_folder_above_is_closed(tmp_path):
    (tmp_path / "elsewhere").mkdir(mode=0o755)
    (tmp_path / "home").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KveilError, match="it is another user's"):
        open_scratch(tmp_path / "home")
    open_scratch(tmp_path / "elsewhere" / "kveil-0")
    assert mode(tmp_path / "elsewhere") == 0o755


def test_what_is_shared_is_shared_with_the_group_as_far_as_the_mask_goes(tmp_path):
    made = tmp_path / "zone" / "table"
    made.mkdir(parents=True)
    (made / "file").touch()
    for folder, wanted in ((0o022, (0o750, 0o640)), (0o077, (0o700, 0o600))):
        made.chmod(0o777)
        (made / "file").chmod(0o600)
        before = os.umask(folder)
        try:
            share_with_group([tmp_path / "zone"])
        finally:
            os.umask(before)
        assert (mode(made), mode(made / "file")) == wanted
    made.chmod(0o777)
    (made / "file").chmod(0o400)
    close_to_others(made, made / "file", made / "nothing")
    assert (mode(made), mode(made / "file")) == (0o750, 0o400)

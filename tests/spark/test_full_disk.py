"""A disk that runs full while collect writes: one sentence, nothing half-visible, and the next run with space goes on."""

import os
import subprocess

import pytest
import yaml
from kveil.cli import main
from kveil.settings import load
from kveil.tables.lake import Lake
from kveil.tables.schema import PROVENANCE, RAW
from kveil.tables.store import TableStore

from bench.kills import deliver

ROWS = 60_000


@pytest.fixture
def small_disk(tmp_path):
    """A file system of two megabytes; only root may make one."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.getuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "kveil", place], check=False).returncode:
        pytest.skip("a small disk can be mounted by root alone")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.long
def test_a_full_disk_ends_in_one_sentence_and_with_space_the_next_run_goes_on(spark, small_disk, tmp_path, capsys):
    policy = deliver(tmp_path, ROWS, "file")
    document = yaml.safe_load(policy.read_text())
    # Text that does not compress, so that the rows are larger than the disk.
    document["sources"]["base"]["columns"]["id"] = {"type": "string", "required": True}
    policy.write_text(yaml.safe_dump(document))
    (small_disk / "filler").write_bytes(os.urandom(1_500_000))
    with pytest.raises(SystemExit) as ended:
        main(["collect", str(policy), "--lake", str(small_disk / "lake")])
    said = capsys.readouterr().err.splitlines()[-1]
    assert ended.value.code == 1 and said.startswith("kveil: --lake: the disk of ") and "is full" in said
    store = TableStore(spark, Lake.at(str(small_disk / "lake")))
    raw = RAW.of(load(policy), "base")
    assert not store.exists(raw) or store.read(raw).count() == 0
    assert not store.exists(PROVENANCE.of(load(policy)))

    subprocess.run(["mount", "-o", "remount,size=60m", small_disk], check=True)
    main(["collect", str(policy), "--lake", str(small_disk / "lake")])
    # A tenth of the people refuse and a hundredth of the rows is broken.
    expected = sum(1 for i in range(ROWS) if i % 5000 % 10 != 3 and i % 100 != 7)
    assert store.read(raw).count() == expected

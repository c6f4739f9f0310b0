"""One Spark session for the whole suite, and a lake per test or module."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("KVEIL_MASTER", "local[2]")


@pytest.fixture(scope="session")
def spark():
    from kveil.session import session

    return session("kveil-tests")


@pytest.fixture
def store(spark, tmp_path: Path) -> Iterator[object]:
    from kveil.tables.lake import Lake
    from kveil.tables.store import TableStore

    yield TableStore(spark, Lake.at(str(tmp_path / "lake")))
    shutil.rmtree(tmp_path / "lake", ignore_errors=True)


@pytest.fixture(scope="module")
def module_store(spark, tmp_path_factory):
    from kveil.tables.lake import Lake
    from kveil.tables.store import TableStore

    return TableStore(spark, Lake.at(str(tmp_path_factory.mktemp("lake"))))

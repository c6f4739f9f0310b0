"""Storage that lets two jobs write the same version is refused before anything is booked."""

from types import SimpleNamespace

import pytest
from kveil.errors import KveilError
from kveil.tables.lake import Lake
from kveil.tables.log_store import require_safe_log_store

DYNAMO, ONE_DRIVER = "io.delta.storage.S3DynamoDBLogStore", "io.delta.storage.S3SingleDriverLogStore"
LOCAL = ("io.delta.storage.LocalLogStore", "org.apache.spark.sql.delta.storage.LocalLogStore")


def store(address: str, **settings: str) -> SimpleNamespace:
    """A table store as far as the check looks at it; settings by the last two parts of their names."""
    known = {f"spark.delta.logStore.{key.replace('_', '.')}": value for key, value in settings.items()}
    lake = Lake(address.removeprefix("catalog:"), "main" if address.startswith("catalog:") else None)
    return SimpleNamespace(lake=lake, spark=SimpleNamespace(conf=SimpleNamespace(get=known.get)))


@pytest.fixture(autouse=True)
def nowhere(monkeypatch):
    for name in ("KVEIL_SINGLE_DRIVER", "DATABRICKS_RUNTIME_VERSION"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("address", "settings"),
    [
        *(("/lake", {key: value}) for value in LOCAL for key in ("class", "file_impl")),
        ("abfss://c@a.dfs.core.windows.net/lake", {"class": LOCAL[1]}),
        ("s3a://bucket/lake", {}),
        ("s3://bucket/lake", {}),
        ("s3a://bucket/lake", {"s3_impl": DYNAMO}),
        ("s3a://bucket/lake", {"s3a_impl": ONE_DRIVER, "class": DYNAMO}),
        ("catalog:main", {"class": ONE_DRIVER}),
        ("file:///lake", {}),
    ],
)
def test_unsafe_storage_is_refused_with_one_sentence(address, settings):
    with pytest.raises(KveilError) as caught:
        require_safe_log_store(store(address, **settings))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "settings"),
    [
        ("/lake", {}),
        ("/lake", {"s3a_impl": ONE_DRIVER}),
        ("s3a://bucket/lake", {"s3a_impl": DYNAMO}),
        ("s3a://bucket/lake", {"class": DYNAMO}),
        ("abfss://c@a.dfs.core.windows.net/lake", {}),
        ("gs://bucket/lake", {}),
        ("catalog:main", {}),
    ],
)
def test_safe_storage_is_used(address, settings):
    require_safe_log_store(store(address, **settings))


@pytest.mark.parametrize("promise", ["KVEIL_SINGLE_DRIVER", "DATABRICKS_RUNTIME_VERSION"])
def test_s3_is_used_where_one_driver_writes_or_the_platform_commits(monkeypatch, promise):
    monkeypatch.setenv(promise, "1")
    require_safe_log_store(store("s3a://bucket/lake"))
    with pytest.raises(KveilError, match="loses commits"):
        require_safe_log_store(store("s3a://bucket/lake", **{"class": LOCAL[0]}))

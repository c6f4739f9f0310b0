"""Tables by path and by catalog name behave alike; every promise of the store is tried on both."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlparse

import kveil.anonymize.stage
import pytest
from kveil.anonymize.aggregates.secret import secret_of
from kveil.errors import KveilError, SettingsError
from kveil.session import SPARK_ERRORS
from kveil.tables.declaration import Column, Table, TableRef
from kveil.tables.heads import RELEASE_ID
from kveil.tables.lake import Lake
from kveil.tables.schema import AGGREGATE_SECRET, BUDGET_LEDGER, CLEAN, RELEASE, RELEASES, STAGING
from kveil.tables.store import TableStore
from pyspark.errors import AnalysisException

from tests.builders import clean_rows, context, purchases, shop

NUMBERS = Table(
    "control", "numbers", "For this test.", (Column("name", "string", "a name"), Column("value", "double", "a value"))
)
REF = TableRef("restricted", "numbers")
ZONES = ("raw", "clean", "restricted", "release", "control")


@pytest.fixture(params=["path", "catalog"])
def any_store(request, spark, tmp_path, monkeypatch):
    if request.param == "path":
        yield TableStore(spark, Lake.at(str(tmp_path / "lake")))
        return
    monkeypatch.setenv("KVEIL_FILES", str(tmp_path / "files"))
    for zone in ZONES:
        spark.sql(f"CREATE SCHEMA spark_catalog.{zone} LOCATION '{tmp_path / zone}'")
    yield TableStore(spark, Lake.at("catalog:spark_catalog"))
    for zone in ZONES:
        spark.sql(f"DROP SCHEMA spark_catalog.{zone} CASCADE")


def numbers(store: TableStore, **values: int):
    return store.rows(NUMBERS, [{"name": name, "value": value} for name, value in values.items()])


def content(store: TableStore, version: int | None = None) -> dict[str, float]:
    return {row["name"]: row["value"] for row in store.read(REF, version).collect()}


def test_append_replace_and_read_at_a_version(any_store):
    assert any_store.version(REF) is None
    any_store.append(REF, numbers(any_store, a=1))
    any_store.append(REF, numbers(any_store, b=2))
    assert content(any_store) == {"a": 1, "b": 2}
    any_store.replace(REF, numbers(any_store, c=3), properties={"kveil.x": "y"})
    assert content(any_store) == {"c": 3}
    assert content(any_store, version=1) == {"a": 1, "b": 2}
    assert any_store.property_of(REF, "kveil.x") == "y"
    assert any_store.property_of(REF, "kveil.z") is None


def test_writing_twice_is_writing_once(any_store):
    for _ in range(2):
        any_store.replace_where(REF, numbers(any_store, a=1), name="a")
        any_store.replace_where(REF, numbers(any_store, b=2), name="b")
        any_store.insert_new(REF, numbers(any_store, a=9, c=3), keys=["name"])
    assert content(any_store) == {"a": 1, "b": 2, "c": 3}


def test_what_a_writer_left_that_was_killed_before_the_first_commit_is_cleared_away(store):
    """Delta would refuse to make the table: what lies in its folder, though no version names it, is a table to Delta."""
    store.append(REF, numbers(store, a=1))
    folder = store.lake.folder(REF)
    for commit in (folder / "_delta_log").iterdir():
        if commit.is_file():
            commit.unlink()
    assert list(folder.glob("*.parquet"))
    assert not store.exists(REF)
    with pytest.raises(AnalysisException):
        numbers(store, b=2).writeTo(store.lake.identifier(REF)).using("delta").create()
    store.append(REF, numbers(store, c=3))
    assert content(store) == {"c": 3}


def test_a_table_whose_log_cannot_be_read_is_not_taken_for_leftovers(store):
    store.append(REF, numbers(store, a=1))
    # A table that the session has never seen, since it remembers what a log said before it was damaged.
    folder = store.lake.folder(REF).with_name("damaged")
    shutil.copytree(store.lake.folder(REF), folder)
    (commit,) = (folder / "_delta_log").glob("*.json")
    commit.write_text("damaged")
    for crc in (folder / "_delta_log").glob("*.crc"):
        crc.unlink()
    kept = sorted(folder.glob("*.parquet"))
    with pytest.raises(SPARK_ERRORS):
        store.append(TableRef(REF.zone, "damaged"), numbers(store, b=2))
    assert kept == sorted(folder.glob("*.parquet")) != []
    assert commit.read_text() == "damaged"


def test_forgotten_history_is_gone_from_the_files(store):
    store.append(REF, numbers(store, secret=1))
    store.replace(REF, numbers(store, public=2))
    files = lambda: {path.name for path in store.lake.folder(REF).glob("*.parquet")}  # noqa: E731
    before = files()
    store.forget_history(REF)
    assert len(files()) < len(before)
    assert content(store) == {"public": 2}


def test_a_destroyed_table_leaves_nothing(any_store):
    any_store.append(REF, numbers(any_store, a=1))
    assert any_store.destroy(REF) == 0
    assert any_store.version(REF) is None
    assert any_store.destroy(REF) == 0


@pytest.fixture
def remote(spark, tmp_path, monkeypatch):
    """A lake on storage that only Spark reaches: its address has a scheme, though it is this machine's disk."""
    monkeypatch.setenv("KVEIL_FILES", str(tmp_path / "files"))
    return TableStore(spark, Lake.at(f"file://{tmp_path}/lake"))


def test_a_table_destroyed_on_remote_storage_is_empty_and_says_nothing(remote, tmp_path):
    remote.replace(REF, numbers(remote, a=1), ["name"], {RELEASE_ID: "done"})
    remote.replace(REF, numbers(remote, b=1, c=2), ["name"], {RELEASE_ID: "done"})
    folder = tmp_path / "lake" / "restricted" / "numbers"
    assert list(folder.rglob("*.parquet"))
    assert remote.destroy(REF) == 0
    assert remote.property_of(REF, RELEASE_ID) is None
    assert content(remote) == {}
    assert not list(folder.rglob("*.parquet"))
    remote.append(REF, numbers(remote, d=4))
    assert content(remote) == {"d": 4}


def test_files_that_remote_storage_keeps_are_counted(remote, spark, monkeypatch):
    remote.replace(REF, numbers(remote, a=1, b=2).repartition(2), properties={RELEASE_ID: "done"})

    def without_vacuum(query):
        return None if query.startswith("VACUUM") else spark.sql(query)

    monkeypatch.setattr(
        remote, "spark", SimpleNamespace(sql=without_vacuum, read=spark.read, createDataFrame=spark.createDataFrame)
    )
    assert remote.destroy(REF) >= 1
    assert remote.property_of(REF, RELEASE_ID) is None


def test_a_secret_of_aggregates_destroyed_on_remote_storage_is_followed_by_another(remote):
    ctx = context(remote, shop(), "anonymize")
    secret = secret_of(ctx)
    assert secret_of(ctx) == secret
    remote.destroy(ctx.ref(AGGREGATE_SECRET))
    assert secret_of(ctx) not in (secret, b"")


def test_restricted_tables_keep_no_minima_and_maxima_in_their_log(store):
    store.append(REF, numbers(store, zebra=1))
    store.replace_where(REF, numbers(store, yak=1), name="yak")
    log = "".join(path.read_text() for path in (store.lake.folder(REF) / "_delta_log").glob("*.json"))
    assert "minValues" not in log or ("zebra" not in log and '"value":1' not in log)


# Every other release of these tests lies under a path.
@pytest.mark.parametrize("any_store", [pytest.param("path", marks=pytest.mark.long), "catalog"], indirect=True)
def test_a_release_in_a_catalog_is_checked_published_and_its_link_destroyed(spark, any_store):
    ctx = context(any_store, shop(), "anonymize")
    any_store.replace(ctx.ref(CLEAN), clean_rows(spark, purchases(rows=600, customers=60)))
    kveil.anonymize.stage.run(ctx)
    assert any_store.version(ctx.ref(STAGING)) is None
    record = any_store.read(ctx.ref(RELEASES)).first()
    assert any_store.read(ctx.ref(RELEASE)).count() == record["rows_released"]
    assert record["link_files_left"] == 0
    assert any_store.read(ctx.ref(BUDGET_LEDGER)).count() == 1


def test_a_lake_that_cannot_be_used_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KveilError, match="cannot be used"):
        Lake.at(str(tmp_path / "file")).prepare()
    with pytest.raises(SettingsError, match="catalog:NAME"):
        Lake.at("catalog:my catalog")


def test_a_remote_lake_keeps_its_files_where_it_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("KVEIL_FILES", str(tmp_path))
    assert Lake.at("s3a://bucket/lake").files == Path(tmp_path)
    assert not Lake.at("s3a://bucket/lake").is_local


def test_spark_keeps_no_folder_of_its_own_where_the_user_works(spark):
    made_by_spark = Path(urlparse(spark.conf.get("spark.sql.warehouse.dir")).path)
    assert not made_by_spark.is_relative_to(Path.cwd())

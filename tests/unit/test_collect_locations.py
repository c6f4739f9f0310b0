import hashlib
from types import SimpleNamespace

import pytest
from kveil.collect.locations import locate, spark_path
from kveil.errors import ContractError


def found(uri):
    return locate(None, "rows", SimpleNamespace(uri=str(uri), format="csv"))


def test_a_file_is_measured_and_hashed(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"x" * 3_000_000)
    (file,) = found(tmp_path / "a.csv")
    assert (file.path, file.bytes) == (str(tmp_path / "a.csv"), 3_000_000)
    assert file.sha256 == hashlib.sha256(b"x" * 3_000_000).hexdigest()


def test_the_same_content_is_read_once_unless_its_folder_is_a_partition(tmp_path):
    for name in ("a.csv", "b.csv", "deep/c.csv", "month=1/d.csv", "month=2/d.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("same")
    names = [file.path.removeprefix(f"{tmp_path}/") for file in found(tmp_path)]
    assert names == ["a.csv", "month=1/d.csv", "month=2/d.csv"]
    assert [file.partition for file in found(tmp_path)] == [(), ("month=1",), ("month=2",)]


def test_markers_and_hidden_files_are_no_data(tmp_path):
    for name in ("_SUCCESS", ".crc", "a.csv"):
        (tmp_path / name).write_text(name)
    assert [file.path for file in found(tmp_path)] == [str(tmp_path / "a.csv")]


def test_a_relative_path_starts_at_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_text("x")
    monkeypatch.chdir(tmp_path)
    assert found("a.csv")[0].path == str(tmp_path / "a.csv")


def test_a_package_is_found_without_being_imported(tmp_path, monkeypatch):
    (tmp_path / "explosive").mkdir()
    (tmp_path / "explosive/__init__.py").write_text("raise SystemExit('imported')")
    (tmp_path / "explosive/data.csv").write_text("x")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert found("package://explosive/data.csv")[0].path == str(tmp_path / "explosive/data.csv")


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("nowhere.parquet", "is not there"),
        ("package://no_such_package_at_all/x", "is not installed"),
        ("package://kveil/no_such_file", "is not there"),
        ("package://kveil/../secrets", "allowed: package://"),
        ("package://kveil", "allowed: package://"),
    ],
)
def test_what_is_not_there_is_one_sentence_that_names_the_source(uri, says):
    with pytest.raises(ContractError, match=says) as error:
        found(uri)
    assert str(error.value).startswith("sources.rows.uri: ")
    assert "\n" not in str(error.value)


def test_an_empty_folder_and_a_delta_table_are_refused(tmp_path):
    with pytest.raises(ContractError, match="holds no data file"):
        found(tmp_path)
    (tmp_path / "_delta_log").mkdir()
    with pytest.raises(ContractError, match="say format: delta"):
        found(tmp_path)


def test_glob_characters_are_meant_literally():
    assert spark_path("/data/a[1]*.csv") == "file:///data/a\\[1\\]\\*.csv"
    assert spark_path("s3a://bucket/a.csv") == "s3a://bucket/a.csv"

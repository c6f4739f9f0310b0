"""Whose people a policy is about, as hashes: the same however it is written, another for other people."""

import os

import pytest
from kveil.settings import Policy
from kveil.settings.source_marks import source_marks

from tests.builders import changed, shop

OTHER = {"uri": "towns.csv", "format": "csv", "columns": {"town": "string"}}
PEOPLE = {"uri": "people.csv", "format": "csv", "columns": {"customer": {"type": "bigint", "required": True}, "born": "int"}}


def marks(**changes):
    return source_marks(Policy.model_validate(shop(**changes)))


def of_uri(uri):
    return marks(sources__sales__uri=uri)["sales"]


def test_names_and_order_play_no_part():
    document = shop(sources__people=PEOPLE)
    turned = {**document, "sources": dict(reversed(list(document["sources"].items())))}
    renamed = changed(turned, name="other", purpose="other", anonymize__budget__data_set="other")
    found = [source_marks(Policy.model_validate(each)) for each in (document, turned, renamed)]
    assert set(found[0]) == {"sales", "people"}
    assert found[0] == found[1] == found[2]


def test_a_place_is_the_same_however_it_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "sales.parquet").touch()
    os.symlink(tmp_path / "a", tmp_path / "link")
    ways = ["a/sales.parquet", "./a/../a/sales.parquet", str(tmp_path / "a/sales.parquet"), f"file://{tmp_path}/a/sales.parquet"]
    assert len({of_uri(uri) for uri in [*ways, "link/sales.parquet"]}) == 1
    assert len({of_uri(uri) for uri in ("s3://Bucket/x/y", "s3a://bucket/x//y/", "s3n://bucket/x/y")}) == 1


@pytest.mark.parametrize("uri", ["other.parquet", "s3://bucket/sales.parquet", "package://kveil/sales.parquet"])
def test_another_place_holds_other_people(uri):
    assert of_uri(uri) != of_uri("sales.parquet")


def test_another_person_column_makes_other_people_and_a_source_without_people_has_no_mark():
    assert marks(sources__towns=OTHER).keys() == {"sales"}
    by_town = {"name": "shop", "person": "town"}
    assert marks(**by_town)["sales"] != marks()["sales"]


def test_a_registry_of_consents_makes_nobody_the_same():
    columns = {"customer": "bigint", "purpose": "string", "decision": "string", "decided_at": "timestamp"}
    registry = {"uri": "consents.csv", "format": "csv", "columns": columns}
    assert marks(sources__consents=registry, consent={"registry": "consents"}).keys() == {"sales"}

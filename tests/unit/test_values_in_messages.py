"""What a file calls a column, what it is called, and what lets one in: nothing of it is in a sentence."""

import os

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kveil.collect.contract import check_columns, ignored_columns
from kveil.collect.file_words import told_path, words_of
from kveil.collect.locations import SourceFile
from kveil.errors import ContractError, SettingsError
from kveil.settings import load
from kveil.settings.secrets import holds_credentials
from kveil.settings.sources import Source
from kveil.shapes import shapes
from pyspark.sql.types import IntegerType, StringType, StructField, StructType

from tests.builders import shop

CANARIES = ["Erika Mustermann", "DE02120300000000202051", "erika.mustermann@example.org", "123456.78", "Zoë Ångström", "ΑΒΓ-77"]
MARKED = st.text(max_size=30).map(lambda text: f"{text}Wombat")
HEADERS = st.lists(st.one_of(st.sampled_from(CANARIES), MARKED), min_size=1, max_size=12, unique=True)


def leaks(told, names):
    """The names of which a word of four characters is told."""
    return [name for name in [*names, "Wombat"] if any(len(word) > 3 and word in told for word in name.replace(".", " ").split())]


def declared(**changes):
    return Source.model_validate({"uri": "in", "format": "csv", "columns": {"id": "int", "town": "string"}, **changes})


@settings(max_examples=150, deadline=None)
@given(HEADERS, st.sampled_from(["ignore", "fail"]), st.booleans())
def test_a_header_that_is_none_is_not_repeated(names, new, texts):
    source = declared(new_columns=new)
    schema = StructType([StructField(name, StringType()) for name in names])
    with pytest.raises(ContractError) as raised:
        check_columns("sales", source, schema, texts)
    told = str(raised.value)
    assert "column id is missing" in told and "\n" not in told
    assert not leaks(told + shapes(ignored_columns(source, schema)), CANARIES)


def test_names_inside_of_a_column_are_not_repeated_either():
    inner = StructType([StructField("Erika Mustermann", IntegerType())])
    schema = StructType([StructField("id", inner), StructField("town", StringType())])
    with pytest.raises(ContractError, match="column id is struct") as raised:
        check_columns("sales", declared(), schema, texts=False)
    assert "Erika" not in str(raised.value)


@given(st.lists(st.sampled_from(CANARIES), min_size=2, max_size=6, unique=True))
def test_names_of_files_that_were_found_are_shapes(names):
    files = [SourceFile(f"/data/in/{name}/{name}.csv", 1, name) for name in names]
    told = " ".join([words_of(file, files, declared(uri="/data/in")) + told_path(file.path, "/data/in") for file in files])
    assert not leaks(told.replace("/data/in", ""), names)
    remote = told_path(f"s3://bank/in/{names[0]}.csv", "s3://bank/in")
    assert remote.startswith("s3://bank/in/") and not leaks(remote.replace("s3://bank/in", ""), names[:1])


SECRET = "Hunter2Wombat77"
ADDRESSES = [
    f"jdbc:postgresql://me:{SECRET}@h/d", f"jdbc:postgresql://{SECRET}@h/d", f"jdbc:postgresql://h/d?password={SECRET}",
    f"jdbc:postgresql://h/d?sslpassword={SECRET}", f"jdbc:mysql://h/d?user=a&x={SECRET}", f"jdbc:oracle:thin:me/{SECRET}@//h:1/s",
    f"jdbc:sqlserver://h;password={SECRET}", f"jdbc:h2:mem:x;PASSWORD={SECRET}", f"jdbc:mysql://(host=h,password={SECRET})/d",
    f"s3://AKIA:{SECRET}@bucket/x", f"https://{SECRET}@host/x.csv", f"https://host/x.csv?X-Amz-Signature={SECRET}",
    f"https://a.blob.core/x?sv=1&sig={SECRET}", f"https://host/x?access_token={SECRET}", f"s3a://{SECRET}@bucket/x",
    f"https://host/x?X-Amz-Security-Token={SECRET}", f"https://host/x?api-key={SECRET}",
]  # fmt: skip
FIELDS = ["user", "password", "where", "query", "table", "driver", "fetch_size"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_that_lets_somebody_in_is_refused_unrepeated(tmp_path, address):
    database = {"format": "jdbc", "jdbc": {"table": "t"}} if address.startswith("jdbc:") else {"format": "csv"}
    columns = shop()["sources"]["sales"]["columns"]
    for more in ({}, {"nonsense": 1}, {"options": {"password": SECRET}}, {"rows": {"control": address}}):
        path = tmp_path / "policy.yml"
        path.write_text(yaml.safe_dump(shop(sources__sales={"uri": address, "columns": columns, **database, **more})))
        with pytest.raises(SettingsError) as raised:
            load(path)
        assert SECRET not in str(raised.value)


@pytest.mark.parametrize("field", ["user", "password"])
@pytest.mark.parametrize("given_as", [SECRET, [SECRET], {"value": SECRET}, f"secret:/{SECRET}"])
def test_a_credential_in_place_of_its_reference_is_refused_unrepeated(tmp_path, field, given_as):
    columns = shop()["sources"]["sales"]["columns"]
    source = {"uri": "jdbc:postgresql://h/d", "format": "jdbc", "jdbc": {"table": "t", field: given_as}, "columns": columns}
    path = tmp_path / "policy.yml"
    path.write_text(yaml.safe_dump(shop(sources__sales=source)))
    with pytest.raises(SettingsError) as raised:
        load(path)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("address", ["abfss://container@account.dfs.core.windows.net/x", "s3://bucket/x", "/data/a@b/x.csv"])
def test_addresses_that_let_nobody_in_stay(address):
    assert not holds_credentials(address)


LABELS = st.lists(st.sampled_from(CANARIES), min_size=1, max_size=3)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(LABELS, min_size=1, max_size=4))
def test_a_file_named_as_a_hierarchy_may_be_any_file(tmp_path, rows):
    (tmp_path / "other.csv").write_text(os.linesep.join(";".join(row) for row in rows), encoding="utf-8")
    path = tmp_path / "policy.yml"
    path.write_text(
        yaml.safe_dump(shop(anonymize__quasi_identifiers__town={"kind": "category", "hierarchy": {"file": "other.csv"}}))
    )
    try:
        load(path)
    except SettingsError as error:
        assert not leaks(str(error), CANARIES)

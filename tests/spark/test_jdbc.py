"""Collecting from a real PostgreSQL server: ranges, push-down, secrets, and connections that break."""

import io
import logging
import traceback
from dataclasses import replace
from datetime import date, datetime

import pytest
from kveil import pipeline
from kveil.collect.databases import read_database
from kveil.collect.locations import locate
from kveil.collect.readers import read
from kveil.collect.stage import inputs, run
from kveil.errors import ContractError, KveilError, SettingsError
from kveil.log import Progress
from kveil.settings.sources import Source
from kveil.tables.schema import CONSENT, LANDING, PROVENANCE, QUARANTINE, RAW, RUN_LOG
from pyspark.sql import functions as F

from tests.postgres import PASSWORD, USER, server

ROWS = 2000
COLUMNS = {
    "id": {"type": "bigint", "required": True},
    "person": "bigint",
    "opened": "date",
    "at": "timestamp",
    "balance": "decimal(12,2)",
    "note": "string",
}
TABLE = f"""
CREATE TABLE accounts (
    id bigint PRIMARY KEY, person bigint, opened date, at timestamp, balance numeric(12,2), note text, iban text
);
INSERT INTO accounts
SELECT i, i % 500, CASE WHEN i % 10 > 0 THEN date '2020-01-01' + i::int % 900 END, timestamp '2024-03-31 02:30:00', i / 4.0,
    CASE WHEN i % 3 = 0 THEN 'Müller' END, 'DE00' || i
FROM generate_series(1, {ROWS}) i;
UPDATE accounts SET opened = '0001-01-01', at = '0001-01-01 00:00:01.000001' WHERE id = 1;
UPDATE accounts SET opened = '9999-12-31', at = '9999-12-31 23:59:59.999999' WHERE id = 2;
CREATE TABLE nobody (LIKE accounts);
CREATE TABLE closed (id bigint);
CREATE VIEW breaking AS
SELECT id, person, opened, at, balance, CASE WHEN id = 1500 THEN pg_terminate_backend(pg_backend_pid())::text END AS note
FROM accounts;
GRANT SELECT ON accounts, nobody, breaking TO {USER};
"""


@pytest.fixture(scope="module")
def bank():
    with server() as running:
        running.sql(TABLE)
        yield running


@pytest.fixture(autouse=True)
def secrets(monkeypatch):
    monkeypatch.setenv("BANK_USER", USER)
    monkeypatch.setenv("BANK_PASSWORD", PASSWORD)


def settings(bank, columns=None, **jdbc):
    asked = {"table": "accounts", "user": "secret://env/BANK_USER", "password": "secret://env/BANK_PASSWORD", **jdbc}
    return {"uri": bank.url, "format": "jdbc", "jdbc": asked, "columns": columns or COLUMNS}


def source(bank, columns=None, **jdbc):
    return Source.model_validate(settings(bank, columns, **jdbc))


def found(spark, one):
    return read(spark, "accounts", one, locate(spark, "accounts", one)).rows


def plan(df, capsys):
    capsys.readouterr()
    df.explain("extended")
    return capsys.readouterr().out


@pytest.fixture
def collecting(bank, policy_of, context):
    def make(columns=None, **jdbc):
        return context(policy_of({"base": settings(bank, columns, **jdbc)}))

    return make


def everything_held(ctx):
    """Whether any table is there, whole or in part."""
    tables = (RAW, CONSENT, QUARANTINE, PROVENANCE, LANDING)
    return [table.pattern for table in tables if ctx.store.lake.folder(table.of(ctx.policy, "base")).exists()]


class TestRanges:
    @pytest.mark.parametrize(
        ("partitions", "parts"),
        [
            (None, 1),
            ({"column": "id", "count": 4}, 4),
            ({"column": "id", "count": 3, "lower": 100, "upper": 200}, 3),
            # Dates of year 1 and 9999 stretch the ranges; all others lie in the first, and nothing is lost.
            ({"column": "opened", "count": 4}, 2),
            ({"column": "opened", "count": 2, "lower": "2021-01-01", "upper": "2022-01-01"}, 2),
        ],
    )
    def test_every_row_is_read_once_whatever_the_ranges(self, spark, bank, partitions, parts):
        rows = found(spark, source(bank, partitions=partitions))
        seen = rows.selectExpr("spark_partition_id() part", "id").collect()
        assert sorted(row["id"] for row in seen) == list(range(1, ROWS + 1))
        assert len({row["part"] for row in seen}) == parts

    def test_bounds_come_from_one_query_and_rows_without_a_value_are_read(self, spark, bank):
        bank.sql("CREATE TABLE ranges AS SELECT 10 * i AS id FROM generate_series(1, 100) i; INSERT INTO ranges VALUES (NULL)")
        bank.sql(f"GRANT SELECT ON ranges TO {USER}")
        one = source(bank, {"id": "int"}, table="ranges", partitions={"column": "id", "count": 4})
        per_part = found(spark, one).groupBy(F.spark_partition_id()).count().collect()
        assert sorted(row["count"] for row in per_part) == [25, 25, 25, 26]

    def test_a_table_without_rows_has_no_ranges(self, spark, bank):
        assert found(spark, source(bank, table="nobody", partitions={"column": "id"})).isEmpty()

    def test_values_arrive_as_they_are(self, spark, bank):
        rows = found(spark, source(bank, table=None, query="SELECT * FROM accounts WHERE id < 4;"))
        assert dict(rows.dtypes)["at"] == "timestamp_ntz"
        far = {row["id"]: row for row in rows.collect()}
        assert [far[1]["opened"], far[2]["opened"]] == [date(1, 1, 1), date(9999, 12, 31)]
        assert [far[1]["at"], far[2]["at"]] == [datetime(1, 1, 1, 0, 0, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)]
        assert far[3]["at"] == datetime(2024, 3, 31, 2, 30)
        assert (far[3]["note"], str(far[3]["balance"])) == ("Müller", "0.75")


class TestPushDown:
    def test_the_database_filters_and_sends_declared_columns_alone(self, spark, bank, capsys):
        one = source(bank, where="opened >= DATE '2021-01-01' AND note IS NOT NULL")
        told = plan(found(spark, one).select(*one.columns), capsys).split("== Physical Plan ==")[1]
        assert "PushedFilters: [*" in told
        assert "*GreaterThanOrEqual(opened,2021-01-01)" in told and "*IsNotNull(note)" in told
        assert "iban" not in told


class TestCollect:
    def test_declared_columns_of_rows_asked_for_become_raw_and_nothing_is_left_of_the_landing(self, collecting, bank):
        """The server's own log of statements is the witness. Nothing is left of what a killed run let lie there, either."""
        ctx = collecting(where="id > 1990", partitions={"column": "id", "count": 2, "lower": 1, "upper": 2000})
        landing = LANDING.of(ctx.policy, "base")
        ctx.store.replace(landing, ctx.spark.range(3))
        bank.sql(f"ALTER ROLE {USER} SET log_statement = 'all'")
        result = run(ctx)
        bank.sql(f"ALTER ROLE {USER} RESET log_statement")
        log = (bank.folder / "log").read_text()
        fetched = [line for line in log.splitlines() if "FROM accounts" in line and "1=0" not in line]
        assert len(fetched) == 2
        assert all('"id" > 1990' in line and '"balance"' in line and "iban" not in line and "*" not in line for line in fetched)
        assert PASSWORD not in log
        stored = ctx.store.read(RAW.of(ctx.policy, "base"))
        assert (result.rows_in, stored.count(), stored.columns) == (10, 10, list(COLUMNS))
        assert not ctx.store.lake.folder(landing).exists()
        (told,) = ctx.store.read(PROVENANCE.of(ctx.policy)).collect()
        assert (told["path"], told["bytes"], told["sha256"]) == (f"{bank.url} accounts", 0, "")
        assert told["ignored_columns"] == "1 (a)"

    def test_a_database_is_read_again_in_every_run(self, collecting):
        ctx = collecting()
        assert inputs(ctx) == inputs(ctx) != inputs(replace(ctx, run_id="another"))

    def test_a_table_that_changes_while_it_is_collected_is_read_once(self, collecting, bank, monkeypatch):
        bank.sql(f"CREATE TABLE busy AS SELECT * FROM accounts WHERE id <= 50; GRANT SELECT ON busy TO {USER}")
        ctx = collecting(table="busy")
        real = ctx.store.replace

        def meddled(ref, df, **options):
            real(ref, df, **options)
            bank.sql("INSERT INTO busy SELECT * FROM accounts WHERE id > 50 AND id NOT IN (SELECT id FROM busy) LIMIT 1")

        monkeypatch.setattr(ctx.store, "replace", meddled)
        assert run(ctx).rows_out == 50
        assert bank.sql("SELECT count(*) FROM busy") == "53"


class TestFailures:
    def refused(self, collecting, error=ContractError, columns=None, **jdbc):
        ctx = collecting(columns, **jdbc)
        with pytest.raises(error) as caught:
            run(ctx)
        message = str(caught.value)
        assert "\n" not in message and PASSWORD not in message and "Exception" not in message
        assert not everything_held(ctx)
        return message

    @pytest.mark.parametrize("partitions", [None, {"column": "id", "count": 2}])
    def test_a_connection_that_breaks_while_reading_leaves_nothing(self, collecting, bank, partitions):
        """The view ends its own connection at row 1,500, long after the first rows of 100 were sent."""
        message = self.refused(collecting, table="breaking", fetch_size=100, partitions=partitions)
        lost = "the connection was lost or the query failed while it was read, so nothing of it was kept; run collect again"
        assert message == f"sources.base: {bank.url}: {lost}"

    @pytest.mark.parametrize(
        ("jdbc", "says"),
        [
            ({"table": "no_such_table"}, "is not there; correct uri, table or query"),
            ({"table": "closed"}, "grant SELECT"),
            ({"password": "secret://env/WRONG"}, "refuses user or password"),
            ({"password": None}, "refuses user or password"),
            ({"where": "no_such_column = 1"}, "jdbc.where names a column"),
            ({"table": None, "query": "SELECT id FROM accounts QUALIFY 1 = 1"}, "does not understand jdbc.query"),
        ],
    )
    def test_each_cause_is_told(self, collecting, monkeypatch, jdbc, says):
        monkeypatch.setenv("WRONG", PASSWORD + "x")
        assert says in self.refused(collecting, **jdbc)

    def test_a_server_that_is_not_there(self, spark):
        document = {"uri": "jdbc:postgresql://127.0.0.1:1/bank", "format": "jdbc", "jdbc": {"table": "a"}, "columns": COLUMNS}
        with pytest.raises(
            ContractError, match=r"sources\.x: jdbc:postgresql://127\.0\.0\.1:1/bank: the database cannot be reached"
        ):
            read(spark, "x", Source.model_validate(document), ())

    def test_a_driver_that_is_not_there(self, spark):
        document = {"uri": "jdbc:mysql://127.0.0.1:1/bank", "format": "jdbc", "jdbc": {"table": "a"}, "columns": COLUMNS}
        with pytest.raises(ContractError, match=r"its JDBC driver is not on the class path; install it on the platform"):
            read(spark, "x", Source.model_validate(document), ())

    def test_a_secret_that_is_not_there_names_source_and_reference(self, collecting, monkeypatch):
        monkeypatch.delenv("BANK_PASSWORD")
        message = self.refused(collecting, error=SettingsError)
        assert message.startswith("sources.base.jdbc.password: secret://env/BANK_PASSWORD is not set")

    def test_columns_at_fault_are_told_before_a_row_is_fetched(self, collecting):
        message = self.refused(collecting, columns={**COLUMNS, "balance": "decimal(9,2)", "shoe": "int"})
        assert "column balance is decimal(12,2)" in message and "column shoe is missing" in message


class TestSecrets:
    def test_no_plan_shows_the_secret(self, spark, bank, capsys):
        told = plan(read_database(spark, "accounts", source(bank)).rows, capsys)
        assert "JDBCRelation" in told
        assert PASSWORD not in told and USER not in told

    def test_no_table_file_log_line_or_error_holds_the_secret(self, collecting, bank, caplog, capfd):
        """A good run and a failed one, through the pipeline; then every byte of the lake and all that was said."""
        caplog.set_level(logging.DEBUG)
        ctx, told = collecting(), io.StringIO()
        pipeline.run(ctx.policy, ctx.store, Progress(told), ["collect"])
        broken = collecting(table="breaking", fetch_size=100)
        with pytest.raises(KveilError) as caught:
            pipeline.run(broken.policy, broken.store, Progress(told), ["collect"], force=True)
        errors, chain = [], caught.value
        while chain is not None:
            errors += traceback.format_exception(chain, chain=False)
            chain = chain.__cause__ or chain.__context__
        said = [told.getvalue(), *errors, caplog.text, *capfd.readouterr()]
        assert not any(PASSWORD in text for text in said)
        assert [row["outcome"] for row in ctx.store.read(RUN_LOG.of(ctx.policy)).orderBy("written_at").collect()] == [
            "done",
            "failed",
        ]
        root = ctx.store.lake.files
        files = [path for path in root.rglob("*") if path.is_file()]
        assert any("run_log" in str(path) for path in files)
        assert not [path for path in files if PASSWORD.encode() in path.read_bytes()]

"""Databases of a policy: drivers, addresses, properties and queries by list."""

import pytest
from kveil.settings.databases import address_fault, query_fault, start_fault
from kveil.settings.sources import Source
from pydantic import ValidationError

GOOD = [
    "jdbc:postgresql://db.bank.example:5432/core?sslmode=verify-full&sslrootcert=/etc/ca.pem",
    "jdbc:sqlserver://db;databaseName=core;encrypt=true",
    "jdbc:oracle:thin:@//db:1521/core",
    "jdbc:mysql://h/db?useSSL=true",
    "jdbc:oracle:thin:@h:1521:sid",
    "jdbc:databricks://h:443;httpPath=/sql/1.0/w",
    "jdbc:db2://h:1/d:sslConnection=true;",
    "jdbc:postgresql://127.0.0.1:1/bank",
    "jdbc:snowflake://a.b.com/?db=X&warehouse=Y",
    "jdbc:sqlserver://db\\inst:1433",
    "jdbc:postgresql://a:1,b:2/x",
    "jdbc:mariadb://h/d",
]
BAD = [
    "jdbc:postgresql://h/d?socketFactory=org.x",
    "jdbc:postgresql://h/d?sslfactory=a",
    "jdbc:postgresql://h/d?loggerFile=/tmp/x",
    "jdbc:mysql://h/d?allowLoadLocalInfile=true",
    "jdbc:mysql://h/d?autoDeserialize=true",
    "jdbc:h2:mem:x;INIT=RUNSCRIPT",
    "jdbc:derby:x;create=true",
    "jdbc:mysql://(host=h,autoDeserialize=true)/d",
    "jdbc:mysql://address=(host=h)/d",
    "jdbc:db2://h:1/d:clientRerouteServerListJNDIName=ldap://x;",
    "jdbc:sqlite:/etc/passwd",
    "jdbc:postgresql://h/d?%73ocketFactory=x",
    "jdbc:POSTGRESQL://h/d",
    "jdbc:oracle:thin:@(DESCRIPTION=...)",
    "jdbc:oracle:thin:@ldap://x/y",
    "jdbc:postgresql:d?socketFactory=x",
    "jdbc:mysql://h/d?sslmode=x#a",
    "jdbc:mysql:loadbalance://h/d",
    "jdbc:sqlserver://db;socketFactoryClass=x",
    "jdbc:sqlserver://db;{databaseName}=x",
    "jdbc:postgresql://h/d?sslmode=a;b",
    "jdbc:duckdb:/x",
    "jdbc:hive2://h/d",
    "jdbc:postgresql://h/d?ApplicationName=x&loggerLevel=TRACE",
    "jdbc:snowflake://h/?tracing=ALL",
]
QUERIES = [
    "select a, b from t where x = 'a;b'",
    "with x as (select 1) select * from x",
    " select 1 ; ",
    "select 1 union select 2",
]
WRITING = [
    "select 1; drop table x", "select 1) t; drop table x; select (1", "with x as (delete from t returning *) select * from x",
    "select * into y from x", "drop table x", "copy x to program 'y'", "update x set a = 1", "call f()", "do $$ begin end $$",
]  # fmt: skip


@pytest.mark.parametrize("uri", GOOD)
def test_addresses_of_known_drivers_may_say_how_they_connect(uri):
    assert address_fault(uri, None) is None


@pytest.mark.parametrize("uri", BAD)
def test_what_loads_runs_or_writes_is_refused_without_its_value(uri):
    fault = address_fault(uri, None)
    assert fault is not None and "\n" not in fault and uri not in fault
    with pytest.raises(ValidationError):
        Source.model_validate({"format": "jdbc", "uri": uri, "jdbc": {"table": "a"}, "columns": {"a": "int"}})


def test_a_driver_is_one_of_its_address():
    assert address_fault("jdbc:postgresql://h/d", "org.postgresql.Driver") is None
    for other in ("org.h2.Driver", "com.mysql.cj.jdbc.Driver", "java.lang.Runtime"):
        assert "allowed for postgresql" in str(address_fault("jdbc:postgresql://h/d", other))


def test_queries_read_alone_and_sessions_set_alone():
    assert [query_fault("jdbc:postgresql://h/d", query) for query in QUERIES] == [None] * len(QUERIES)
    assert all(query_fault("jdbc:postgresql://h/d", query) for query in WRITING)
    assert start_fault("SET TIME ZONE 'UTC'") is None and start_fault("alter session set nls_date_format = 'x';") is None
    assert all(start_fault(each) for each in ("DROP TABLE x", "SET a = 1; DROP TABLE x", "BEGIN do(); END", ""))

"""Which databases a policy may read: drivers by name, addresses by form, of their properties what loads, runs and writes nothing.

A JDBC address is a program's command line: properties name classes to load, files to read or write and statements to run. So the
properties of each driver are allowed by list.
"""

import logging
import re
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

_HOST = r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?"
_HOSTS = rf"{_HOST}(?:,{_HOST})*"
_NAME = r"[\w.$-]*"
_COMMON = "connecttimeout sockettimeout logintimeout tcpkeepalive applicationname"


@dataclass(frozen=True)
class Driver:
    """A driver: its classes, the form of an address before its properties, the sign between these, and their names."""

    classes: tuple[str, ...]
    form: str
    separators: str
    properties: frozenset[str]
    dialect: str
    example: str


def _names(properties: str) -> frozenset[str]:
    return frozenset(f"{_COMMON} {properties}".split())


_LIKE_POSTGRES = (
    "ssl sslmode sslrootcert sslcert sslkey currentschema targetservertype readonly preparethreshold channelbinding gssencmode "
    "loadbalancehosts hostrecheckseconds defaultrowfetchsize"
)
_LIKE_MYSQL = (
    "sslmode usessl requiressl verifyservercertificate characterencoding useunicode servertimezone connectiontimezone timezone "
    "zerodatetimebehavior tinyint1isbit usecursorfetch enabledtlsprotocols tlsversions usecompression"
)
DRIVERS = {
    "postgresql": Driver(
        ("org.postgresql.Driver",), rf"//{_HOSTS}/{_NAME}", "?&", _names(_LIKE_POSTGRES), "postgres",
        "jdbc:postgresql://host:5432/database",
    ),
    "redshift": Driver(
        ("com.amazon.redshift.jdbc.Driver", "com.amazon.redshift.jdbc42.Driver"), rf"//{_HOST}/{_NAME}", "?&",
        _names(_LIKE_POSTGRES), "redshift", "jdbc:redshift://host:5439/database",
    ),
    "mysql": Driver(
        ("com.mysql.cj.jdbc.Driver",), rf"//{_HOSTS}/{_NAME}", "?&", _names(_LIKE_MYSQL), "mysql",
        "jdbc:mysql://host:3306/database",
    ),
    "mariadb": Driver(
        ("org.mariadb.jdbc.Driver",), rf"//{_HOSTS}/{_NAME}", "?&", _names(_LIKE_MYSQL), "mysql",
        "jdbc:mariadb://host:3306/database",
    ),
    "sqlserver": Driver(
        ("com.microsoft.sqlserver.jdbc.SQLServerDriver",), r"//[A-Za-z0-9._-]+(?:\\\w+)?(?::\d{1,5})?", ";;",
        _names(
            "databasename database instancename portnumber servername encrypt trustservercertificate hostnameincertificate "
            "querytimeout applicationintent multisubnetfailover failoverpartner integratedsecurity authentication "
            "authenticationscheme domain"
        ),
        "tsql", "jdbc:sqlserver://host:1433;databaseName=core",
    ),
    "oracle": Driver(
        ("oracle.jdbc.OracleDriver", "oracle.jdbc.driver.OracleDriver"), rf"thin:@(?:(?:tcps?:)?//)?{_HOST}[:/]{_NAME}", "?&",
        _names("connect_timeout transport_connect_timeout retry_count retry_delay ssl_server_dn_match ssl_server_cert_dn"),
        "oracle", "jdbc:oracle:thin:@//host:1521/service",
    ),
    "db2": Driver(
        ("com.ibm.db2.jcc.DB2Driver",), rf"//{_HOST}/{_NAME}", ":;",
        _names(
            "sslconnection currentschema currentsqlid blockingreadconnectiontimeout readonly"
        ),
        "postgres", "jdbc:db2://host:50000/database",
    ),
    "snowflake": Driver(
        ("net.snowflake.client.jdbc.SnowflakeDriver", "net.snowflake.client.api.driver.SnowflakeDriver"), rf"//{_HOST}/?", "?&",
        _names("db schema warehouse role networktimeout querytimeout application ssl"), "snowflake",
        "jdbc:snowflake://account.snowflakecomputing.com/?db=CORE",
    ),
    "databricks": Driver(
        ("com.databricks.client.jdbc.Driver",), rf"//{_HOST}(?:/{_NAME})?", ";;",
        _names("httppath ssl transportmode authmech conncatalog connschema enablearrow useragententry"), "databricks",
        "jdbc:databricks://host:443;httpPath=/sql/1.0/warehouses/x",
    ),
}  # fmt: skip
_PROPERTY = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9_]*)=(?P<value>[^;&?#%{}]*)")
_SETS = re.compile(r"\s*(?:ALTER\s+SESSION\s+)?SET\s[^;]*;?\s*", re.IGNORECASE)
_WRITES = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Drop, exp.Command, exp.Into, exp.Alter)


def address_fault(uri: str, driver: str | None) -> str | None:
    """Why an address, or the class of its driver, is not allowed: no value of it is repeated. None where it is."""
    kind = uri.removeprefix("jdbc:").split(":", 1)[0].lower()
    known = DRIVERS.get(kind)
    if known is None:
        return f"the address is of no driver that is allowed; allowed: {', '.join(sorted(DRIVERS))}"
    if driver is not None and driver not in known.classes:
        return f"jdbc.driver: found {driver!r}; allowed for {kind}: {', '.join(known.classes)}"
    matched = re.match(rf"jdbc:{kind}:{known.form}", uri)
    rest = uri[matched.end() :] if matched else ""
    first, between = known.separators[0], known.separators[1]
    if matched is None or (rest and rest[0] != first):
        return f"the address is not of the form that is allowed for {kind}, such as {known.example}"
    for part in filter(None, rest[1:].split(between)):
        found = _PROPERTY.fullmatch(part)
        if found is None:
            return f"the address holds a property that is not written name=value; allowed for {kind}, such as {known.example}"
        if found["name"].lower() not in known.properties:
            return f"the address has the property {found['name'][:40]}; allowed for {kind}: {', '.join(sorted(known.properties))}"
    return None


def query_fault(uri: str, query: str) -> str | None:
    """Why a query is not one that reads alone; None where it is."""
    known = DRIVERS.get(uri.removeprefix("jdbc:").split(":", 1)[0].lower())
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)  # It repeats what it does not know.
    try:
        statements = sqlglot.parse(query, read=known.dialect if known else None)
    except (SqlglotError, RecursionError, ValueError):
        return "is no SELECT that kveil can read; make it a view of the database and name that as jdbc.table"
    given = [each for each in statements if each is not None]
    if len(given) != 1 or not isinstance(given[0], exp.Query) or any(given[0].find(kind) for kind in _WRITES):
        return "is not one SELECT that reads alone; allowed: one SELECT, without INTO and without statements that write"
    return None


def start_fault(statement: str) -> str | None:
    """Why a statement may not open a session; None where it sets something of that session."""
    if _SETS.fullmatch(statement) is None:
        return "sessionInitStatement does more than set something of its session; allowed: one SET, or ALTER SESSION SET"
    return None

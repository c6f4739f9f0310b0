"""Tables and queries of databases, over JDBC: read in parallel ranges, and only the rows and columns that are asked for."""

from typing import Any

from pyspark.sql import DataFrame, SparkSession

from kveil.collect.found import Found
from kveil.errors import ContractError
from kveil.settings.expressions import parsed
from kveil.settings.formats import Jdbc, Partitions
from kveil.settings.secrets import resolved
from kveil.settings.sources import Source

_DRIVERS = {"postgresql": "org.postgresql.Driver"}
"""Drivers that a local session brings along; others are found by their address where the platform has them."""

_TOLD = {
    "FAILED_JDBC.CONNECTION": "the database cannot be reached, or refuses user or password; look at the address and at jdbc",
    "password authentication failed": "the database refuses user or password; look at what jdbc.user and jdbc.password name",
    "no password was provided": "the database asks for a password; name it in jdbc.password by reference",
    "ClassNotFoundException": "its JDBC driver is not on the class path; run `python -m kveil.jars` for PostgreSQL's",
    "No suitable driver": "its JDBC driver is not on the class path; install it on the platform, and name it in jdbc.driver",
    "permission denied": "the user may not read it; grant SELECT",
    "does not exist": "the database, table or a column is not there; correct uri, table or query",
    "UNRESOLVED_COLUMN": "jdbc.where names a column that is not there; correct it",
    "PARSE_SYNTAX_ERROR": "jdbc.where is no condition of Spark SQL; correct it",
    "Connection to": "the database cannot be reached; look at host, port and whether it runs",
    "syntax error": "the database does not understand jdbc.query; correct it",
}
"""What of a failure's text says why, and the sentence for it. The text itself may hold what nobody should see."""


def read_database(spark: SparkSession, name: str, source: Source) -> Found:
    """The rows of a database's table or query. Which of them and which columns are fetched is decided by who asks for them."""
    assert source.jdbc is not None  # the settings see to it
    options = _options(name, source, source.jdbc)
    rows = _loaded(spark, {**options, **_ranges(spark, source.jdbc, options)})
    if source.jdbc.where is not None:
        condition = parsed(source.jdbc.where, None)
        if not {column.lower() for column in condition.columns} <= {column.lower() for column in rows.columns}:
            raise failure(name, source, "UNRESOLVED_COLUMN")
        rows = rows.where(condition.sql)
    return Found(rows, rows.schema, texts=False, live=True)


def failure(name: str, source: Source, said: str) -> ContractError:
    """The error for a database that gave no rows, or not all of them; `said` is understood, never repeated."""
    why = next((sentence for mark, sentence in _TOLD.items() if mark in said), None)
    why = why or "the connection was lost or the query failed while it was read, so nothing of it was kept; run collect again"
    return ContractError(f"sources.{name}: {source.uri}: {why}")


def _options(name: str, source: Source, asked: Jdbc) -> dict[str, str]:
    driver = asked.driver or _DRIVERS.get(source.uri.split(":")[1])
    secrets = {
        part: resolved(reference, f"sources.{name}.jdbc.{part}")
        for part, reference in (("user", asked.user), ("password", asked.password))
        if reference is not None
    }
    return {
        "url": source.uri,
        "dbtable": asked.relation,
        # PostgreSQL's driver fetches a whole result into memory unless told how many rows at a time.
        "fetchsize": str(asked.fetch_size),
        # A time without a zone stays what it is, whatever the zone of the machine; the contract takes it for UTC.
        "preferTimestampNTZ": "true",
        **({"driver": driver} if driver else {}),
        **source.options,
        **secrets,
    }


def _ranges(spark: SparkSession, asked: Jdbc, options: dict[str, str]) -> dict[str, str]:
    """The options that part the read into ranges of a column; none for a table without a value in it."""
    if asked.partitions is None:
        return {}
    lower, upper = _bounds(spark, asked, asked.partitions, options)
    if lower is None or upper is None:
        return {}
    return {
        "partitionColumn": asked.partitions.column,
        "lowerBound": str(lower),
        "upperBound": str(upper),
        "numPartitions": str(asked.partitions.count),
    }


def _bounds(spark: SparkSession, asked: Jdbc, partitions: Partitions, options: dict[str, str]) -> tuple[Any, Any]:
    """The column's smallest and largest value: as the policy gives them, else by one query of the database."""
    if partitions.lower is not None:
        return partitions.lower, partitions.upper
    column = f'"{partitions.column}"'
    query = f"(SELECT min({column}) AS lower, max({column}) AS upper FROM {asked.relation}) kveil_bounds"
    row = _loaded(spark, {**options, "dbtable": query}).first()
    return (row["lower"], row["upper"]) if row is not None else (None, None)


def _loaded(spark: SparkSession, options: dict[str, str]) -> DataFrame:
    return spark.read.format("jdbc").options(**options).load()

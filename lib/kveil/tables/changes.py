"""What was appended to somebody else's Delta table between two of its versions."""

from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from kveil.errors import ContractError

_APPENDS = ("WRITE", "STREAMING UPDATE", "COPY INTO")
_REWRITES = ("OPTIMIZE", "REORG")
_KEEPS = (
    "ADD COLUMNS", "CHANGE COLUMN", "SET TBLPROPERTIES", "UNSET TBLPROPERTIES", "VACUUM START", "VACUUM END", "COMPUTE STATS",
    "UPGRADE PROTOCOL", "ADD CONSTRAINT", "DROP CONSTRAINT", "ADD FEATURE", "CLUSTER BY",
)  # fmt: skip
_FEED = "delta.enableChangeDataFeed"
_FEED_COLUMNS = ("_change_type", "_commit_version", "_commit_timestamp")


def current_version(spark: SparkSession, name: str, uri: str) -> int:
    """The table's version now; ContractError when there is no such table."""
    try:
        row = spark.sql(f"DESCRIBE HISTORY {_address(uri)} LIMIT 1").first()
    except PySparkException:
        row = None
    if row is None:
        raise ContractError(f"sources.{name}.uri: {uri} is no Delta table that can be read; give the folder of one")
    return int(row["version"])


def rows_at(spark: SparkSession, uri: str, version: int) -> DataFrame:
    """The table's rows at a version."""
    return spark.sql(f"SELECT * FROM {_address(uri)} VERSION AS OF {version}")


def appended(spark: SparkSession, name: str, uri: str, since: int, until: int) -> DataFrame:
    """The rows that versions after `since`, up to `until`, added; ContractError where one of them changed or removed rows.

    The change data feed tells where it is on; else the files that were not there before, and where files were rewritten in
    between, the rows that are in one version and not in the other.
    """
    commits = _commits(spark, name, uri, since, until)
    feed = _fed(spark, name, uri, since, until)
    if feed is not None:
        return feed
    for commit in commits:
        if not _adds_only(commit):
            raise _changed(name, uri, f"version {commit['version']} is a {commit['operation']}")
    old, new = rows_at(spark, uri, since), rows_at(spark, uri, until)
    if any(commit["operation"] in _REWRITES for commit in commits):
        return new.exceptAll(old) if old.columns == new.columns else new.exceptAll(_widened(old, new))
    before = old.select(F.col("_metadata.file_path").alias("_kveil_old")).distinct()
    there = new.select("*", F.col("_metadata.file_path").alias("_kveil_new"))
    return there.join(before, F.col("_kveil_new") == F.col("_kveil_old"), "left_anti").drop("_kveil_new")


def _commits(spark: SparkSession, name: str, uri: str, since: int, until: int) -> list[Row]:
    history = spark.sql(f"DESCRIBE HISTORY {_address(uri)}")
    # One row per commit since the last collect.
    commits = history.where(f"version > {since} AND version <= {until}").orderBy("version").collect()
    if until < since or len(commits) != until - since:
        raise ContractError(
            f"sources.{name}: {uri} was collected at version {since}, and its history no longer reaches from there to version "
            f"{until}; collect it whole, without incremental"
        )
    return commits


def _fed(spark: SparkSession, name: str, uri: str, since: int, until: int) -> DataFrame | None:
    """The inserted rows out of the change data feed; None where it was not on all the time."""
    properties = {row["key"]: row["value"] for row in spark.sql(f"SHOW TBLPROPERTIES {_address(uri)}").collect()}
    if properties.get(_FEED, "false").lower() != "true":
        return None
    options = {"readChangeFeed": "true", "startingVersion": str(since + 1), "endingVersion": str(until)}
    feed = spark.read.format("delta").options(**options).load(_place(uri))
    try:
        others = feed.where("_change_type <> 'insert'").count()
    except PySparkException:  # switched on after the first of these versions
        return None
    if others:
        raise _changed(name, uri, "its change data feed tells of them")
    return feed.drop(*_FEED_COLUMNS)


def _adds_only(commit: Row) -> bool:
    operation, parameters, metrics = commit["operation"], commit["operationParameters"] or {}, commit["operationMetrics"] or {}
    if operation in _APPENDS:
        return str(parameters.get("mode", parameters.get("outputMode", "Append"))).lower() == "append"
    if operation == "MERGE":
        return all(int(metrics.get(f"numTargetRows{what}", 1)) == 0 for what in ("Updated", "Deleted", "Copied"))
    return operation in (*_KEEPS, *_REWRITES)


def _changed(name: str, uri: str, how: str) -> ContractError:
    return ContractError(
        f"sources.{name}: rows of {uri} were changed or removed since it was last collected ({how}), which by: version cannot "
        "follow; collect it whole, without incremental"
    )


def _widened(old: DataFrame, new: DataFrame) -> DataFrame:
    """The old rows with the columns that were added since, as nulls."""
    types = dict(new.dtypes)
    return old.select(*[F.col(c) if c in old.columns else F.lit(None).cast(types[c]).alias(c) for c in new.columns])


def _address(uri: str) -> str:
    return f"delta.`{_place(uri)}`"


def _place(uri: str) -> str:
    return uri if "://" in uri else str(Path(uri).absolute())

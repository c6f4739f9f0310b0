"""What was appended to somebody else's Delta table between two of its versions."""

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from kveil.errors import ContractError
from kveil.tables.foreign import at_version, identifier

_APPENDS = ("WRITE", "STREAMING UPDATE", "COPY INTO")
_REWRITES = ("OPTIMIZE", "REORG")
_KEEPS = (
    "ADD COLUMNS", "CHANGE COLUMN", "SET TBLPROPERTIES", "UNSET TBLPROPERTIES", "VACUUM START", "VACUUM END", "COMPUTE STATS",
    "UPGRADE PROTOCOL", "ADD CONSTRAINT", "DROP CONSTRAINT", "ADD FEATURE", "CLUSTER BY",
)  # fmt: skip
_FEED = "delta.enableChangeDataFeed"
_FEED_COLUMNS = ("_change_type", "_commit_version", "_commit_timestamp")


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
    old, new = at_version(spark, uri, since), at_version(spark, uri, until)
    if any(commit["operation"] in _REWRITES for commit in commits):
        return new.exceptAll(old) if old.columns == new.columns else new.exceptAll(_widened(old, new))
    before = old.select(F.col("_metadata.file_path").alias("_kveil_old")).distinct()
    there = new.select("*", F.col("_metadata.file_path").alias("_kveil_new"))
    return there.join(before, F.col("_kveil_new") == F.col("_kveil_old"), "left_anti").drop("_kveil_new")


def _commits(spark: SparkSession, name: str, uri: str, since: int, until: int) -> list[Row]:
    history = spark.sql(f"DESCRIBE HISTORY {identifier(uri)}")
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
    properties = {row["key"]: row["value"] for row in spark.sql(f"SHOW TBLPROPERTIES {identifier(uri)}").collect()}
    if properties.get(_FEED, "false").lower() != "true":
        return None
    options = {"readChangeFeed": "true", "startingVersion": str(since + 1), "endingVersion": str(until)}
    try:
        feed = spark.read.options(**options).table(identifier(uri))
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

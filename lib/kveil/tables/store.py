"""Reading and writing Delta tables: the only place that knows how Delta is spoken.

Every write is one Delta commit: readers see all of it or nothing.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from kveil.tables.declaration import ZONES, Table, TableRef, Zone
from kveil.tables.lake import Lake

NO_STATISTICS = {"delta.dataSkippingNumIndexedCols": "0"}
"""Keeps minima and maxima of personal columns out of a table's Delta log."""


class TableStore:
    """The tables of one lake, as seen by one Spark session."""

    def __init__(self, spark: SparkSession, lake: Lake) -> None:
        self.spark = spark
        self.lake = lake
        lake.prepare()
        if lake.catalog:
            for zone in ZONES:
                spark.sql(f"CREATE SCHEMA IF NOT EXISTS `{lake.catalog}`.`{zone}`")

    def version(self, ref: TableRef) -> int | None:
        """The table's current Delta version; None when there is no such table."""
        if self.lake.is_local:
            # A name per commit, as Delta's protocol has it; asking Spark would take a job each time.
            try:
                commits = [Path(name).stem for name in os.listdir(self.lake.folder(ref) / "_delta_log") if name.endswith(".json")]
            except (FileNotFoundError, NotADirectoryError):
                return None
            return max((int(commit) for commit in commits if commit.isdigit()), default=None)
        try:
            row = self.spark.sql(f"DESCRIBE HISTORY {self.lake.identifier(ref)} LIMIT 1").first()
        except AnalysisException:
            return None
        return int(row["version"]) if row else None

    def exists(self, ref: TableRef) -> bool:
        """Whether the table is there."""
        return self.version(ref) is not None

    def names(self, zone: Zone) -> list[str]:
        """The tables that there are in a zone, whoever wrote them."""
        if self.lake.catalog:
            rows = self.spark.sql(f"SHOW TABLES IN `{self.lake.catalog}`.`{zone}`").collect()
            return sorted(row["tableName"] for row in rows)
        if self.lake.is_local:
            return sorted(log.parent.name for log in Path(self.lake.root).glob(f"{zone}/*/_delta_log"))
        logs = f"{self.lake.root}/{zone}/*/_delta_log/*.json"
        try:
            found = self.spark.read.format("binaryFile").load(logs).select(F.regexp_extract("path", "([^/]+)/_delta_log/", 1))
            return sorted(row[0] for row in found.distinct().collect())
        except AnalysisException:
            return []  # the zone is empty

    def read(self, ref: TableRef, version: int | None = None) -> DataFrame:
        """The table's rows, at a version or as they are now."""
        at = "" if version is None else f" VERSION AS OF {version}"
        return self.spark.sql(f"SELECT * FROM {self.lake.identifier(ref)}{at}")

    def property_of(self, ref: TableRef, key: str) -> str | None:
        """A table property's value; None when the table or the property is not there."""
        if not self.exists(ref):
            return None
        rows = self.spark.sql(f"SHOW TBLPROPERTIES {self.lake.identifier(ref)}").collect()
        return next((row["value"] for row in rows if row["key"] == key), None)

    def rows(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> DataFrame:
        """Rows made in Python, with the declared columns and types; a column not given is null."""
        values = [tuple(_fitting(row.get(column.name), column.type) for column in table.columns) for row in rows]
        return self.spark.createDataFrame(values, table.ddl)

    def rows_of_json(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> DataFrame:
        """Rows made of what JSON holds, maps and lists in them included: decimals and times as texts, a null left out or None."""
        kind = ",".join(f"{column.name}:{column.type}" for column in table.columns)
        parsed = F.from_json(F.lit(json.dumps(list(rows))), f"array<struct<{kind}>>", {"mode": "FAILFAST"})
        return self.spark.range(1).select(F.inline(parsed))

    def writing(self, ref: TableRef) -> AbstractContextManager[None]:
        """The one lock of a local table, for whoever commits to it or removes its files."""
        return self.lake.locked(f"commit-{ref}")

    def append(self, ref: TableRef, df: DataFrame, properties: Mapping[str, str] | None = None) -> None:
        """Adds rows; a table that is made for them gets the properties."""
        with self.writing(ref):
            if self.exists(ref):
                # A column that was declared after the table was made is added.
                df.writeTo(self.lake.identifier(ref)).option("mergeSchema", "true").append()
            else:
                self._create(ref, df, properties)

    def replace(
        self, ref: TableRef, df: DataFrame, partition_by: Sequence[str] = (), properties: Mapping[str, str] | None = None
    ) -> None:
        """Makes `df` the table's whole content and schema. Earlier versions stay readable until `forget_history`."""
        writer = df.writeTo(self.lake.identifier(ref)).using("delta")
        for key, value in (properties or {}).items():
            writer = writer.tableProperty(key, value)
        if partition_by:
            writer = writer.partitionedBy(*[F.col(name) for name in partition_by])
        with self.writing(ref):
            writer.createOrReplace()

    def replace_where(self, ref: TableRef, df: DataFrame, **values: str | bool | int) -> None:
        """Makes `df` the only rows whose columns have the given values, so that writing twice is writing once."""
        with self.writing(ref):
            if not self.exists(ref):
                self._create(ref, df)
                return
            # A column that was declared after the table was made is added; nothing else of the schema can change.
            df.writeTo(self.lake.identifier(ref)).option("mergeSchema", "true").overwrite(_all_equal(values))

    def make(self, ref: TableRef, df: DataFrame) -> None:
        """Makes an empty table with the columns of `df`, without statistics, where there is none."""
        with self.writing(ref):
            if not self.exists(ref):
                self._create(ref, df.limit(0), NO_STATISTICS)

    def append_once(self, ref: TableRef, df: DataFrame, series: str, number: int, note: str) -> tuple[str, int]:
        """Adds the rows as batch `number` of a series unless it is there; returns note and number of rows of the one there.

        The number is Delta's transaction version, checked within the commit: of two writers of one batch one adds nothing,
        and sees the other's note.
        """
        self.make(ref, df)
        with self.writing(ref):
            writer = df.writeTo(self.lake.identifier(ref)).option("txnAppId", series).option("txnVersion", str(number))
            writer.option("userMetadata", json.dumps({"series": series, "number": number, "note": note})).append()
        there = self.added(ref, series, number)
        return there if there is not None else ("", 0)

    def added(self, ref: TableRef, series: str, number: int) -> tuple[str, int] | None:
        """The note and the number of rows of a batch that `append_once` added; None when it is not there."""
        if not self.exists(ref):
            return None
        history = self.spark.sql(f"DESCRIBE HISTORY {self.lake.identifier(ref)}")
        # One row per commit, for as long as Delta keeps its log.
        for row in history.where("userMetadata IS NOT NULL").select("userMetadata", "operationMetrics").collect():
            told = json.loads(row["userMetadata"])
            if (told.get("series"), told.get("number")) == (series, number):
                return str(told["note"]), int(row["operationMetrics"].get("numOutputRows", 0))
        return None

    def delete_where(self, ref: TableRef, **values: str) -> None:
        """Deletes the rows whose columns have the given values, if there are any."""
        if self.has_rows(ref, **values):
            with self.writing(ref):
                condition = " AND ".join(f"{name} = {_sql_value(value, 'string')}" for name, value in values.items())
                self.spark.sql(f"DELETE FROM {self.lake.identifier(ref)} WHERE {condition}")

    def delete_matching(self, ref: TableRef, df: DataFrame, on: str) -> int:
        """Deletes the rows, called `there`, that match a row of `df`, called `gone`, by the condition `on`; returns how many."""
        view = f"kveil_delete_{ref.name}"
        df.createOrReplaceTempView(view)
        with self.writing(ref):
            sql = f"MERGE INTO {self.lake.identifier(ref)} there USING {view} gone ON {on} WHEN MATCHED THEN DELETE"
            row = self.spark.sql(sql).first()
        return int(row["num_deleted_rows"]) if row is not None else 0

    def set_properties(self, ref: TableRef, properties: Mapping[str, str]) -> None:
        """Sets table properties, in one commit; the rows' files stay as they are."""
        if properties:
            listed = ", ".join(f"'{key}' = '{value}'" for key, value in properties.items())
            with self.writing(ref):
                self.spark.sql(f"ALTER TABLE {self.lake.identifier(ref)} SET TBLPROPERTIES ({listed})")

    def restore(self, ref: TableRef, version: int) -> None:
        """Makes an earlier version the current one: its files, not copies of them, and its properties."""
        with self.writing(ref):
            self.spark.sql(f"RESTORE TABLE {self.lake.identifier(ref)} TO VERSION AS OF {version}")

    def has_rows(self, ref: TableRef, **values: str) -> bool:
        """Whether the table is there and has rows whose columns have the given values."""
        return self.exists(ref) and not self.read(ref).where(_all_equal(values)).isEmpty()

    def insert_new(self, ref: TableRef, df: DataFrame, keys: Sequence[str]) -> None:
        """Adds the rows that share none of the `keys` with a row that is there; a concurrent insert makes one of two fail."""
        view = f"kveil_insert_{ref.name}"
        df.createOrReplaceTempView(view)
        condition = " OR ".join(f"there.{key} = new.{key}" for key in keys)
        with self.writing(ref):
            if not self.exists(ref):
                self._create(ref, df)
                return
            self.spark.sql(
                f"MERGE INTO {self.lake.identifier(ref)} there USING {view} new ON {condition} WHEN NOT MATCHED THEN INSERT *"
            )

    def update(self, ref: TableRef, values: Mapping[str, str | int | None], **where: str | int) -> bool:
        """Changes the rows whose columns have the given values, in one commit, and tells whether there were any.

        A writer that names what it has read in `where` changes nothing when another was there before it; when both try at
        once, Delta lets one of them fail.
        """
        types = dict(self.read(ref).dtypes)
        changes = ", ".join(f"{name} = {_sql_value(value, types[name])}" for name, value in values.items())
        condition = " AND ".join(f"{name} = {_sql_value(value, types[name])}" for name, value in where.items())
        with self.writing(ref):
            row = self.spark.sql(f"UPDATE {self.lake.identifier(ref)} SET {changes} WHERE {condition}").first()
        return row is not None and int(row["num_affected_rows"]) > 0

    def _create(self, ref: TableRef, df: DataFrame, properties: Mapping[str, str] | None = None) -> None:
        self._clear_uncommitted(ref)
        writer = df.writeTo(self.lake.identifier(ref)).using("delta")
        # Delta's log outlives its rows: minima and maxima in it would be what a vacuum cannot reach.
        kept = NO_STATISTICS if ref.zone == "restricted" else {}
        for key, value in {**kept, **(properties or {})}.items():
            writer = writer.tableProperty(key, value)
        writer.create()

    def _clear_uncommitted(self, ref: TableRef) -> None:
        """Removes what a writer left that was killed before a table's first commit: files that Delta would take for a table.

        A folder with a commit is never touched, readable or not: it is a table, and somebody has to look at it.
        """
        if not self.lake.is_local:
            return
        log = self.lake.folder(ref) / "_delta_log"
        if not any(log.glob("*.json")) and not any(log.glob("*.checkpoint*")):
            shutil.rmtree(self.lake.folder(ref), ignore_errors=True)

    def forget_history(self, ref: TableRef) -> None:
        """Deletes the data files of earlier versions, so that rows no longer in the table are nowhere."""
        if (self.version(ref) or 0) > 0:
            # Files that another writer has written and not committed yet would be taken for old ones.
            with self.writing(ref):
                self.spark.sql(f"VACUUM {self.lake.identifier(ref)} RETAIN 0 HOURS")

    def destroy(self, ref: TableRef) -> int:
        """Removes a table's rows, files and, where the file system is at hand, its log; returns the data files left.

        On storage that Spark alone reaches the log stays and with it an empty table, which has none of the properties by which
        a table says what it holds. A catalog drops the table and shows no files: there the number is 0.
        """
        if self.lake.is_local:
            folder = self.lake.folder(ref)
            shutil.rmtree(folder, ignore_errors=True)
            return sum(1 for path in folder.rglob("*") if path.is_file())
        if not self.exists(ref):
            return 0
        if self.lake.catalog:
            self.spark.sql(f"DELETE FROM {self.lake.identifier(ref)}")
            self.spark.sql(f"VACUUM {self.lake.identifier(ref)} RETAIN 0 HOURS")
            self.spark.sql(f"DROP TABLE {self.lake.identifier(ref)}")
            return 0
        # One commit takes rows and properties: what is killed before the files are gone is not taken for done either.
        empty = self.spark.createDataFrame([], self.read(ref).schema)
        self.replace(ref, empty, properties=NO_STATISTICS if ref.zone == "restricted" else None)
        self.spark.sql(f"VACUUM {self.lake.identifier(ref)} RETAIN 0 HOURS")
        # The log says what it needs, not what is there. Spark lists no folder whose name begins with an underscore.
        listing = self.spark.read.format("binaryFile").option("recursiveFileLookup", "true").option("pathGlobFilter", "*.parquet")
        return listing.load(f"{self.lake.root}/{ref.zone}/{ref.name}").select("path").count()


def _fitting(value: Any, kind: str) -> Any:
    """Whole numbers in double columns become floats, which createDataFrame does not do by itself."""
    return float(value) if kind == "double" and isinstance(value, int) else value


def _sql_value(value: str | int | None, kind: str) -> str:
    """A value as SQL of a column's type; arrays, maps and structs are given as JSON. Delta's UPDATE takes no parameters."""
    if value is None:
        return "NULL"
    escaped = str(value).replace("\\", "\\\\").replace("'", "\\'")
    if kind.startswith(("array", "map", "struct")):
        return f"from_json('{escaped}', '{kind}', map('mode', 'FAILFAST'))"
    return f"CAST('{escaped}' AS {kind})"


def _all_equal(values: Mapping[str, str | bool | int]) -> Column:
    condition = F.lit(True)
    for name, value in values.items():
        condition = condition & (F.col(name) == F.lit(value))
    return condition

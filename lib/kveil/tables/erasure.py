"""Deleting people from Delta tables, from their history and files, and looking into every file that remains."""

from pathlib import Path

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.tables.declaration import TableRef
from kveil.tables.people import HELD, Place
from kveil.tables.store import TableStore

_TELLING = 6
"""An id shorter than this may stand in a log as a count or a size; a longer one is the person's."""


def held(store: TableStore, place: Place, people: DataFrame) -> DataFrame:
    """The rows of the people (a column `person`) in a table that is there, with the column HELD in front."""
    return _by_id(place, store.read(place.ref), people)


def concerned(store: TableStore, place: Place, people: DataFrame) -> DataFrame:
    """What `delete_people` deletes: those rows, and the ones whose person cannot be read and that name one of the people."""
    return _by_id_or_name(place, store.read(place.ref), people)


def _by_id(place: Place, rows: DataFrame, people: DataFrame) -> DataFrame:
    return place.people(rows).join(_asked(people), HELD, "left_semi")


def _by_id_or_name(place: Place, rows: DataFrame, people: DataFrame) -> DataFrame:
    found = _by_id(place, rows, people)
    if not place.naming:
        return found
    named = rows.crossJoin(_asked(people)).where(place.naming.format(id=HELD))
    return found.unionByName(named.select(*found.columns))


def delete_people(store: TableStore, place: Place, people: TableRef) -> int:
    """Deletes the rows of the people of a table (column `person`) and returns how many.

    The ids are joined, never written into the statement: Delta's log keeps a statement's condition for good.
    """
    if not store.exists(place.ref):
        return 0
    asked = store.read(people).select(F.col("person").alias("_asked")).distinct()
    conditions = [f"{held_id} = gone._asked" for held_id in place.ids]
    conditions += [place.naming.format(id="gone._asked")] if place.naming else []
    return sum(store.delete_matching(place.ref, asked, condition) for condition in conditions)


def delete_before(store: TableStore, ref: TableRef, column: str, moment: str) -> int:
    """Deletes the rows whose column (date or timestamp) lies before the moment (text, UTC) and returns how many."""
    with store.writing(ref):
        condition = f"CAST(`{column}` AS TIMESTAMP) < TIMESTAMP '{moment}'"
        row = store.spark.sql(f"DELETE FROM {store.lake.identifier(ref)} WHERE {condition}").first()
    return int(row["num_affected_rows"]) if row else 0


def purge(store: TableStore, ref: TableRef) -> None:
    """Removes every file that the table's present rows do not need: earlier versions, the change feed, deletion vectors.

    A deletion vector hides a row in a file that stays; REORG writes such files anew first.
    """
    if not store.exists(ref):
        return
    with store.writing(ref):
        store.spark.sql(f"REORG TABLE {store.lake.identifier(ref)} APPLY (PURGE)")
        store.spark.sql(f"VACUUM {store.lake.identifier(ref)} RETAIN 0 HOURS")


def remaining(store: TableStore, place: Place, people: DataFrame) -> tuple[int | None, int]:
    """How many files of a table are left, referenced or not, and how many rows of the people these hold.

    Every data file is read by itself, past Delta's log, and the log's own statistics, partition values and conditions are
    searched. A catalog shows no files: there the table is read, and None stands for the files.
    """
    if store.lake.catalog:
        return None, concerned(store, place, people).count()
    files, logs, found = data_files(store, place.ref), _of_log(store, place.ref, "*.json"), 0
    checkpoints = _of_log(store, place.ref, "*.checkpoint*.parquet")
    if files:
        rows = store.spark.read.option("mergeSchema", "true").parquet(*files)
        found = _by_id_or_name(place, rows, people).count()
    told = _told_by_log(store, logs, people) + _told_by_checkpoints(store, checkpoints, people)
    return len(files) + len(logs) + len(checkpoints), found + told


def _asked(people: DataFrame) -> DataFrame:
    return F.broadcast(people.select(F.col("person").alias(HELD)).distinct())


def data_files(store: TableStore, ref: TableRef) -> list[str]:
    """The addresses of all Parquet files below a table's folder but those of its log."""
    return [path for path in _listed(store, ref, "*.parquet") if "/_delta_log/" not in path]


def superseded_files(store: TableStore, ref: TableRef) -> int | None:
    """How many data files are left that the table's present rows do not need; None where a catalog shows no files."""
    if store.lake.catalog:
        return None
    detail = store.spark.sql(f"DESCRIBE DETAIL {store.lake.identifier(ref)}").first()
    assert detail is not None  # one row per table
    return len(data_files(store, ref)) - int(detail["numFiles"])


def _of_log(store: TableStore, ref: TableRef, pattern: str) -> list[str]:
    return [path for path in _listed(store, ref, pattern) if "/_delta_log/" in path]


def _listed(store: TableStore, ref: TableRef, pattern: str) -> list[str]:
    if store.lake.is_local:
        return sorted(f"file://{path}" for path in Path(store.lake.folder(ref)).rglob(pattern))
    root = f"{store.lake.root}/{ref.zone}/{ref.name}"
    found: list[str] = []
    # Spark does not look into folders that begin with an underscore unless they are named.
    for folder in (root, f"{root}/_change_data", f"{root}/_delta_log"):
        if _is_there(store, folder):
            listing = store.spark.read.format("binaryFile").option("recursiveFileLookup", "true")
            # Paths alone: one row per file of one table, no content.
            found += [row["path"] for row in listing.option("pathGlobFilter", pattern).load(folder).select("path").collect()]
    return sorted(set(found))


def _is_there(store: TableStore, folder: str) -> bool:
    try:
        store.spark.read.format("binaryFile").load(folder).limit(1).select("path").collect()
    except AnalysisException:
        return False
    return True


def _told_by_log(store: TableStore, logs: list[str], people: DataFrame) -> int:
    """How many lines of a Delta log name one of the people, in a statistic, a partition value or a statement's condition."""
    if not logs:
        return 0
    where = (
        "$.add.stats", "$.add.partitionValues", "$.remove.stats", "$.remove.partitionValues", "$.commitInfo.operationParameters",
    )  # fmt: skip
    told = F.concat_ws(" ", *[F.get_json_object("value", path) for path in where])
    return _naming(store.spark.read.text(logs).select(told.alias("told")).where("told != ''"), people)


def _told_by_checkpoints(store: TableStore, checkpoints: list[str], people: DataFrame) -> int:
    """How many files of a table stand in a checkpoint of its log with a statistic or partition value that names one of them."""
    if not checkpoints:
        return 0
    actions = store.spark.read.option("mergeSchema", "true").parquet(*checkpoints)
    if "add" not in actions.columns:
        return 0  # it only names other checkpoint files, which are read as well
    told = actions.where("add IS NOT NULL").select("add.*").drop("path", "tags", "deletionVector")
    return _naming(told.select(F.to_json(F.struct(*told.columns)).alias("told")), people)


def _naming(lines: DataFrame, people: DataFrame) -> int:
    """How many lines (a column `told`) have the id of one of the people as a word."""
    whole = F.concat(F.lit(r"(?<![A-Za-z0-9])\Q"), F.col(HELD), F.lit(r"\E(?![A-Za-z0-9])"))
    named = lines.crossJoin(_asked(people))
    return named.where(F.length(HELD) >= _TELLING).where(F.regexp_like("told", whole)).count()

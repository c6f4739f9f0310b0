"""The Spark session: the only place that builds one or sets a Spark setting, each with its reason."""

import errno
import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from kveil.scratch import Scratch, closed_files, open_scratch, scratch_home

try:
    from py4j.protocol import Py4JError  # type: ignore[import-untyped,unused-ignore]
except ImportError:  # a pure Connect client has no py4j
    Py4JError = PySparkException

SPARK_ERRORS: tuple[type[Exception], ...] = (PySparkException, Py4JError)
"""What a failed Spark action may raise: a failed task comes as Py4JError where driver and client are one process."""


def disk_is_full(error: BaseException | None) -> bool:
    """Whether a failure, or one that led to it, is that of a full disk."""
    while error is not None:
        if getattr(error, "errno", None) == errno.ENOSPC or "No space left on device" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


_GONE = (
    "FILE_NOT_EXIST",
    "FileNotFoundException",
    "FILE_NOT_FOUND",
    "DELTA_TRUNCATED",
    "DELTA_PATH_DOES_NOT_EXIST",
    "NoSuchFile",
)


def files_are_gone(error: BaseException) -> bool:
    """Whether Spark did not find files that a table named when it was looked at: somebody removed them since."""
    return isinstance(error, SPARK_ERRORS) and any(word in str(error) for word in _GONE)


DELTA = "io.delta:delta-spark_4.2_2.13:4.4.0"
POSTGRESQL = "org.postgresql:postgresql:42.7.8"
"""The JDBC driver that a local session brings; a cluster has its own drivers."""

_ALWAYS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # Dates and months must not depend on the machine.
    "spark.sql.session.timeZone": "UTC",
    # Staging and withdrawn rows must leave the files at once, not after Delta's week.
    "spark.databricks.delta.retentionDurationCheck.enabled": "false",
}

MANY_COLUMNS = {
    # Of each condition Spark keeps one form for every subset of the aliases in it (SPARK-33152). A row breaks its contract by a
    # condition on all of its columns, and with some dozens of them a query's planning would never end.
    "spark.sql.constraintPropagation.enabled": "false",
}

WIDE_ROWS = {
    # HotSpot never compiles a method of more than 8,000 bytes; Spark then writes several smaller ones for a wide projection.
    # Queries of many short steps are slower by it, so only who makes wide rows asks for it.
    "spark.sql.codegen.hugeMethodLimit": "8000",
}

_LOCAL = {
    # Delta replays its log with this many tasks; 50, the default, costs seconds per small table.
    "spark.databricks.delta.snapshotPartitions": "2",
    # Two cores, small tables: 200 shuffle tasks would be overhead only; adaptive execution merges what is left.
    "spark.sql.shuffle.partitions": "8",
    # VACUUM lists a table's folder with this many tasks; 10,000, the default, makes each take half a minute.
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
    # Nothing of a row may be shown on a web page, and a local run is over before anyone looks.
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # Spark logs a failed task with the value that it failed on, and a trace where kveil has one sentence to say.
    "spark.log.level": "FATAL",
    # Workers and driver speak over loopback on any machine, whatever its host name resolves to.
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    # One JVM does driver and executor work; half of a small machine's memory.
    "spark.driver.memory": "4g",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # Hadoop gives files on a local disk this mask, whatever that of the process is.
    "spark.hadoop.fs.permissions.umask-mode": "077",
    # What is spilled and shuffled is rows of people; the key is the JVM's alone, so a stolen disk or a left file tells nothing.
    "spark.io.encryption.enabled": "true",
}


def session(app: str = "kveil", more: Mapping[str, str] | None = None, files: Path | None = None) -> SparkSession:
    """The session to work in: a running or remote one where the platform brings it, else a local one with Delta.

    `more` are settings of this module that suit one kind of work; a session that runs keeps its own. What a local session writes
    aside lies in the restricted zone of the lake whose `files` are given (see kveil.scratch) and is readable for nobody else.
    """
    _hush()
    running = SparkSession.getActiveSession()
    if running is not None:
        return running
    builder = SparkSession.builder.appName(app)
    for key, value in {**_ALWAYS, **MANY_COLUMNS, **(more or {})}.items():
        builder = builder.config(key, value)
    if not _platform_brings_spark():
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        builder = builder.master(os.environ.get("KVEIL_MASTER", "local[*]"))
        scratch = open_scratch(scratch_home(files))
        for key, value in {**_LOCAL, **_jars(), **_aside(scratch)}.items():
            builder = builder.config(key, value)
        # The JVM is started here and keeps the mask for its life.
        with closed_files():
            return builder.getOrCreate()
    return builder.getOrCreate()


@contextmanager
def in_short_methods(spark: SparkSession) -> Iterator[None]:
    """Spark writes methods that HotSpot compiles while this lasts, also for a query of many steps; then as it did before."""
    with _with(spark, WIDE_ROWS):
        yield


@contextmanager
def for_many_columns(spark: SparkSession) -> Iterator[None]:
    """A session that others started plans queries of many columns in time linear in them while this lasts."""
    with _with(spark, MANY_COLUMNS):
        yield


@contextmanager
def _with(spark: SparkSession, settings: Mapping[str, str]) -> Iterator[None]:
    before = {key: spark.conf.get(key, None) for key in settings}
    for key, value in settings.items():
        _set(spark, key, value)
    try:
        yield
    finally:
        for key, old in before.items():
            _set(spark, key, old)


def _set(spark: SparkSession, key: str, value: str | None) -> None:
    # Serverless lets few settings be set; all of these change how long a query takes and nothing that it yields.
    with suppress(PySparkException):
        if value is None:
            spark.conf.unset(key)
        else:
            spark.conf.set(key, value)


def _aside(scratch: Scratch) -> dict[str, str]:
    """Settings that send all that is written aside to the folder; this process and its workers are told by their environment."""
    # The variable has the last word over spark.local.dir.
    os.environ["SPARK_LOCAL_DIRS"] = str(scratch.spark)
    os.environ.update(dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch.python)))
    tempfile.tempdir = str(scratch.python)
    return {
        "spark.local.dir": str(scratch.spark),
        "spark.sql.warehouse.dir": str(scratch.warehouse),
        # The JVM's performance counters would lie in a folder of the system, with its whole command line in them.
        "spark.driver.defaultJavaOptions": f'"-Djava.io.tmpdir={scratch.java}" -XX:-UsePerfData',
    }


def _hush() -> None:
    """Keeps two loggers from saying what nobody should read, however much a job has logged."""
    # PySpark repeats a failed expression's message, which may hold a value, through a logger of its own.
    logging.getLogger("SQLQueryContextLogger").disabled = True
    # At DEBUG py4j logs every argument that goes to the JVM, a database's password among them.
    logging.getLogger("py4j").setLevel(logging.INFO)


def _platform_brings_spark() -> bool:
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    remote = "SPARK_REMOTE" in os.environ or "DATABRICKS_RUNTIME_VERSION" in os.environ
    return submitted or remote


def jar_folder() -> Path:
    """Where `make setup` keeps the jars of Delta and PostgreSQL, so that later sessions start without a network."""
    return Path(sys.prefix) / "share" / "kveil" / "jars"


def _jars() -> dict[str, str]:
    jars = sorted(jar_folder().glob("*.jar"))
    if jars:
        return {"spark.jars": ",".join(map(str, jars))}
    return {"spark.jars.packages": f"{DELTA},{POSTGRESQL}"}


def code_version() -> str:
    """The installed version of kveil, or that of the source when it runs from an archive."""
    from kveil import __version__

    try:
        return metadata.version("kveil")
    except metadata.PackageNotFoundError:
        return __version__

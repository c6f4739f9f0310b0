"""Growth by stream: Structured Streaming finds the new files, and every micro-batch lands like any other batch of files."""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pyspark.sql import DataFrame

from kveil.collect.collected import memory
from kveil.collect.growing import landed, prepared
from kveil.collect.growth import files_of
from kveil.collect.locations import bare, locate, spark_path
from kveil.context import Context
from kveil.errors import ContractError
from kveil.log import Progress
from kveil.session import SPARK_ERRORS, disk_is_full
from kveil.settings.policy import Policy
from kveil.tables.lake import Lake
from kveil.tables.schema import CONSENT
from kveil.tables.store import TableStore

_FILES = "path string, modificationTime timestamp, length bigint, content binary"
_ANY_AGE = "36500d"
_TOLD = re.compile(r"kveil\.errors\.\w+: ((?:sources\.|policy |--lake)[^\n]+)")
"""The sentence inside what Spark says of a function that failed."""


@dataclass(frozen=True)
class MicroBatch:
    """What lands one micro-batch. It holds plain values alone: on Spark Connect it is pickled and runs beside the server."""

    policy: Policy
    lake: Lake
    source: str
    run_id: str
    now: datetime
    build: str

    def __call__(self, found: DataFrame, number: int) -> None:
        """Lands the rows of the files found, unless they are there: after a kill the stream brings a micro-batch again."""
        store = TableStore(found.sparkSession, self.lake)
        ctx = Context(self.policy, store, self.run_id, self.now, Progress(), self.build, "collect")
        # One row per file of the micro-batch.
        paths = {bare(row["path"]) for row in found.select("path").collect()}
        grown = files_of(ctx, self.source, memory(ctx, self.source, "done"), paths)
        decisions = store.read(CONSENT.of(self.policy))
        with ctx.step(f"stream {self.source}, batch {number}") as note:
            what = prepared(ctx, self.source, grown, decisions)
            note.rows(landed(ctx, what, decisions) if what else 0)


def stream_in(ctx: Context, name: str) -> None:
    """Lands all files that a source grown by stream has not brought yet, and stops; other sources are left alone.

    Raises the ContractError of the micro-batch that broke its contract; those before it have landed.
    """
    source = ctx.policy.sources[name]
    if source.incremental is None or source.incremental.by != "stream" or not locate(ctx.spark, name, source, may_be_empty=True):
        return
    place = source.uri if "://" in source.uri else spark_path(str(Path(source.uri).absolute()))
    reader = ctx.spark.readStream.format("binaryFile").schema(_FILES).option("recursiveFileLookup", "true")
    # By default a file is passed over that is a week older than the newest one seen, as a copy with its old date may be.
    reader = reader.option("maxFileAge", _ANY_AGE)
    # Without their content, which the source's own reader reads.
    files = reader.load(place).select("path")
    checkpoint = ctx.store.lake.checkpoint(f"{ctx.policy.name}_{name}")
    land = MicroBatch(ctx.policy, ctx.store.lake, name, ctx.run_id, ctx.now, ctx.build)
    writer = files.writeStream.option("checkpointLocation", checkpoint).trigger(availableNow=True)
    try:
        writer.foreachBatch(land).start().awaitTermination()
    except SPARK_ERRORS as error:
        told = _TOLD.search(str(error))
        if told is None or disk_is_full(error):
            raise
        raise ContractError(told[1]) from None

"""Growth by stream: Structured Streaming finds the new files, and every micro-batch lands like any other batch."""

import json
import re
from dataclasses import dataclass, replace
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from kveil.collect.batches import AGAIN
from kveil.collect.collected import memory
from kveil.collect.growing import judged_batch, landed
from kveil.collect.incoming import contract_of, of_found
from kveil.collect.locations import locate
from kveil.collect.readers import FILE, Found, read, stream, unreadable
from kveil.context import Context
from kveil.errors import ContractError
from kveil.log import Progress
from kveil.session import SPARK_ERRORS
from kveil.settings.policy import Policy
from kveil.tables.lake import Lake
from kveil.tables.schema import CONSENT
from kveil.tables.store import TableStore

_TOLD = re.compile(r"kveil\.errors\.(?:ContractError|KveilError): (sources\.[^\n]+)")


@dataclass(frozen=True)
class MicroBatch:
    """What lands one micro-batch. It holds plain values alone: on Spark Connect it is pickled and runs beside the server."""

    policy: Policy
    lake: Lake
    source: str
    schema: StructType
    texts: bool
    checkpoint: str
    run_id: str
    now: datetime
    build: str

    def __call__(self, rows: DataFrame, number: int) -> None:
        """Lands the rows, unless they are there: after a kill the stream brings a micro-batch again."""
        store = TableStore(rows.sparkSession, self.lake)
        ctx = Context(self.policy, store, self.run_id, self.now, Progress(), self.build, "collect")
        done = [row for row in memory(ctx, self.source, "done") if row["way"] == "stream"]
        stream_id = _stream_id(ctx, self.checkpoint)
        if any((row["stream"], row["version"]) == (stream_id, number) for row in done):
            return
        # A lost checkpoint brings every file again; those that landed are known by their paths.
        known = {row["path"] for row in memory(ctx, self.source, "done") if row["path"]}
        files = sorted({row[FILE] for row in rows.select(FILE).distinct().collect()} - known)
        units = [{"path": file, "stream": stream_id, "version": number} for file in files]
        if not units:
            return
        source = contract_of(ctx, self.source)
        one = of_found(self.source, source, (), Found(rows.where(F.col(FILE).isin(files)), self.schema, self.texts))
        one = replace(one, rows=one.rows.withColumn(AGAIN, F.lit(False)))
        decisions = store.read(CONSENT.of(self.policy))
        with ctx.step(f"stream {self.source}, batch {number}") as note:
            note.rows(landed(ctx, judged_batch(ctx, one, decisions, "stream", units), decisions))


def stream_in(ctx: Context, name: str) -> None:
    """Lands all files that a source grown by stream has not brought yet, and stops; other sources are left alone."""
    source = contract_of(ctx, name)
    if source.incremental is None or source.incremental.by != "stream":
        return
    files = locate(ctx.spark, name, source, may_be_empty=True)
    if not files:
        return
    found = read(ctx.spark, name, source, files)
    place = ctx.store.lake.checkpoint(f"{ctx.policy.name}_{name}")
    land = MicroBatch(
        ctx.policy, ctx.store.lake, name, found.schema, found.texts, place, ctx.run_id, ctx.now, ctx.build
    )  # fmt: skip
    writer = stream(ctx.spark, source, found.schema, files).writeStream.option("checkpointLocation", place)
    try:
        writer.trigger(availableNow=True).foreachBatch(land).start().awaitTermination()
    except SPARK_ERRORS as error:
        told = _TOLD.search(str(error))
        raise (ContractError(told[1]) if told else unreadable(name, source)) from None


def _stream_id(ctx: Context, checkpoint: str) -> str:
    """The id that the checkpoint gives the stream; another checkpoint is another stream, which counts from 0 again."""
    row = ctx.spark.read.text(f"{checkpoint}/metadata").first()
    return str(json.loads(row["value"])["id"]) if row else ""

"""What collect remembers of sources that grow: which batches are in the raw zone, and whose rows were taken."""

from kveil.tables.common import AT, POLICY, RUN
from kveil.tables.declaration import NOBODY, Column, Personal, Table

ATTEMPT = Column("attempt", "string", "the try at a batch that wrote the row; null for a source that is read whole")

COLLECTED = Table(
    "restricted",
    "collected",
    "What of a source that grows was collected, batch by batch; a file's name or a watermark may be personal, so restricted.",
    (
        POLICY,
        Column("source", "string", "the source's name"),
        Column("batch", "bigint", "the batch's number, from 1; Delta's transaction version of its commit in the raw table"),
        ATTEMPT,
        Column(
            "state",
            "string",
            "planned until its rows are in the raw table, then done; dropped when another try won; replaced when the source was "
            "read whole later",
        ),
        Column("way", "string", "what told the new rows: file, watermark, version or stream; replay for rows out of quarantine"),
        Column("path", "string", "the file read; null for other ways"),
        Column("bytes", "bigint", "its size"),
        Column("sha256", "string", "its SHA-256"),
        Column("high", "string", "the highest watermark collected so far"),
        Column("cut", "string", "the watermark above which the next batch looks"),
        Column("rows_below", "bigint", "rows of the source at or below cut; what is there later in addition came too late"),
        Column("version", "bigint", "the Delta version read"),
        Column("rows_in", "bigint", "rows of the batch that were read for the first time"),
        Column("rows_quarantined", "bigint", "rows set aside; negative for rows that a replay took out of quarantine"),
        Column("rows_duplicate", "bigint", "rows that repeat another one with the same key, in all columns"),
        Column(
            "rows_not_consented",
            "bigint",
            "rows left out since their person had not consented; negative for rows left out before, whose person now consents",
        ),
        Column("rows_out", "bigint", "rows added to the raw table; rows in are the last four together"),
        RUN,
        AT,
    ),
    personal=NOBODY,
)
COVERED = Table(
    "restricted",
    "{policy}_covered",
    "People whose rows in all collected batches are in the raw zone; who consents anew is not yet among them.",
    (
        Column("source", "string", "the source's name"),
        Column("person", "string", "the privacy unit's id"),
        ATTEMPT,
    ),
    personal=Personal("column", "person"),
)
INCOMING = Table(
    "restricted",
    "{policy}_{source}_incoming",
    "A batch between reading and landing: each row with its fate, without content where it is not to be kept; destroyed after.",
    (
        Column("_kveil_fate", "string", "kept, quarantined, duplicate or not_consented"),
        Column("_kveil_broken", "boolean", "whether the row breaks the contract"),
        Column("_kveil_again", "boolean", "whether the row was read, and left out, before"),
        Column("_kveil_reason", "string", "the rules that it breaks, in words"),
        Column("_kveil_rule", "string", "the same as COLUMN.RULE"),
        Column("_kveil_file", "string", "its file, where known"),
        Column("_kveil_position", "bigint", "its place in the file, where known"),
        Column("_kveil_row", "string", "the row as JSON, where it is to be set aside"),
    ),
    "the source's declared columns, null where the row is not kept",
    personal=Personal("sources", "_kveil_row"),
)

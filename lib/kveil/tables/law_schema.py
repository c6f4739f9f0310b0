"""The tables of law: who stood how, who was erased, what grew too old; part of the schema, which names them with all others."""

from kveil.tables.common import AT, BUILD, POLICY, RUN
from kveil.tables.declaration import NOBODY, Column, Personal, Table

_REQUEST = Column("request", "string", "the request's id, random")

LAW_LOG = Table(
    "control",
    "law_log",
    "How many people stood how at a collect, by regulation.",
    (
        POLICY,
        BUILD,
        Column("regulation", "string", "the regulation of their jurisdiction; strictest where that is unknown or not single"),
        Column("outcome", "string", "used, refused or withdrawn, no grant, minor, or erased, by the policy's own basis"),
        Column("people", "bigint", "people of whom this is known"),
        RUN,
        AT,
    ),
)
ERASED = Table(
    "restricted",
    "{policy}_erased",
    "Who must not come back with an old file: keyed hashes of erased ids, with a key that never leaves the restricted zone.",
    (
        Column("person_hash", "string", "HMAC-SHA-256 of the id"),
        _REQUEST,
        Column("requested_at", "timestamp", "when the erasure was asked for, UTC"),
    ),
    personal=NOBODY,
)
ERASING = Table(
    "restricted",
    "{policy}_erasing",
    "The ids of a request that is not proven yet, so that one that was cut short can be finished; destroyed when it is.",
    (Column("person", "string", "the privacy unit's id"), _REQUEST),
    personal=Personal("column", "person"),
)
ERASURE_LOG = Table(
    "control",
    "erasure_log",
    "Every erasure, state by state: requested, deleted, purged, proven; counts alone.",
    (
        POLICY,
        _REQUEST,
        Column("subject", "string", "HMAC-SHA-256 of the id, where the request is about one person"),
        Column("state", "string", "what was reached: requested, deleted, purged or proven"),
        Column("table", "string", "the table; null on rows about the whole request"),
        Column("version", "bigint", "requested: the table's Delta version that held the rows"),
        Column("people", "bigint", "requested: people of the request with rows in the table; else people of the request"),
        Column("rows", "bigint", "requested: their rows; proven: their rows found in the files that remain, 0 is the promise"),
        Column("files", "bigint", "proven: files that remain and were read; null where the storage shows none"),
        RUN,
        AT,
    ),
)
RETENTION_LOG = Table(
    "control",
    "retention_log",
    "Every run of retain: what was older than its limit and is gone, per table.",
    (
        POLICY,
        Column("table", "string", "the table"),
        Column("aged_by", "string", "the column that a row's age counts from; null where the policy names none"),
        Column("days", "int", "the limit"),
        Column("before", "timestamp", "rows with an earlier time were deleted, UTC"),
        Column("rows_deleted", "bigint", "how many"),
        Column("rows_without_time", "bigint", "rows whose age is unknown; they stay"),
        Column("rows_left", "bigint", "rows that stay"),
        RUN,
        AT,
    ),
)

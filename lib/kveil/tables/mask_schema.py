"""The tables of masks: who asked for what stands behind a token, and which tokens were moved to another key."""

from kveil.tables.common import AT, POLICY, RELEASE_ID, RUN
from kveil.tables.declaration import Column, Table

REVEAL_LOG = Table(
    "control",
    "reveal_log",
    "Every question for the value behind a token, written before it is answered; neither value nor token.",
    (
        POLICY,
        RELEASE_ID,
        Column("column", "string", "the encrypted column"),
        Column("token_hash", "string", "HMAC-SHA-256 of the token, with a key of the restricted zone: tells equal questions"),
        Column("reason", "string", "the reason that was given"),
        Column("actor", "string", "the user of the Spark session"),
        Column("key_version", "int", "the version of the key"),
        RUN,
        AT,
    ),
)
KEY_ROTATIONS = Table(
    "control",
    "key_rotations",
    "Every release whose tokens were moved to another key, with the evidence that the old ones are gone.",
    (
        POLICY,
        RELEASE_ID,
        Column("from_version", "int", "the key's version before"),
        Column("to_version", "int", "the key's version since"),
        Column("columns", "string", "the columns that were moved, comma-separated"),
        Column("rows", "bigint", "the release's rows, the same before and after"),
        Column("version", "bigint", "the released table's Delta version since"),
        Column(
            "old_files_left", "bigint", "data files with old tokens that remain; 0 is the promise; null where none can be seen"
        ),
        RUN,
        AT,
    ),
)

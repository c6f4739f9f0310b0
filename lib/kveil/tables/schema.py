"""Every table and every column that kveil writes, declared once.

A table's name may hold {policy}, {source}, {table}, {release} and {aggregate}; columns that come from the policy are not listed
here but named by the table's `more`. docs/tables.md is generated from this file.
"""

from kveil.tables import ledger_schema
from kveil.tables.aggregate_schema import AGGREGATE as AGGREGATE
from kveil.tables.aggregate_schema import AGGREGATE_GROUPS as AGGREGATE_GROUPS
from kveil.tables.aggregate_schema import AGGREGATE_SECRET as AGGREGATE_SECRET
from kveil.tables.aggregate_schema import AGGREGATES as AGGREGATES
from kveil.tables.clean_schema import CLEANED_CELLS as CLEANED_CELLS
from kveil.tables.clean_schema import FACTS as FACTS
from kveil.tables.clean_schema import ONCE as ONCE
from kveil.tables.clean_schema import PEOPLE as PEOPLE
from kveil.tables.clean_schema import PEOPLE_PAIRS as PEOPLE_PAIRS
from kveil.tables.clean_schema import QUALITY_METRICS as QUALITY_METRICS
from kveil.tables.clean_schema import REPAIRED as REPAIRED
from kveil.tables.clean_schema import REPAIRED_IN_TURN as REPAIRED_IN_TURN
from kveil.tables.clean_schema import SUGGESTIONS as SUGGESTIONS
from kveil.tables.collect_schema import ATTEMPT as _ATTEMPT
from kveil.tables.collect_schema import COLLECTED as COLLECTED
from kveil.tables.collect_schema import COVERED as COVERED
from kveil.tables.collect_schema import INCOMING as INCOMING
from kveil.tables.common import AT as _AT
from kveil.tables.common import BUILD as _BUILD
from kveil.tables.common import POLICY as _POLICY
from kveil.tables.common import RELEASE_ID as _RELEASE
from kveil.tables.common import RUN as _RUN
from kveil.tables.declaration import NOBODY, OF_SOURCES, REMADE, Column, Personal, Table
from kveil.tables.law_schema import ERASED as ERASED
from kveil.tables.law_schema import ERASING as ERASING
from kveil.tables.law_schema import ERASURE_LOG as ERASURE_LOG
from kveil.tables.law_schema import LAW_LOG as LAW_LOG
from kveil.tables.law_schema import RETENTION_LOG as RETENTION_LOG
from kveil.tables.mask_schema import KEY_ROTATIONS as KEY_ROTATIONS
from kveil.tables.mask_schema import REVEAL_LOG as REVEAL_LOG
from kveil.tables.model_schema import BASELINES as BASELINES
from kveil.tables.model_schema import DEPLOYMENTS as DEPLOYMENTS
from kveil.tables.model_schema import FEATURES as FEATURES
from kveil.tables.model_schema import MODELS as MODELS
from kveil.tables.model_schema import PREDICTIONS as PREDICTIONS
from kveil.tables.model_schema import SCORES as SCORES
from kveil.tables.model_schema import UTILITY_METRICS as UTILITY_METRICS
from kveil.tables.profile_schema import PROFILE_COLUMNS as PROFILE_COLUMNS
from kveil.tables.profile_schema import PROFILE_DEPENDENCIES as PROFILE_DEPENDENCIES
from kveil.tables.profile_schema import PROFILE_VALUES as PROFILE_VALUES

RAW_ROW = "kveil_row"
"""In a raw table, where columns were not collected: a keyed number that tells rows apart as those columns did."""

MALFORMED = "_kveil_malformed"
"""Of a text format: the line, where it is no record or has more or fewer fields than the header; else null."""

RAW = Table(
    "raw",
    "{policy}_{source}",
    "Source rows that fit the contract, of people who may be used.",
    (),
    f"the source's used columns, and {RAW_ROW} where others were left out, a keyed number that tells rows apart as they did",
    OF_SOURCES,
)
LANDING = Table(
    "restricted",
    "{policy}_{source}_landing",
    "A database's rows as they were fetched, while collect works on them; destroyed at its end.",
    (),
    "the source's declared columns",
    REMADE,
)
CONSENT = Table(
    "restricted",
    "{policy}_consent",
    "How each person stood at the time of the run: latest known decision for the policy's purpose, regulation, and what follows.",
    (
        Column("person", "string", "the privacy unit's id"),
        Column("decision", "string", "grant, refuse or withdraw; null where the person never decided"),
        Column("basis", "string", "the registry's basis of the decision, such as parental_consent"),
        Column("decided_at", "timestamp", "from when the decision holds, UTC"),
        Column("recorded_at", "timestamp", "since when it is known, UTC"),
        Column("regulation", "string", "the regulation of the person's jurisdiction; strictest where that is unknown"),
        Column("allows", "array<string>", "what a legal basis may ask for the rows to be used: consent, objection, nothing"),
        Column("outcome", "string", "by the policy's own basis: used, refused or withdrawn, no grant, minor"),
        Column("simulated", "boolean", "true when the registry was made up because the data carries none"),
    ),
    personal=Personal("column", "person"),
)
QUARANTINE = Table(
    "restricted",
    "quarantine",
    "Rows that were set aside, with the reason; personal, so restricted.",
    (
        _POLICY,
        Column("stage", "string", "collect or clean"),
        Column("source", "string", "the source's name"),
        Column("reason", "string", "the column and rule that the row broke, without its value"),
        Column("rule", "string", "the same as COLUMN.RULE, comma-separated; null for rows of clean"),
        Column("person", "string", "the privacy unit's id, where the row has one; null for rows of clean"),
        Column("file", "string", "the file that the row is from, where known"),
        Column("position", "bigint", "its place among the file's rows, from 1; known for Parquet"),
        _ATTEMPT,
        Column("row", "string", "the row as JSON"),
    ),
    personal=Personal("json", "row"),
)
KEYS = Table(
    "restricted",
    "keys",
    "Secret keys of keyed hashes, made once per lake; HMAC pads are kept so that no plan holds a key as text.",
    (
        Column("name", "string", "what the key is for"),
        Column("inner", "binary", "the key xor HMAC's inner pad"),
        Column("outer", "binary", "the key xor HMAC's outer pad"),
    ),
    personal=NOBODY,
)
PROVENANCE = Table(
    "control",
    "provenance",
    "Which files a raw table was made of, and what became of their rows.",
    (
        _POLICY,
        _BUILD,
        Column("source", "string", "the source's name"),
        Column("uri", "string", "the address in the policy"),
        Column(
            "path",
            "string",
            "the file read, a shape below the policy's address; of Delta table@vVERSION, of a database address and table",
        ),
        Column("bytes", "bigint", "the file's size; 0 where nothing tells it"),
        Column("sha256", "string", "the file's SHA-256; of Delta that of table id and version; empty of a database"),
        Column("rows_in", "bigint", "rows read from all files of the source"),
        Column("rows_quarantined", "bigint", "rows of the source that broke the contract"),
        Column("rows_duplicate", "bigint", "rows of the source that repeat another one with the same key, in all columns"),
        Column("rows_not_consented", "bigint", "rows of the source whose person had not consented"),
        Column("rows_out", "bigint", "rows of the source that went to the raw zone; rows in are these four together"),
        Column("rows_withdrawn", "bigint", "earlier rows that left the raw zone, since their person consents no longer"),
        Column("rows_late", "bigint", "rows that came later than lateness allows and were not read; null if not known"),
        Column("batch", "bigint", "the batch of a source that grows; null for one that is read whole"),
        Column(
            "ignored_columns",
            "string",
            "how many columns of the file the policy does not declare, and how they look: their names are data",
        ),
        Column("simulated_consent", "boolean", "true when consent was simulated"),
        _RUN,
        _AT,
    ),
)
CLEANING_LOG = Table(
    "control",
    "cleaning_log",
    "Every cleaning rule with its counts before and after.",
    (
        _POLICY,
        _BUILD,
        Column("step", "int", "the rule's place in the order of application"),
        Column("source", "string", "the table the rule was applied to"),
        Column("rule", "string", "what the rule does, in words"),
        Column("rows_before", "bigint", "rows before the rule"),
        Column("rows_after", "bigint", "rows after the rule"),
        Column("cells_changed", "bigint", "cells whose value the rule changed"),
        Column(
            "rows_touched", "bigint", "rows in which the rule's column differs in the end; null for rules that count cells alone"
        ),
        Column("samples", "array<string>", "up to three changes, letters and digits masked; null where none were kept"),
        _RUN,
        _AT,
    ),
)
CLEAN = Table(
    "clean",
    "{policy}_{table}",
    "One row per base row: joined, corrected, in cents, with label, history and split.",
    (
        Column("date", "date", "day of the policy's time column, UTC"),
        Column("month", "string", "yyyy-MM of date"),
        Column("split", "string", "train or holdout; each person is in exactly one"),
    ),
    "the columns of base and joined sources, buckets, money, history and derive",
    personal=OF_SOURCES,
)
BUDGET_LEDGER, BUDGET_AUDIT = ledger_schema.BUDGET_LEDGER, ledger_schema.BUDGET_AUDIT
STAGING = Table(
    "restricted",
    "{policy}_staging",
    "A release before it is published, still with its person; destroyed after publication.",
    (
        Column("kveil_person", "string", "the privacy unit, for re-measuring only"),
        Column("kveil_tree", "binary", "the frozen generalizer of a partition, on one row each; null on data rows"),
        Column("kveil_suppressed", "boolean", "true for rows without quasi-identifiers; only where the policy suppresses cells"),
    ),
    "the release's columns",
    personal=REMADE,
)
RELEASE_SECRET = Table(
    "restricted",
    "{policy}_release_secret",
    "What a release's noise is a function of, so that a run that was cut short draws the same; destroyed with the link.",
    (_RELEASE, Column("secret", "binary", "32 random bytes")),
    personal=NOBODY,
)
FREQUENCIES = Table(
    "restricted",
    "{policy}_frequencies",
    "The distinct combinations of codes and people of a full-domain release; destroyed with the link.",
    (
        Column("kveil_partition", "string", "the partition's values as JSON"),
        Column("kveil_person", "bigint", "hash of the privacy unit; two people of one hash count as one"),
        Column("rows", "bigint", "clean rows of the combination"),
    ),
    "partition columns, code_0, code_1, ... of the quasi-identifiers, value_0, ... as hashes of the sensitive columns",
    personal=REMADE,
)
CANDIDATE = Table(
    "restricted",
    "{policy}_candidate",
    "The rows to be published, checked against staging; destroyed after publication.",
    (),
    "the release's columns",
    personal=REMADE,
)
TRAJECTORIES = Table(
    "restricted",
    "{policy}_trajectories",
    "People's histories while those that could be recognised are thinned out; destroyed when that is done.",
    (
        Column("kveil_person", "string", "the privacy unit"),
        Column("point", "string", "a released row's values of the policy's points, as JSON"),
        Column("value", "string", "a sensitive value of the person's rows there, as JSON; null where none is asked"),
    ),
    personal=REMADE,
)
RELEASE = Table(
    "release",
    "{policy}_{release}",
    "The released rows: every class holds at least k people, amounts carry noise, no person and no way back.",
    (),
    "partition columns (null on rows released without cells); per quasi-identifier NAME what the policy asks of a label NAME, "
    "a representative NAME_rep and, for numbers and dates, bounds NAME_lo and NAME_hi; sensitive, noisy, masked and insensitive "
    "columns",
)
GENERALIZER = Table(
    "release",
    "{policy}_{release}_generalizer",
    "Per partition the frozen tree that generalizes a new row as the release did.",
    (
        _RELEASE,
        Column("partition", "string", "the partition's values as JSON"),
        Column("tree", "binary", "numpy archive of the tree and its classes"),
    ),
)
RELEASES = Table(
    "control",
    "releases",
    "One row per publication, with the evidence that the link to people is gone.",
    (
        _RELEASE,
        _POLICY,
        Column("purpose", "string", "what the release may be used for"),
        Column("table", "string", "the released table"),
        Column("version", "bigint", "its Delta version"),
        Column("k", "int", "people that every class was asked to hold"),
        Column("rows_in", "bigint", "rows before"),
        Column("rows_released", "bigint", "rows published"),
        Column("rows_suppressed", "bigint", "rows that could not be made safe"),
        Column("smallest_class", "bigint", "people in the smallest class, re-measured"),
        Column("epsilon", "decimal(18,9)", "privacy loss of one row"),
        Column("parent", "string", "the release that this one extends; null for one that was made as a whole"),
        Column("guarantee", "string", "hash of what is promised; releases that promise the same can grow into one another"),
        Column("link_files_left", "bigint", "data files of staging and candidate that remain; 0 is the promise"),
        _RUN,
        _AT,
    ),
)
RELEASE_SLICES = Table(
    "control",
    "release_slices",
    "Which slices (rows that agree in the partition columns without the split) each release added.",
    (
        _POLICY,
        _RELEASE,
        Column("slice", "string", "the slice's values as JSON"),
        Column("rows", "bigint", "its clean rows when it was released"),
        Column("mark", "string", "keyed hash of its clean rows, with a key that never leaves the restricted zone"),
        Column("changed", "boolean", "true when its clean rows were later found to be others; it stays as published"),
        _RUN,
        _AT,
    ),
)
PRIVACY_METRICS = Table(
    "control",
    "privacy_metrics",
    "What was measured of a release's privacy, against which threshold.",
    (
        _POLICY,
        _RELEASE,
        Column(
            "measured_on", "string", "staging (with people), release (published rows) or clean (through the frozen generalizer)"
        ),
        Column("metric", "string", "the measure's name"),
        Column("scope", "string", "the column or size range measured; empty for the whole table"),
        Column("value", "double", "the measured value"),
        Column("threshold", "double", "what the policy demands, if it does"),
        Column("met", "boolean", "whether it does"),
        _RUN,
        _AT,
    ),
)
REPORTS = Table(
    "control",
    "reports",
    "Every report written.",
    (
        _POLICY,
        _BUILD,
        _RELEASE,
        Column("path", "string", "the HTML file, relative to the lake"),
        Column("sha256", "string", "its SHA-256"),
        _RUN,
        _AT,
    ),
)
RUN_LOG = Table(
    "control",
    "run_log",
    "Every stage of every run: what it read and wrote, and how it ended.",
    (
        _RUN,
        _POLICY,
        Column("policy_hash", "string", "hash of the whole policy"),
        Column("stage", "string", "the stage's name"),
        Column("outcome", "string", "done, up to date, refused, failed or, for collect, replayed"),
        _BUILD,
        Column("reads", "map<string,bigint>", "Delta version of each table read"),
        Column("writes", "map<string,bigint>", "Delta version of each table written"),
        Column("rows_in", "bigint", "rows read"),
        Column("rows_out", "bigint", "rows written"),
        Column("balance", "string", "collect: where the rows went that were read, as a sum; else null"),
        Column("seconds", "double", "duration"),
        Column("valid_until", "timestamp", "when time alone makes the result stale (a consent decision takes effect); else null"),
        Column("message", "string", "one sentence for a failure or refusal"),
        Column("code_version", "string", "kveil's version"),
        _AT,
    ),
)

TABLES: tuple[Table, ...] = (
    RAW, LANDING, CONSENT, QUARANTINE, COLLECTED, COVERED, INCOMING, KEYS, PROVENANCE, CLEAN, CLEANING_LOG, CLEANED_CELLS,
    SUGGESTIONS, QUALITY_METRICS, PEOPLE, PEOPLE_PAIRS, REPAIRED, REPAIRED_IN_TURN, ONCE, FACTS, BUDGET_LEDGER,
    BUDGET_AUDIT, STAGING, RELEASE_SECRET, FREQUENCIES, CANDIDATE, TRAJECTORIES, RELEASE, GENERALIZER, RELEASES, RELEASE_SLICES,
    PRIVACY_METRICS, FEATURES, PREDICTIONS, MODELS, BASELINES, UTILITY_METRICS, DEPLOYMENTS, SCORES, REPORTS, RUN_LOG, AGGREGATE,
    AGGREGATES, AGGREGATE_GROUPS, AGGREGATE_SECRET, LAW_LOG, ERASED, ERASING, ERASURE_LOG, RETENTION_LOG,
    PROFILE_COLUMNS, PROFILE_VALUES, PROFILE_DEPENDENCIES, REVEAL_LOG, KEY_ROTATIONS,
)  # fmt: skip

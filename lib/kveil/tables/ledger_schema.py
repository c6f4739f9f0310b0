"""The tables of the budget ledger; part of the schema, which names them with all others."""

from kveil.tables.common import POLICY, RELEASE_ID, RUN
from kveil.tables.declaration import Column, Table

_CHARGES = "array<struct<mechanism:string,what:string,epsilon_nano:bigint,delta:string,rho:string>>"
_STEPS = (
    "array<struct<sequence:bigint,state:string,at:timestamp,actor:string,run_id:string,policy:string,"
    "cap_epsilon:decimal(18,9),cap_delta:decimal(38,30),output_version:bigint>>"
)
_ENTRIES = (
    "array<struct<release_id:string,request:string,state:string,epsilon:decimal(18,9),delta:decimal(38,30),rho:decimal(38,18),"
    f"charges:{_CHARGES},slices:array<string>,source_versions:map<string,bigint>,output_version:bigint,steps:{_STEPS}>>"
)
_ACCOUNT = Column("account", "string", "data set/unit/recipient")
BUDGET_LEDGER = Table(
    "control",
    "budget_ledger",
    "One row per account: its cap, what was spent, and the releases it was spent on, booked before their noise was drawn.",
    (
        _ACCOUNT,
        Column("data_set", "string", "whose people: the policy's name, or the one that several policies share"),
        Column("unit", "string", "what a loss is counted for: row (its noisy values) or person (all rows of one)"),
        Column("recipient", "string", "who gets the releases"),
        Column("person", "string", "the column that names a person"),
        Column("cap_epsilon", "decimal(18,9)", "the cap at the last change, per period where there is one"),
        Column("cap_delta", "decimal(38,30)", "the same of delta"),
        Column("period", "string", "month, quarter or year; null where the cap is for all time"),
        Column("spent_epsilon", "decimal(18,9)", "spent since the beginning; by row: on the slices that cost most"),
        Column("spent_delta", "decimal(38,30)", "the same of delta"),
        Column("spent_rho", "decimal(38,18)", "the same of rho, for information"),
        Column("sequence", "bigint", "number of changes; every change names the one before it, so only one can be next"),
        Column("head", "string", "hash of the audit's last line"),
        Column("audited", "bigint", "lines known to be in the audit when the row was last changed"),
        Column(
            "entries", _ENTRIES, "one per release: request, cost, slices (null: all rows), versions, state and every step to it"
        ),
    ),
)
BUDGET_SOURCES = Table(
    "control",
    "budget_sources",
    "Which sources the people of a data set come from, as hashes, so that a second account over the same people is told of.",
    (
        Column("data_set", "string", "whose account it is"),
        POLICY,
        Column("source", "string", "hash of a source's place and of the column that names a person in it"),
    ),
)
BUDGET_AUDIT = Table(
    "control",
    "budget_audit",
    "Append-only: one line per change of an account, each with the hash of the one before; kveil budget --verify checks it.",
    (
        _ACCOUNT,
        Column("sequence", "bigint", "1, 2, 3, ... per account without gaps: this, not the time, is the order"),
        Column("state", "string", "what the release became: reserved, drawn, committed or cancelled"),
        RELEASE_ID,
        Column("request", "string", "hash of charges and slices"),
        Column("epsilon", "decimal(18,9)", "the release's cost"),
        Column("delta", "decimal(38,30)", "the same of delta"),
        Column("rho", "decimal(38,18)", "the same of rho"),
        Column("charges", "string", "the mechanisms with their exact costs, as JSON"),
        Column("slices", "array<string>", "slices whose rows may have been given noise; null stands for all rows"),
        Column("source_versions", "string", "Delta version of each table read, as JSON"),
        Column("output_version", "bigint", "the release's Delta version, once committed"),
        Column("cap_epsilon", "decimal(18,9)", "the policy's cap then"),
        Column("cap_delta", "decimal(38,30)", "the same of delta"),
        Column("at", "timestamp", "the clock then, UTC; clocks differ, so neighbours may be a little out of order"),
        Column("actor", "string", "the user of the session"),
        RUN,
        POLICY,
        Column("previous", "string", "hash of the line before; zeros on the first"),
        Column("hash", "string", "SHA-256 of the line without this column, as JSON with sorted keys, nulls left out"),
    ),
)

"""What cleaning remembers besides its result: decisions, old values, expectations, and its working tables."""

from kveil.tables.common import AT, BUILD, POLICY, RUN
from kveil.tables.declaration import REMADE, Column, Personal, Table

CLEANED_CELLS = Table(
    "restricted",
    "{policy}_cleaned_cells",
    "What each cell that the recipe changed held before, where the policy keeps it (clean.keep_old_values).",
    (
        BUILD,
        Column("source", "string", "the source's name"),
        Column("person", "string", "the privacy unit's id, where the source has one"),
        Column("key", "string", "the row's key columns as JSON; {} where the source declares none"),
        Column("column", "string", "the column"),
        Column("old", "string", "the value before, as text"),
        Column("new", "string", "the value after, as text"),
        RUN,
        AT,
    ),
    personal=Personal("column", "person"),
)
SUGGESTIONS = Table(
    "control",
    "suggestions",
    "Which steps of a policy's recipe were accepted or refused; they shift the confidence of the like next time.",
    (
        POLICY,
        Column("source", "string", "the source's name"),
        Column("column", "string", "the column"),
        Column("step", "string", "the kind of step"),
        Column("way", "string", "the key by which a merge merges, what a cast or standard makes; empty for other steps"),
        Column("accepted", "boolean", "whether it was accepted"),
        Column("confidence", "double", "what was suggested; null for a step that a person wrote"),
        RUN,
        AT,
    ),
)
PEOPLE = Table(
    "restricted",
    "{policy}_people",
    "Who is registered several times, and under which id the person stays (clean.people); others are not here.",
    (
        Column("person", "string", "a registration's id"),
        Column("survivor", "string", "the id that stands for all registrations of the person"),
    ),
    personal=Personal("column", "person"),
)
PEOPLE_PAIRS = Table(
    "restricted",
    "{policy}_people_pairs",
    "Why two registrations are taken for one person's, column by column.",
    (
        Column("person", "string", "one registration's id"),
        Column("other", "string", "the other one's"),
        Column("probability", "double", "that both are one person's"),
        Column("weight", "double", "log2 of the odds"),
        Column("weights", "map<string,double>", "which part of the weight each column gives; negative speaks against"),
    ),
    personal=Personal("column", "person"),
)
REPAIRED = Table(
    "restricted",
    "{policy}_{source}_repaired",
    "A source's rows after a pass of repairs; destroyed when the clean table is written.",
    (),
    "the source's columns and, as _kveil_before_NAME, what they held before the pass",
    REMADE,
)
REPAIRED_IN_TURN = Table(
    "restricted",
    "{policy}_{source}_repaired_in_turn",
    "The same of every second pass, since a pass reads what the one before it wrote.",
    (),
    "the source's columns and, as _kveil_before_NAME, what they held before the pass",
    REMADE,
)
ONCE = Table(
    "restricted",
    "{policy}_{source}_once",
    "Rows of people who seem to have one twice, each once; destroyed when the clean table is written.",
    (),
    "the source's columns",
    REMADE,
)
FACTS = Table(
    "restricted",
    "{policy}_{source}_facts",
    "What each value says of the rest of its row; destroyed when the clean table is written.",
    (
        Column("column", "string", "the column"),
        Column("value", "string", "the value, as text"),
        Column("cells", "bigint", "cells with the value"),
        Column("meant", "string", "what it is a misspelling of; else null"),
        Column("trust", "double", "how far misspellings of the column can be trusted, in [0, 1]"),
        Column(
            "votes",
            "map<string,struct<told:string,weight:double,cells:bigint>>",
            "per column that this one tells: the value of most rows, its lead in those rows, its cells in all",
        ),
    ),
    personal=REMADE,
)
QUALITY_METRICS = Table(
    "control",
    "quality_metrics",
    "What was expected of the clean table, and what was found.",
    (
        POLICY,
        BUILD,
        Column("place", "int", "the expectation's place in clean.expect, from 0"),
        Column("column", "string", "the column; null for what is expected of the whole table"),
        Column("rule", "string", "not_null, unique, in_set, between, matches, referential, row_count_between or freshness"),
        Column("expected", "string", "what the policy asks, in words"),
        Column("rows", "bigint", "rows looked at"),
        Column("failed", "bigint", "rows that do not meet it; 0 or 1 for the whole table"),
        Column("share", "double", "failed by rows"),
        Column("allowed", "double", "the share that the policy tolerates"),
        Column("severity", "string", "warn or fail"),
        Column("met", "boolean", "whether it is met"),
        RUN,
        AT,
    ),
)

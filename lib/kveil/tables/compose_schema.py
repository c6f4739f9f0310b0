"""What is kept of every release so that later ones can be compared with it: its classes' sizes and its trees."""

from kveil.tables.common import AT, POLICY, RELEASE_ID, RUN
from kveil.tables.declaration import NOBODY, REMADE, Column, Table

RELEASE_CLASSES = Table(
    "restricted",
    "release_classes",
    "How many rows and people each class of a release held; no link to anybody, but counts of few people.",
    (
        POLICY,
        RELEASE_ID,
        Column("class", "bigint", "hash of the class's partition and its number there"),
        Column("rows", "bigint", "clean rows behind the class when it was released"),
        Column("people", "bigint", "people behind these rows"),
        Column("mark", "string", "keyed hash of these rows: it is another one when a row or a value came, left or changed"),
        RUN,
        AT,
    ),
    personal=NOBODY,
)
RELEASE_TREES = Table(
    "restricted",
    "release_trees",
    "The frozen trees of every release: which row would have stood in which of its classes.",
    (
        POLICY,
        RELEASE_ID,
        Column("partition", "string", "the partition's values as JSON"),
        Column("tree", "binary", "numpy archive of the tree and its classes"),
        RUN,
        AT,
    ),
    personal=NOBODY,
)
PUBLISHED_AGAIN = Table(
    "restricted",
    "{policy}_published_again",
    "Classes that a release shows as an earlier one did, since their rows changed.",
    (
        RELEASE_ID,
        Column("class", "bigint", "as in release_classes"),
        Column("rows", "bigint", "rows of the class as published"),
        Column("people", "bigint", "people behind these rows when they were first published"),
        Column("mark", "string", "the class's mark at that time"),
        Column("rows_now", "bigint", "clean rows that fit the class now"),
    ),
    "the columns by which the release shows a class",
    personal=NOBODY,
)
COMPARED = Table(
    "restricted",
    "{policy}_compared",
    "The clean rows beside the class that each has in earlier releases, while a new one is compared; destroyed with the link.",
    (Column("kveil_mark", "bigint", "a keyed number that tells the row from others"),),
    "the clean columns that the release reads; kveil_before_0, ...: the class in each earlier release, null where it has none",
    personal=REMADE,
)
TRIED = Table(
    "restricted",
    "{policy}_tried",
    "The classes that a release would have, before anything is booked or drawn; destroyed with the link.",
    (
        Column("kveil_person", "string", "the privacy unit"),
        Column("kveil_tree", "binary", "the frozen generalizer of a partition, on one row each; null on data rows"),
        Column("kveil_class", "bigint", "the class's number in its partition"),
    ),
    "partition and sensitive columns; kveil_before_0, ... as in {policy}_compared",
    personal=REMADE,
)
OVERLAPS = Table(
    "restricted",
    "{policy}_overlaps",
    "People in each overlap of a release's classes with those of earlier ones; destroyed with the link.",
    (
        Column("cell", "bigint", "hash of the classes that overlap"),
        Column("class", "bigint", "the new class, as in release_classes; null where the rows are in none"),
        Column("rows", "bigint", "rows in the overlap"),
        Column("people", "bigint", "people behind these rows"),
        Column("held", "boolean", "whether its rows are held back"),
    ),
    "kveil_before_0, ...: the class in each earlier release, null where the rows have none",
    personal=REMADE,
)

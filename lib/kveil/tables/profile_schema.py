"""The tables of a profile: what columns hold, counted and described; part of the schema, which names them with all others."""

from kveil.tables.common import AT, POLICY, RUN
from kveil.tables.declaration import Column, Table

_PROFILED = Column("table", "string", "the table that was profiled, such as raw.bank_customers")

PROFILE_COLUMNS = Table(
    "control",
    "profile_columns",
    "One row per column of each profiled table; nobody's value: quantiles are rounded, and of tables with many people alone.",
    (
        POLICY,
        _PROFILED,
        Column("version", "bigint", "its Delta version then"),
        Column("position", "int", "the column's place in the table, from 1"),
        Column("column", "string", "the column"),
        Column("type", "string", "its SQL type"),
        Column("semantic", "string", "its semantic type, such as iban, birth_date, category"),
        Column("role", "string", "the role that this suggests: direct, quasi, sensitive, insensitive, person, record or text"),
        Column("confidence", "double", "how sure both are, from 0 to 1"),
        Column("proven", "boolean", "true where values show it, not the column's name alone"),
        Column("evidence", "string", "why, in words, without any value"),
        Column(
            "date_pattern", "string", "how days are written in texts; two patterns with | between, where values do not tell which"
        ),
        Column("rows", "bigint", "rows of the table"),
        Column("missing", "bigint", "rows without a value"),
        Column("blank", "bigint", "texts of nothing but blanks"),
        Column("distinct", "bigint", "distinct values, estimated (HyperLogLog, standard error 1.6 %)"),
        Column("longest", "bigint", "characters of the longest text"),
        Column("mean", "double", "of numbers, rounded to three digits"),
        Column("quantiles", "array<string>", "5, 25, 50, 75, 95 % of numbers, rounded to three digits, and of dates, to months"),
        Column("outliers", "double", "share of sampled numbers over three interquartile ranges beyond the quartiles"),
        Column("alone", "double", "share of sampled values that stand in one row"),
        Column("association", "double", "with the label in the sample: Cramer's V without bias, 0 to 1, numbers in tenths"),
        Column("sampled_rows", "bigint", "rows of the sample that all that is said of it rests on"),
        RUN,
        AT,
    ),
)
PROFILE_VALUES = Table(
    "control",
    "profile_values",
    "What a column's values look like in the sample: frequent values, patterns and a histogram, each shared by >= k people.",
    (
        POLICY,
        _PROFILED,
        Column("column", "string", "the column"),
        Column("kind", "string", "value, pattern (A capital, a letter, 9 digit) or bin (of numbers, from 5 % to 95 %)"),
        Column("rank", "int", "place by rows, from 1; of bins from the lowest"),
        Column("shown", "string", "the value, pattern or range; null: all others, and what fewer than k people share"),
        Column("rows", "bigint", "rows of the sample; null for a bin of fewer than k people"),
        Column("share", "double", "of the sample's rows with a value"),
        RUN,
        AT,
    ),
)
PROFILE_DEPENDENCIES = Table(
    "control",
    "profile_dependencies",
    "What columns tell of each other in the sample: candidate keys and approximate functional dependencies.",
    (
        POLICY,
        _PROFILED,
        Column("kind", "string", "key or dependency"),
        Column("columns", "array<string>", "the columns that tell"),
        Column("told", "string", "the column that follows from them; null for a key"),
        Column("confidence", "double", "share of supporting rows that agree with most of their group (1 - g3); of a key, 1"),
        Column("support", "bigint", "rows of the sample in groups of two or more, which could have contradicted; of a key, all"),
        RUN,
        AT,
    ),
)

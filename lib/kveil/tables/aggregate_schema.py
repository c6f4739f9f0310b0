"""The tables of aggregates; part of the schema, which names them with all others."""

from kveil.tables.common import AT, POLICY, RELEASE_ID, RUN
from kveil.tables.declaration import NOBODY, REMADE, Column, Table

AGGREGATE = Table(
    "release",
    "{policy}_aggregate_{aggregate}",
    "Statistics of groups under differential privacy: one row per group, measure and item, noise drawn once, no exact value.",
    (
        Column(
            "grouped_by",
            "string",
            "the group columns that the row is for, comma between: all of them, or fewer in a total over the others, which are "
            "null there (no group has a null key)",
        ),
        Column("measure", "string", "the measure's name in the policy"),
        Column("item", "string", "interval, value or share, for histograms, top_k and quantiles; null else"),
        Column("value", "double", "the noisy statistic, in the column's unit; a count below 0 is the noise's"),
        Column("standard_error", "double", "of the noise; what clamping and scaling people down takes away is not in it"),
        Column("lower_95", "double", "from here to upper_95 lies, of 20 such intervals, the statistic without noise in 19"),
        Column("upper_95", "double", "see lower_95; approximate for means, variances and quantiles"),
    ),
    "first the group columns: a period by its first day, any other key as the clean table has it",
)
AGGREGATES = Table(
    "control",
    "aggregates",
    "Every publication of an aggregate: one row per measure and level, with what it cost and how far its values may stray.",
    (
        POLICY,
        RELEASE_ID,
        Column("aggregate", "string", "the aggregate's name in the policy"),
        Column("table", "string", "the published table"),
        Column("version", "bigint", "its Delta version"),
        Column("grouped_by", "string", "the level: the group columns that its groups have, comma between"),
        Column("groups", "bigint", "groups of this level published"),
        Column("mechanism", "string", "discrete laplace or discrete gaussian"),
        Column("epsilon", "decimal(18,9)", "what the whole aggregate costs one person, all rows together"),
        Column("delta", "decimal(38,30)", "the same of delta"),
        Column("rho", "decimal(38,18)", "zCDP loss of the measures, where the mechanism is gaussian"),
        Column("measure", "string", "the measure's name"),
        Column("kind", "string", "count, people, sum, mean, variance, quantiles, histogram or top_k"),
        Column("lower", "bigint", "what lesser values are raised to: public, or bought; null where values are not clamped"),
        Column("upper", "bigint", "what greater values are lowered to"),
        Column("bounds_epsilon", "decimal(18,9)", "what finding lower and upper cost, a part of epsilon; null where public"),
        Column("bound", "string", "what one person may add, and how more than that is bounded"),
        Column("standard_error", "double", "of the last of the totals that it is made of: rows, people, the sum or the squares"),
        Column("standard_error_drawn", "double", "the same before groups and totals were made to add up"),
        RUN,
        AT,
    ),
)
AGGREGATE_GROUPS = Table(
    "restricted",
    "{policy}_aggregate_groups",
    "The unknown groups that the private choice kept, numbered; destroyed when the aggregate is published.",
    (Column("kveil_code", "bigint", "the group's number"),),
    "the unknown group columns",
    personal=REMADE,
)
AGGREGATE_SECRET = Table(
    "restricted",
    "{policy}_aggregate_secret",
    "What aggregates' noise is a function of, so that a run that was cut short draws the same; destroyed after publication.",
    (Column("secret", "binary", "32 random bytes"),),
    personal=NOBODY,
)

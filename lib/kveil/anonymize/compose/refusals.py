"""What a release may not be beside earlier ones, each as one sentence with what can be done."""

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

from kveil.anonymize.compose.comparison import Comparison
from kveil.anonymize.compose.known import Known
from kveil.anonymize.compose.overlaps import HELD, NEW, PEOPLE, ROWS, Verdict
from kveil.context import Context
from kveil.errors import GuaranteeError


def comparable(ctx: Context, found: Sequence[Known], columns: Sequence[str]) -> list[Known]:
    """The releases whose columns the clean table has. One of another policy may be of another table; of one of this policy
    GuaranteeError says that it cannot be compared, unless that is accepted.
    """
    able = [each for each in found if each.trees and set(each.columns) <= set(columns)]
    unable = next((each for each in found if each not in able and each.policy == ctx.policy.name), None)
    if unable is not None and ctx.policy.anonymize.composition != "accept":
        lacking = ", ".join(name for name in unable.columns if name not in columns)
        why = f"the clean table no longer has {lacking}" if lacking else "nothing is kept that tells its classes"
        raise GuaranteeError(
            f"anonymize.composition: the release cannot be compared with {unable.name}, which shows the same people, "
            f"since {why}; {_remedies(unable)}"
        )
    return able


def require_allowed(ctx: Context, verdict: Verdict, made: Comparison, rows_in: int) -> None:
    """GuaranteeError where rows would have to be left out and the policy refuses that, or allows fewer."""
    settings = ctx.policy.anonymize
    row = verdict.cells.agg(
        _sum(ROWS, F.col(HELD) & F.col(NEW).isNotNull()).alias("held"),
        _sum(ROWS, ~F.col(HELD) & F.col(NEW).isNotNull()).alias("kept"),
        _sum(PEOPLE, F.col("kveil_few")).alias("few"),
    ).first()
    assert row is not None  # an aggregation without groups has one row
    kept = int(row["kept"]) + made.again.represented
    share, limit = (rows_in - kept) / rows_in, settings.suppression_limit
    if not row["held"] or (settings.composition == "suppress" and share <= limit and row["kept"]):
        return
    known, left_out = made.known, int(row["held"]) - made.again.represented
    why = f"{share:.1%} of the rows would then be suppressed, where suppression_limit allows {limit:.1%}"
    if settings.composition == "refuse":
        why = "the policy says refuse; suppress leaves them out"
    raise GuaranteeError(
        f"anonymize.composition: beside {_named(known)} this release would show {row['few']:,} people in overlaps or differences "
        f"of fewer than was promised, and {sum(made.changed):,} published classes as they no longer are; {left_out:,} rows would "
        f"have to be left out, and {why}; {_remedies(known[0])}"
    )


def _sum(what: str, where: Column) -> Column:
    return F.coalesce(F.sum(F.when(where, F.col(what))), F.lit(0))


def _named(known: Sequence[Known]) -> str:
    return f"release {known[0].name}" + (f" and {len(known) - 1} more" if len(known) > 1 else "")


def _remedies(known: Known) -> str:
    return (
        "publish only new rows (anonymize.incremental with a column such as month in partition_by), withdraw the earlier release "
        f"(kveil withdraw {known.name} --reason ...), or set anonymize.composition: accept with a composition_reason"
    )

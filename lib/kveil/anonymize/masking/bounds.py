"""Bounds of top and bottom coding that are bought: quantiles of the release's own rows, chosen privately."""

from dataclasses import replace
from decimal import Decimal

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.aggregates.bounds import BoundSearch
from kveil.anonymize.columns import PERSON
from kveil.anonymize.masking.arrow import Masks
from kveil.anonymize.metric import Metric
from kveil.anonymize.secret import release_secret
from kveil.context import Context
from kveil.privacy.randomness import derived_key
from kveil.settings.mask import BoughtTopBottom, TopBottom
from kveil.settings.mask_checks import bought_bounds

LOWER, UPPER = "mask_lower", "mask_upper"


def with_bounds(ctx: Context, release_id: str, rows: DataFrame, masks: Masks) -> Masks:
    """The masks with every bound that they buy found in `rows`, those to be released; they must be booked.

    As long as the release's secret lives, each call finds the same.
    """
    bought = bought_bounds(masks.roles)
    if not bought:
        return masks
    key = derived_key(release_secret(ctx, release_id), "mask bounds", ctx.policy.name, release_id)
    person = F.col(f"`{ctx.policy.person}`")
    with ctx.step("find the bounds of masks") as note:
        of_people = rows.where(person.isNotNull()).select(person.alias(PERSON), *[F.col(f"`{name}`") for name in bought])
        found = {name: _found(of_people, name, role, key) for name, role in bought.items()}
        note.rows(len(found), "columns")
    return replace(masks, roles={**masks.roles, **found})


def _found(rows: DataFrame, name: str, role: BoughtTopBottom, key: bytes) -> TopBottom:
    lower, upper = BoundSearch(rows, role.rows_per_person, key, few_people=False).bounds_of(name, name, role.bounds)
    ends = Decimal(lower), Decimal(upper)
    return TopBottom(technique="top_bottom", lower=ends[0], upper=ends[1], reason=role.reason, linkable=role.linkable)


def bound_metrics(asked: Masks, found: Masks) -> list[Metric]:
    """The bounds that were found: they are paid for, so whoever reads the release's metrics may know them."""
    metrics = []
    for name in bought_bounds(asked.roles):
        role = found.roles[name]
        assert isinstance(role, TopBottom)  # as made above
        for metric, bound in ((LOWER, role.lower), (UPPER, role.upper)):
            assert isinstance(bound, Decimal)
            metrics.append(Metric(metric, float(bound), name))
    return metrics

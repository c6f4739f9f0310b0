"""What an aggregate will cost and how far its values will stray, from the policy alone, before anything is spent."""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from kveil.anonymize.aggregates.checks import check_noise
from kveil.anonymize.aggregates.design import Design, design
from kveil.anonymize.aggregates.total import Total
from kveil.privacy.selection import people_for
from kveil.settings.aggregates import Aggregate
from kveil.settings.anonymize import Anonymize
from kveil.settings.bounds import BoughtBounds
from kveil.settings.mask_checks import bought_bounds
from kveil.settings.measures import Measure

_ROWS = 1000
_SAYS = {"rows": "rows", "people": "groups", "items": "rows", "sum": "units", "square": "squared units"}


def expected(settings: Anonymize) -> Iterator[str]:
    """Lines for a terminal: per aggregate its cost and mechanism, per measure its bound and error; what masks buy."""
    total, delta = Decimal(0), Decimal(0)
    for name, asked in settings.aggregates.items():
        check_noise(name, asked)
        made = design(asked)
        yield f"{name}: {_groups(asked)}, {_cost(asked, made)}"
        yield f"  mechanism: discrete {made.mechanism}, {made.reason}"
        for measure, role in asked.measures.items():
            yield f"  {measure} ({role.kind}): standard error {error_in_words(role, made.of(measure))}"
            yield f"    {bound_in_words(made.of(measure)[-1])}"
            if role.bounds is not None:
                yield f"    {_bounds_in_words(role.bounds)}"
            yield from _levels(asked, made, measure)
        chosen = asked.selection
        total += asked.epsilon + (chosen.epsilon if chosen else 0) + _for_bounds(asked)
        delta += ((asked.delta or 0) if made.mechanism == "gaussian" else 0) + (chosen.delta if chosen else 0)
    for name, mask in bought_bounds(settings.mask).items():
        yield f"mask {name}: epsilon {mask.epsilon.normalize():f} for bounds"
        yield f"  bounds at the shares {_shares(mask.bounds)}; of a person {mask.rows_per_person:,} rows count whole"
        total += mask.epsilon
    if settings.budget is not None and total:
        cap = f"{settings.budget.epsilon.normalize():f}, delta {settings.budget.delta:.3g}"
        yield f"together: epsilon {total.normalize():f}, delta {delta:.3g} per person and data; the budget is {cap}"


def _groups(asked: Aggregate) -> str:
    if asked.selection is None:
        return f"{asked.public_cells:,} public groups"
    groups = asked.contribution.groups
    assert groups is not None  # the settings' condition
    needed = people_for(0.5, groups, Fraction(asked.selection.epsilon), Fraction(asked.selection.delta))
    many = f"{asked.public_cells:,} public groups in each of " if asked.public_cells > 1 else ""
    return f"{many}those unknown groups that are chosen (an even chance with {needed:,} people)"


def _cost(asked: Aggregate, made: Design) -> str:
    parts = [f"epsilon {asked.epsilon.normalize():f}"]
    if made.mechanism == "gaussian":
        parts.append(f"delta {asked.delta:.3g} (rho {float(made.loss):.4g})")
    if asked.selection is not None:
        parts.append(
            f"and epsilon {asked.selection.epsilon.normalize():f}, delta {asked.selection.delta:.3g} for choosing groups"
        )
    if bought := _for_bounds(asked):
        parts.append(f"and epsilon {bought.normalize():f} for bounds")
    return " ".join(parts)


def _for_bounds(asked: Aggregate) -> Decimal:
    return sum((role.bounds.epsilon for role in asked.measures.values() if role.bounds), Decimal(0))


def _bounds_in_words(bounds: BoughtBounds) -> str:
    return f"bounds at the shares {_shares(bounds)}, for which the errors are told; narrower ones make them smaller"


def _shares(bounds: BoughtBounds) -> str:
    low, high = bounds.within
    return f"{bounds.at[0].normalize():f} and {bounds.at[1].normalize():f}, bought within [{low:,}, {high:,}]"


def bound_in_words(total: Total) -> str:
    """What one person may add, and what happens to who would add more."""
    power, bound = total.sensitivity.power, total.sensitivity.bound
    norm = f"L1 norm {bound:,}" if power == 1 else f"L2 norm {bound**0.5:,.6g}"
    also = f" and L1 norm {total.l1:,}" if total.l1 is not None else ""
    norm, what = norm + also, _SAYS[total.adds]
    return f"a person's vector is scaled down to {norm} ({what}): less is lost than by leaving out rows or groups"


def _levels(asked: Aggregate, made: Design, measure: str) -> Iterator[str]:
    """Per level what drawing noise for it, and making all add up, brings; nothing where there are no totals."""
    if not asked.levels:
        return
    total = made.of(measure)[-1]
    plain = design(asked.model_copy(update={"levels": []})).of(measure)[-1].noise.standard_error
    for level, error, noise in zip(made.levels, total.errors, total.tree.noises, strict=True):
        by = f"by {', '.join(level.columns)}" if level.columns else "over all groups"
        without = f"{plain * level.below**0.5:,.6g} without levels" + (", added up" if level.below > 1 else "")
        yield (
            f"    {by}: standard error of {_SAYS[total.adds]} {error.standard_error:,.6g}, {noise.standard_error:,.6g} before "
            f"they add up, {without}"
        )


def error_in_words(role: Measure, totals: tuple[Total, ...]) -> str:
    """The standard error of a group's number; of a mean or variance in a group of a thousand rows."""
    errors = [total.errors[-1].standard_error for total in totals]
    if role.kind in ("count", "people", "sum"):
        return f"{errors[0]:,.6g}, 95 % within {totals[0].errors[-1].half_width():,.6g}"
    if role.kind == "mean":
        return f"about {errors[1] / _ROWS:,.4g} in a group of {_ROWS:,} rows"
    if role.kind == "variance":
        return f"about {errors[2] / _ROWS:,.4g} in a group of {_ROWS:,} rows"
    return f"{errors[0]:,.6g} rows per item"

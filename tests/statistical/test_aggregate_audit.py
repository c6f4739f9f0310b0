"""Black-box audit of aggregates: one customer more or less stays under the claim, planted flaws exceed it."""

from collections.abc import Callable

import numpy as np
from kveil.anonymize.aggregates.bounding import LIMB
from kveil.anonymize.aggregates.cells import Grid
from kveil.anonymize.aggregates.design import design
from kveil.anonymize.aggregates.results import Publisher
from kveil.privacy.randomness import fresh_secret
from kveil.settings.aggregates import Aggregate

from tests.statistical.test_audit import lower_bound

RUNS, GROUPS, ROWS, EPSILON = 400_000, 4, 2, 1
ASKED = Aggregate.model_validate(
    {
        "group_by": {"group": {"values": list(range(GROUPS))}},
        "measures": {"rows": {"kind": "count"}},
        "epsilon": EPSILON,
        "contribution": {"rows": ROWS},
    }
)
MADE = design(ASKED)
GRAIN = MADE.totals[0].noise.grain


def published(per_group: float) -> np.ndarray:
    """The product's noise on a customer who adds this to each of all groups: one run per row, [RUNS, GROUPS]."""
    publisher = Publisher(Grid(ASKED, {"group": "int"}), MADE, fresh_secret(), "audit")
    fine = np.full((RUNS * GROUPS, 1), round(per_group * GRAIN))
    noisy = publisher.noisy(np.arange(RUNS * GROUPS), fine >> LIMB, fine & (2**LIMB - 1))
    return noisy[0].reshape(RUNS, GROUPS)


def evidence(runs: np.ndarray, per_group: float) -> np.ndarray:
    """The log-likelihood ratio of the two worlds (near enough), by which an attacker decides best."""
    scale = ROWS / EPSILON
    return ((np.abs(runs) - np.abs(runs - per_group)) / scale).sum(axis=1)


def found(per_group: float, world: Callable[[float], np.ndarray] = published) -> float:
    """The audited epsilon between a customer who adds `per_group` to each group and nobody."""
    return lower_bound(evidence(world(0.0), per_group), evidence(world(per_group), per_group))


def test_a_customer_scaled_down_to_the_bound_keeps_the_claim():
    assert 0.5 * EPSILON < found(ROWS / GROUPS) <= EPSILON


def test_sensitivity_without_counting_groups_exceeds_the_claim():
    """Capped at two rows in each group, with the noise of two rows in all: four groups tell four times as much."""
    assert found(float(ROWS)) > EPSILON


def test_groups_left_out_where_nobody_is_exceed_the_claim():
    """Missing zero-fill: a group that appears tells that somebody is there, whatever its noise."""

    def without_empty_groups(per_group: float) -> np.ndarray:
        return published(per_group) if per_group else np.full((RUNS, GROUPS), -(10.0**6))

    assert found(ROWS / GROUPS, without_empty_groups) > EPSILON


def test_the_same_secret_draws_the_same_and_chunks_do_not_matter():
    publisher = Publisher(Grid(ASKED, {"group": "int"}), MADE, fresh_secret(), "once")
    zeros = np.zeros((GROUPS, 1), dtype=np.int64)
    whole = publisher.noisy(np.arange(GROUPS), zeros, zeros)[0]
    parts = [publisher.noisy(np.arange(i, i + 2), zeros[:2], zeros[:2])[0] for i in range(0, GROUPS, 2)]
    assert (np.concatenate(parts) == whole).all()
    other = Publisher(publisher.grid, MADE, publisher.secret, "another release")
    assert (other.noisy(np.arange(GROUPS), zeros, zeros)[0] != whole).any()


WITH_TOTAL = Aggregate.model_validate({**ASKED.model_dump(exclude_defaults=True), "levels": [[]]})


def with_total(per_group: float, losses: int) -> np.ndarray:
    """An attacker's evidence, from the groups and from the total above them, of a customer who adds this to each group.

    The noise is that of the product where `losses` is 1; else each level is drawn as if it had all of the loss.
    """
    made = design(WITH_TOTAL) if losses == 1 else design(WITH_TOTAL.model_copy(update={"epsilon": losses * EPSILON}))
    publisher = Publisher(Grid(WITH_TOTAL, {"group": "int"}), made, fresh_secret(), "audit")
    found = np.zeros(RUNS)
    for place, (level, noise) in enumerate(zip(made.levels, made.totals[0].tree.noises, strict=True)):
        added = per_group * level.below
        fine = np.full((RUNS * level.groups, 1), round(added * noise.grain))
        seen = publisher.noisy(np.arange(len(fine)), fine >> LIMB, fine & (2**LIMB - 1), place)[0].reshape(RUNS, -1)
        shift = ROWS / GROUPS * level.below
        found += ((np.abs(seen) - np.abs(seen - shift)) * noise.grain / float(noise.parameter)).sum(axis=1)
    return found


def test_levels_together_keep_the_claim():
    audited = lower_bound(with_total(0.0, 1), with_total(ROWS / GROUPS, 1))
    assert 0.5 * EPSILON < audited <= EPSILON


def test_levels_that_do_not_share_the_loss_exceed_the_claim():
    assert lower_bound(with_total(0.0, 2), with_total(ROWS / GROUPS, 2)) > EPSILON

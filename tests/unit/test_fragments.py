"""How much of a table is sampled to cut it: the driver's share stays bounded while fragments keep their size."""

import pytest
from kveil.anonymize.fragments import MOST_SAMPLED, ROWS_PER_FRAGMENT, SAMPLED_PER_FRAGMENT, Sampling
from kveil.settings.anonymize import Anonymize


def settings(k: int = 10, **more) -> Anonymize:
    return Anonymize.model_validate({"release": "r", "k": k, "quasi_identifiers": {"age": {"kind": "number"}}, **more})


@pytest.mark.parametrize("rows", [10**6, 10**8, 10**9, 5 * 10**9])
def test_the_sample_is_bounded_and_its_fragments_stand_for_as_many_rows_whatever_the_table_holds(rows):
    sampling = Sampling.of(rows, settings())
    assert rows * sampling.share <= MOST_SAMPLED
    assert sampling.rows(sampling.per_fragment) == ROWS_PER_FRAGMENT
    assert sampling.per_fragment >= 50


def test_tables_that_fit_are_sampled_as_densely_as_ever():
    sampling = Sampling.of(MOST_SAMPLED * ROWS_PER_FRAGMENT // SAMPLED_PER_FRAGMENT, settings())
    assert sampling.per_fragment == SAMPLED_PER_FRAGMENT
    assert sampling.safely(10) == 40


@pytest.mark.parametrize("asked", [{"k": 100}, {"sensitive": {"item": {"distinct": 100}}}], ids=str)
def test_a_thin_sample_of_a_fragment_can_still_hold_what_the_model_asks(asked):
    """A fragment whose sample alone meets the model is safe; a sample that could not would let fragments grow instead."""
    sampling = Sampling.of(10**12, settings(**asked))
    assert sampling.per_fragment == 200
    assert sampling.safely(100) == 100
    assert sampling.safely(2) == 2


@pytest.mark.parametrize("rows", [0, 1])
def test_a_table_without_rows_has_a_share(rows):
    assert 0 < Sampling.of(rows, settings()).share < 1

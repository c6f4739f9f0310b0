"""Which registrations are one person's, by Fellegi and Sunter's model, estimated without labels by splink.

Fellegi, Sunter (1969), A Theory for Record Linkage, JASA 64; splink 5 with DuckDB, in this process's memory and nowhere else.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import combinations

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import splink.comparison_library as compare
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from splink import Linker, SettingsCreator, block_on
from splink.backends.duckdb import DuckDBAPI
from splink.internals.blocking_rule_creator import BlockingRuleCreator
from splink.internals.comparison_creator import ComparisonCreator
from splink.internals.exceptions import SplinkException
from splink.internals.splink_dataframe import SplinkDataFrame

from kveil.clean.suggest.words import known
from kveil.settings.people import Kind, People

ID = "unique_id"
PAIRS = pa.schema(
    {
        "person": pa.string(),
        "other": pa.string(),
        "probability": pa.float64(),
        "weight": pa.float64(),
        "weights": pa.map_(pa.string(), pa.float64()),
    }
)
PAIRS_PER_ROW = 20
"""Columns, or pairs of columns, that leave more pairs of rows alike than so many per row are no blocking rule."""
_TRAINED_ON = 3
_RANDOM_PAIRS = 1e6
_RECALL = 0.8
"""The share of a person's pairs that agree exactly in two telling columns, a guess by which the model's prior starts."""


def linked(people: pa.Table, asked: People) -> pa.Table:
    """Pairs of registrations that are one person's with at least the threshold's probability.

    `people` holds ID and the asked columns as texts. Result: person, other (ids), probability, weight (log2 of the odds) and
    weights, which part of it each column gives; positive speaks for one person, negative against.
    """
    # Two people without a phone have no phone in common, however that was written.
    people = pa.table({ID: people[ID], **{name: known(people[name]) for name in asked.columns}})
    blocks = blocking(people, list(asked.columns))
    if not blocks:
        return PAIRS.empty_table()
    # In memory and without a temporary folder: what does not fit fails instead of lying on a disk. One thread, since sums in
    # another order differ in their last digits, and a pair at the threshold with them.
    with duckdb.connect(":memory:", config={"temp_directory": "", "threads": 1}) as connection, _quiet():
        linker = _trained(DuckDBAPI(connection).register(people), asked, blocks)
        if linker is None:
            return PAIRS.empty_table()
        predicted = linker.inference.predict(threshold_match_probability=asked.threshold)
        found = predicted.as_pyarrow_table()  # type: ignore[no-untyped-call]
    weights = pa.table({name: _weight(found, name) for name in asked.columns}).to_pylist()
    named = {"person": f"{ID}_l", "other": f"{ID}_r", "probability": "match_probability", "weight": "match_weight"}
    columns = {name: found[key].to_pylist() for name, key in named.items()}
    return pa.table({**columns, "weights": [list(one.items()) for one in weights]}, PAIRS)


def _weight(found: pa.Table, name: str) -> pa.ChunkedArray:
    """A column's part of the weight, with what it adds that the value agreed in is rare or common."""
    frequency = f"mw_tf_adj_{name}"
    return pc.add(found[f"mw_{name}"], found[frequency]) if frequency in found.column_names else found[f"mw_{name}"]


def clusters(ids: Sequence[str], pairs: pa.Table) -> Mapping[str, int]:
    """For each id of a pair the number of its cluster: who is linked with somebody who is linked with others is one of them."""
    numbers = {name: i for i, name in enumerate(ids)}
    one, other = ([numbers[name] for name in pairs[key].to_pylist()] for key in ("person", "other"))
    graph = coo_array((np.ones(len(one)), (one, other)), shape=(len(ids), len(ids)))
    _, labels = connected_components(graph, directed=False)
    return {name: int(labels[numbers[name]]) for name in sorted({ids[i] for i in one + other})}


def blocking(people: pa.Table, columns: Sequence[str]) -> list[tuple[str, ...]]:
    """Columns in which two rows must be alike to be compared: single ones, and pairs of those that are too common alone.

    Those that leave the fewest pairs come first.
    """
    codes = {name: _codes(people[name]) for name in columns}
    most = PAIRS_PER_ROW * people.num_rows
    pairs: dict[tuple[str, ...], int] = {(name,): _pairs(codes[name]) for name in columns}
    common = [name for name in columns if pairs[name,] > most]
    pairs |= {(one, other): _pairs(_both(codes[one], codes[other])) for one, other in combinations(common, 2)}
    return sorted((block for block, count in pairs.items() if 0 < count <= most), key=lambda block: (pairs[block], block))


def _settings(asked: People, blocks: Sequence[tuple[str, ...]]) -> SettingsCreator:
    return SettingsCreator(
        link_type="dedupe_only",
        comparisons=[_comparison(name, kind) for name, kind in asked.columns.items()],
        blocking_rules_to_generate_predictions=[block_on(*block) for block in blocks],
        unique_id_column_name=ID,
        retain_matching_columns=False,
        retain_intermediate_calculation_columns=True,
    )


def _comparison(name: str, kind: Kind) -> ComparisonCreator:
    """Codes by Damerau and Levenshtein; names and texts by Jaro and Winkler, where agreeing in a rare value says more."""
    if kind == "code":
        return compare.DamerauLevenshteinAtThresholds(name, [1, 2])
    return compare.JaroWinklerAtThresholds(name, [0.92, 0.8]).configure(term_frequency_adjustments=True)


def _trained(people: SplinkDataFrame, asked: People, blocks: Sequence[tuple[str, ...]]) -> Linker | None:
    """A model whose parameters are estimated; None where no block lets them be.

    Trained is within the narrowest blocks, where pairs of one person are many; the prior stays what it was estimated as, else it
    would run to an end of its range there. A block in which that still happens leaves the model unusable: it is left out, and the
    training begins anew.
    """
    left = list(blocks)
    while left:
        linker = Linker(people, _settings(asked, blocks), log_level=logging.ERROR)
        failed = _failed_at(linker, blocks[: _TRAINED_ON + 1], left[:_TRAINED_ON])
        if failed is None:
            return linker
        left.remove(failed)
    return None


def _failed_at(linker: Linker, narrow: Sequence[tuple[str, ...]], blocks: Sequence[tuple[str, ...]]) -> tuple[str, ...] | None:
    """Estimates the prior from agreement in two narrow blocks, u from random pairs, m by expectation maximisation in the blocks.

    Returns the block in which that came to no end.
    """
    training = linker.training
    training.estimate_u_using_random_sampling(max_pairs=_RANDOM_PAIRS, seed=1)
    sure: list[str | BlockingRuleCreator] = [block_on(*dict.fromkeys((*one, *other))) for one, other in combinations(narrow, 2)]
    if sure:
        training.estimate_probability_two_random_records_match(sure, recall=_RECALL)
    for block in blocks:
        try:
            training.estimate_parameters_using_expectation_maximisation(
                block_on(*block), fix_probability_two_random_records_match=True
            )
        except (ValueError, SplinkException):
            return block
    return None


def _codes(column: pa.ChunkedArray) -> np.ndarray:
    """A number per distinct value, -1 for null."""
    return column.combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)


def _both(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    codes = one * (other.max(initial=0) + 1) + other
    return np.unique(np.where((one < 0) | (other < 0), -1, codes), return_inverse=True)[1] - int(((one < 0) | (other < 0)).any())


def _pairs(codes: np.ndarray) -> int:
    """Pairs of rows with the same code."""
    counts = np.bincount(codes[codes >= 0])
    return int((counts * (counts - 1) // 2).sum())


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps splink from telling of its training on the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)

"""What classify asks of a sample: each column's semantic type, whom it singles out, what it is related to; then sets."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from kveil.classify.types import fitting_type
from kveil.privacy.separation import singled_out, smallest_sets
from kveil.profile.association import association
from kveil.profile.described import people_in
from kveil.profile.sampled import Document, Look, columns_of
from kveil.profile.semantic import guess
from kveil.profile.sketch import I64, NULL, Coded, coded
from kveil.profile.values import Guess, of_texts

LEAST_SHARE, LARGEST_SET, MOST_COLUMNS = 0.05, 3, 14
"""Sets that single out more people than this are told; columns of a set; columns that sets are made of."""
_PROXY = 0.6


def classification(types: dict[str, str], texts: bool, person: str | None, of_people: bool = True) -> Look:
    """A look at a sample that tells of each column, and then which smallest sets of columns single people out.

    `texts`: the columns are texts of a file, whose types are those that the texts fit. Without a person column each row is
    somebody's, unless the rows are things (`of_people` false), which are nobody.
    """

    def look(sample: pa.Table) -> Iterator[Document]:
        columns = {name: coded(column) for name, column in columns_of(sample).items()}
        people = people_in(sample)
        of_whom = np.arange(sample.num_rows) if people is None else people
        known = (of_whom != NULL) & of_people
        fits = {name: fitting_type(column.texts) if texts else types[name] for name, column in columns.items()}
        guesses = {name: _guess(name, fits[name], column) for name, column in columns.items()}
        related = _related({name: columns[name].codes for name in columns}, guesses, person)
        for name, column in columns.items():
            codes = column.codes[known]
            yield {
                "kind": "column", "column": name, "fits": fits[name], "semantic": guesses[name].semantic,
                "role": guesses[name].role, "confidence": guesses[name].confidence, "evidence": guesses[name].evidence,
                "proven": guesses[name].proven, "pattern": guesses[name].pattern, "rival": guesses[name].rival,
                "values": len(column.texts), "alone": round(column.alone, 4),
                "singled_out": round(singled_out([codes], of_whom[known]), 4),
                "per_person": round(_one_each(codes, of_whom[known]), 4), "related": related.get(name), "of_people": of_people,
            }  # fmt: skip
        candidates = _candidates(columns, guesses, person)
        found = smallest_sets({name: columns[name].codes[known] for name in candidates}, of_whom[known], LEAST_SHARE, LARGEST_SET)
        yield from ({"kind": "set", "columns": list(each.columns), "share": round(each.share, 4)} for each in found)
        yield {"kind": "sample", "people": len(np.unique(of_whom[known])), "rows": sample.num_rows}

    return look


def _guess(name: str, type_: str, column: Coded) -> Guess:
    return guess(of_texts(name, type_, column.texts.take(pa.array(column.codes[column.codes != NULL]))))


def _one_each(codes: I64, people: I64) -> float:
    """The share of people who have one value, or none, in all their rows."""
    if not people.size:
        return 1.0
    pairs = np.unique(np.column_stack([people, codes]), axis=0)
    return float((np.unique(pairs[:, 0], return_counts=True)[1] == 1).mean())


def _candidates(columns: dict[str, Coded], guesses: dict[str, Guess], person: str | None) -> list[str]:
    """Columns that an outsider may know or that nothing is known of; those with most values, where there are too many."""
    varied = [name for name, column in columns.items() if name != person and len(column.texts) > 1]
    unsure = [name for name in varied if guesses[name].role in ("quasi", None)]
    return sorted(unsure, key=lambda name: (guesses[name].role is None, -len(columns[name].texts), name))[:MOST_COLUMNS]


def _related(codes: dict[str, I64], guesses: dict[str, Guess], person: str | None) -> dict[str, list[object]]:
    """Of each column that nothing is known of: the quasi-identifier that it tells most of, and how much, where that is much."""
    quasi = [name for name in codes if guesses[name].role == "quasi"]
    found: dict[str, list[object]] = {}
    for name, column in codes.items():
        if guesses[name].role is None and name != person:
            told = [(association(column, codes[other]), other) for other in quasi]
            best = max(((value, other) for value, other in told if value >= _PROXY), default=None)
            if best is not None:
                found[name] = [best[1], round(best[0], 2)]
    return found

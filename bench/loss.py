"""Information loss of the kernels on Adult, every row a person, against the figures of others on the same file."""

import csv
import time
from pathlib import Path

import numpy as np
from kveil.privacy.local_recoding import recoded
from kveil.privacy.models import Model
from kveil.privacy.mondrian import partition
from kveil.privacy.space import Fragment
from kveil.privacy.taxonomy import Taxonomy
from numpy.typing import NDArray

from bench.measure import Book

WITH_OCCUPATION = ("age", "sex", "race", "marital-status", "education", "native-country", "workclass", "occupation")
OF_ARX = ("sex", "age", "race", "marital-status", "education", "native-country", "workclass", "salary-class")
SETS = {5: 0.028, 10: 0.048, 50: 0.12}
ARX_LOCAL = {5: 0.033, 10: 0.048, 50: 0.100}

I64 = NDArray[np.int64]


def measure(book: Book, folder: Path) -> None:
    """GCP with sets for categories, and NCP with nodes of ARX's hierarchies."""
    with (folder / "adult.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    sets, sets_of_arx = _of_sets(rows, WITH_OCCUPATION), _of_sets(rows, OF_ARX)
    nodes = _of_hierarchies(rows, folder / "hierarchies")
    recoded(sets, Model(2000))  # compiles
    for k, target in SETS.items():
        for cuts in ("width", "loss"):
            classes, _ = partition(sets, Model(k, cuts=cuts))
            book.add(f"Adult, sets, k={k}, Mondrian by {cuts}: GCP", gcp(sets, classes), "share")
        _local(book, f"Adult, sets, k={k}", sets, k, gcp, target)
        _local(book, f"Adult, ARX's hierarchies, k={k}", nodes, k, ncp, ARX_LOCAL[k])
        _local(book, f"Adult, ARX's columns with sets, k={k}", sets_of_arx, k, ncp, ARX_LOCAL[k])


def _local(book: Book, name: str, fragment: Fragment, k: int, loss, target: float) -> None:
    started = time.process_time()
    classes, _ = recoded(fragment, Model(k))
    seconds = time.process_time() - started
    if np.bincount(classes).min() < k:
        raise SystemExit(f"{name}: a class holds fewer than {k} people")
    book.add(f"{name}, local recoding: {loss.__name__.upper()}", loss(fragment, classes), "share", target)
    book.add(f"{name}, local recoding: time", seconds, "CPU s")


def gcp(fragment: Fragment, classes: NDArray[np.int32]) -> float:
    """Mean over cells: range by span for numbers; for sets of more than one value the share of all values (Ghinita 2007)."""
    total = 0.0
    for j, span in enumerate(fragment.span):
        size = _sizes(fragment, j, classes)
        width = np.where(size > 1, size / (span + 1), 0.0) if fragment.is_set[j] else (size - 1) / span
        total += width[classes].mean()
    return float(total / len(fragment.span))


def ncp(fragment: Fragment, classes: NDArray[np.int32]) -> float:
    """Mean over cells of (values covered - 1) / (all values - 1): leaves below the lowest common ancestor, or a set's values."""
    widths = [(_sizes(fragment, j, classes) - 1) / span for j, span in enumerate(fragment.span)]
    return float(np.mean([width[classes].mean() for width in widths]))


def _sizes(fragment: Fragment, j: int, classes: NDArray[np.int32]) -> I64:
    """How many values each class covers of a column."""
    column = fragment.codes[:, j]
    if fragment.is_set[j]:
        return np.bincount(np.unique(np.column_stack([classes, column]), axis=0)[:, 0])
    low, high = _ends(column, classes)
    taxonomy = fragment.taxonomies[j] if fragment.taxonomies else None
    return high - low + 1 if taxonomy is None else taxonomy.sizes[taxonomy.lowest_common(low, high)]


def _ends(column: I64, classes: NDArray[np.int32]) -> tuple[I64, I64]:
    size = int(classes.max()) + 1
    low, high = np.full(size, np.iinfo(np.int64).max), np.full(size, -1)
    np.minimum.at(low, classes, column)
    np.maximum.at(high, classes, column)
    return low, high


def _of_sets(rows: list[dict[str, str]], names: tuple[str, ...]) -> Fragment:
    columns = [np.array([row[name] for row in rows]) for name in names]
    codes = [
        c.astype(np.int64) if n == "age" else np.unique(c, return_inverse=True)[1] for n, c in zip(names, columns, strict=True)
    ]
    is_set = tuple(name != "age" for name in names)
    return _people(codes, is_set, tuple(int(c.max() - c.min()) for c in codes), ())


def _of_hierarchies(rows: list[dict[str, str]], folder: Path) -> Fragment:
    taxonomies = []
    for name in OF_ARX:
        lines = (folder / f"adult_hierarchy_{name}.csv").read_text(encoding="utf-8").splitlines()
        taxonomies.append(Taxonomy.of_paths([line.split(";") for line in lines]))
    codes = []
    for name, taxonomy in zip(OF_ARX, taxonomies, strict=True):
        leaf = {text: code for code, text in enumerate(taxonomy.leaf_names)}
        codes.append(np.array([leaf[row[name]] for row in rows]))
    return _people(codes, (False,) * len(codes), tuple(t.leaves - 1 for t in taxonomies), tuple(taxonomies))


def _people(codes: list[I64], is_set: tuple[bool, ...], span: tuple[int, ...], taxonomies: tuple[Taxonomy, ...]) -> Fragment:
    size = len(codes[0])
    return Fragment(np.column_stack(codes), np.arange(size), np.empty((size, 0), dtype=np.int64), is_set, span, taxonomies)

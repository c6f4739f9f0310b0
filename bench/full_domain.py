"""Full-domain generalization against ARX on a file with hierarchies: information loss, nodes checked, time.

    python bench/full_domain.py FOLDER [k ...]

FOLDER (or the environment's KVEIL_BENCH_ADULT) holds adult.csv (`;`, with a header) and hierarchies/adult_hierarchy_NAME.csv
in ARX's format. One line per figure: name value unit target. The targets are ARX 3.9.2's optima on the same file.
"""

import csv
import os
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
from kveil.anonymize.hierarchies import coding
from kveil.privacy.frequency import FrequencySet
from kveil.privacy.full_domain import height
from kveil.privacy.lattice import Levels, optimal
from kveil.privacy.level_check import LevelCheck
from kveil.privacy.models import Model
from kveil.settings.hierarchies import Hierarchy

COLUMNS = ("sex", "age", "race", "marital-status", "education", "native-country", "workclass", "salary-class")
SUPPRESSION = 0.05
ARX = {5: 0.178, 10: 0.233, 50: 0.396}

Figure = dict[str, object]


def main(folder: Path, ks: list[int]) -> list[Figure]:
    """The figures of every k: ncp (a suppressed row counts as 1), nodes of the lattice checked, seconds."""
    with (folder / "adult.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    hierarchies = {name: folder / "hierarchies" / f"adult_hierarchy_{name}.csv" for name in COLUMNS}
    return [figure for k in ks for figure in figures_of(rows, hierarchies, k)]


def figures_of(rows: list[dict[str, str]], hierarchies: dict[str, Path], k: int) -> list[Figure]:
    """One k; every row is a person."""
    started = time.process_time()
    given = {name: Hierarchy.model_validate({"file": str(path)}) for name, path in hierarchies.items()}
    # A listed hierarchy needs nothing of the data, so there is no table to ask.
    codings = [coding(name, hierarchy, {f"{name}.values": []}, None) for name, hierarchy in given.items()]  # type: ignore[arg-type]
    columns = [each.codes(np.array([row[each.name] for row in rows], dtype=object)) for each in codings]
    size = len(rows)
    nothing = np.empty((size, 0), dtype=np.int64)
    codes = np.column_stack([np.zeros(size, dtype=np.int64), *columns])
    check = LevelCheck.of(FrequencySet.of(codes, np.arange(size), np.ones(size, dtype=np.int64), nothing), codings, Model(k))
    found = optimal(check.penalties(), check, int(SUPPRESSION * size))
    seconds = time.process_time() - started
    if found is None:
        raise SystemExit(f"k={k}: no levels suppress at most {SUPPRESSION:.0%}")
    nodes = int(np.prod([height(each) for each in codings]))
    return [
        _figure(f"ncp_k{k}", measured_loss(rows, given, found.levels, k), "share", ARX.get(k)),
        _figure(f"suppressed_k{k}", found.suppressed / size, "share", SUPPRESSION),
        _figure(f"checked_k{k}", found.checked / nodes, "share of nodes", None),
        _figure(f"seconds_k{k}", seconds, "s of CPU", None),
    ]


def measured_loss(rows: list[dict[str, str]], given: dict[str, Hierarchy], levels: Levels, k: int) -> float:
    """The loss measured again from the hierarchies' rows alone, without the code that searched."""
    at = {
        name: {path[0]: path[level] for path in hierarchy.paths()}
        for (name, hierarchy), level in zip(given.items(), levels, strict=True)
    }
    leaves = {name: Counter(labels.values()) for name, labels in at.items()}
    shown = [tuple(at[name][row[name]] for name in given) for row in rows]
    people = Counter(shown)
    loss = {
        label: sum((leaves[name][part] - 1) / (len(at[name]) - 1) for name, part in zip(given, label, strict=True)) / len(given)
        for label in people
    }
    return sum(loss[label] if people[label] >= k else 1.0 for label in shown) / len(rows)


def _figure(name: str, value: float, unit: str, target: float | None) -> Figure:
    return {"name": name, "value": value, "unit": unit, "better": "lower", "target": target}


if __name__ == "__main__":
    given_folder = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("KVEIL_BENCH_ADULT", "")
    if not given_folder:
        raise SystemExit(__doc__)
    for figure in main(Path(given_folder), [int(k) for k in sys.argv[2:]] or list(ARX)):
        print(f"{figure['name']} {figure['value']:.6g} {figure['unit']} {'' if figure['target'] is None else figure['target']}")

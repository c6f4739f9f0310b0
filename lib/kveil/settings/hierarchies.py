"""`hierarchy` of a quasi-identifier: how its values are generalized step by step, from a file, as a tree or by rule."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from kveil.settings.base import MOST, Section
from kveil.settings.packages import packaged

ROOT = "*"
"""The name of everything, where a hierarchy names no top of its own."""

_OR_NULL = " or null"

DateUnit = Literal["day", "week", "month", "quarter", "year"]
Holds = Literal["text", "number", "date"]


class Intervals(Section):
    """Whole numbers in cells of `width` from `start` on, then in the wider cells of `levels`, each a multiple of the last."""

    start: int = 0
    width: Annotated[int, Field(ge=1, le=MOST)] = 1
    levels: list[int] = Field(default_factory=list)

    @model_validator(mode="after")
    def _widths_nest(self) -> "Intervals":
        for narrow, wide in pairwise([self.width, *self.levels]):
            if wide <= narrow or wide % narrow:
                raise ValueError(f"levels are widths, each a multiple of the one before; {wide} is no multiple of {narrow}")
        return self


class Prefix(Section):
    """Texts of `length` characters of which the last ones are masked: at each level as many as `steps` says.

    Without steps one more character each level.
    """

    length: Annotated[int, Field(ge=1, le=64)]
    steps: list[int] = Field(default_factory=list)
    mask: Annotated[str, Field(min_length=1, max_length=1)] = "*"

    @model_validator(mode="after")
    def _steps_rise(self) -> "Prefix":
        if any(wide <= narrow for narrow, wide in pairwise([0, *self.steps, self.length])):
            raise ValueError("steps count masked characters: rising, from 1 to below length")
        return self


class Clusters(Section):
    """Categories grouped by how they stand in the data, `levels` saying how many groups are left at each level.

    similarity: Ward's clustering of the categories' profiles over the other text columns. frequency: the two rarest
    groups join first (Huffman). Without levels each level halves the number.
    """

    by: Literal["similarity", "frequency"] = "similarity"
    levels: list[int] = Field(default_factory=list)

    @model_validator(mode="after")
    def _levels_fall(self) -> "Clusters":
        if any(few >= many for many, few in pairwise([*self.levels, 1])):
            raise ValueError("levels count groups: falling, to no less than 2")
        return self


class Hierarchy(Section):
    """One of: `file` (ARX's CSV, leaf first, no header), `rows` (the same, inline), `tree` (nested names), `intervals`
    (numbers), `dates`, `prefix` (masked texts), `clusters` (generated).

    `of` says what a file's or tree's leaves are: texts, whole numbers or dates. `other` names a leaf under the root for
    values that the hierarchy misses; without it they are an error.
    """

    file: str = ""
    delimiter: Literal[";", ",", "|", "\t"] = ";"
    rows: list[tuple[str, ...]] = Field(default_factory=list)
    tree: Any = None
    intervals: Intervals | None = None
    dates: list[DateUnit] = Field(default_factory=list)
    prefix: Prefix | None = None
    clusters: Clusters | None = None
    of: Holds = "text"
    other: str = ""

    @field_validator("tree")
    @classmethod
    def _a_tree(cls, tree: Any) -> Any:
        if tree is not None:
            list(_tree_paths(tree))
        return tree

    @field_validator("dates")
    @classmethod
    def _units_nest(cls, units: list[DateUnit]) -> list[DateUnit]:
        order = ["day", "month", "quarter", "year"]
        if units and units not in (["day", "week"], ["week"]) and units != [unit for unit in order if unit in units]:
            raise ValueError(
                "units go from fine to coarse and must nest; allowed: [day, week], or units of day, month, quarter, year in this "
                "order, since weeks cross the ends of months and years"
            )
        return units

    @model_validator(mode="before")
    @classmethod
    def _file_becomes_rows(cls, value: Any, info: ValidationInfo) -> Any:
        """Reads the file with the policy, so that a release's identity holds what the file said."""
        if not isinstance(value, Mapping) or not isinstance(value.get("file"), str) or not value["file"]:
            return value
        if value.get("rows"):
            raise ValueError("name one of file and rows, since the rows come from the file")
        folder = (info.context or {}).get("folder", Path())
        return {**value, "rows": _rows_of(value["file"], str(value.get("delimiter", ";")), folder)}

    @model_validator(mode="after")
    def _one_source(self) -> "Hierarchy":
        given = [name for name in ("rows", "tree", "intervals", "dates", "prefix", "clusters") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError("name exactly one of file, rows, tree, intervals, dates, prefix, clusters")
        if self.of != "text" and not self.is_listed:
            raise ValueError("of belongs to file, rows and tree")
        if self.other and self.holds != "text":
            raise ValueError("other belongs to hierarchies of texts; numbers and dates go to the nearest leaf")
        problem = next(path_problems(self.paths()), None)
        if problem is not None:
            raise ValueError(_without_labels(problem) if self.file else problem)
        return self

    @property
    def is_listed(self) -> bool:
        """Whether the policy lists every value, rather than the data."""
        return bool(self.rows) or self.tree is not None

    @property
    def source(self) -> str:
        """Which of the ways it is given by."""
        if self.rows:
            return "file" if self.file else "rows"
        return next(name for name in ("tree", "intervals", "dates", "prefix", "clusters") if getattr(self, name))

    @property
    def holds(self) -> Holds:
        """What the column holds."""
        return "number" if self.intervals else "date" if self.dates else self.of

    def paths(self) -> list[tuple[str, ...]]:
        """The listed rows with the catch-all, leaf first, all up to one root; empty where the data gives the values."""
        if not self.is_listed:
            return []
        paths = self.rows if self.tree is None else _even(list(_tree_paths(self.tree)))
        return with_other(rooted(paths), self.other)


def _without_labels(problem: str) -> str:
    """The problem of a file, which may be any file: what it holds is not repeated."""
    if "'" not in problem and '"' not in problem:
        return problem
    return "a label of the file is empty, ends in ' or null', or stands at two places; give each one place"


def rooted(paths: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Leaf-first paths with a common root on top: as they are where they share their top, else under ROOT."""
    several = len({path[-1] for path in paths}) > 1 or any(len(path) == 1 for path in paths)
    return [(*path, ROOT) for path in paths] if several else list(paths)


def with_other(paths: Sequence[tuple[str, ...]], other: str) -> list[tuple[str, ...]]:
    """Rooted paths with a catch-all leaf of this name under the root; as they are where the name is empty."""
    if not other or not paths:
        return list(paths)
    return [*paths, (*(other,) * (len(paths[0]) - 1), paths[0][-1])]


def _even(paths: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Leaf-first paths made equally long: a shallow leaf stays itself for some levels."""
    depth = max(map(len, paths))
    return [(*(path[0],) * (depth - len(path)), *path) for path in paths]


def path_problems(paths: Sequence[Sequence[str]]) -> Iterator[str]:
    """What keeps leaf-first paths from being one tree in which a name stands for one set of values; nothing when sound."""
    depth = len(paths[0]) if paths else 0
    parents: dict[tuple[int, str], str] = {}
    leaves: dict[tuple[int, str], set[str]] = {}
    for number, path in enumerate(paths, 1):
        if len(path) != depth:
            apart = f"{abs(len(path) - depth)} {'fewer' if len(path) < depth else 'more'}"
            yield f"row {number} has {apart} labels than row 1; repeat a label to fill a level"
            return
        for level, name in enumerate(path):
            if not name or name.endswith(_OR_NULL):
                yield f"row {number} holds the label {name!r}; labels are not empty and do not end in {_OR_NULL.strip()!r}"
                return
            leaves.setdefault((level, name), set()).add(path[0])
            above = path[level + 1] if level + 1 < depth else ""
            if parents.setdefault((level, name), above) != above:
                what = "value" if level == 0 else f"label of level {level}"
                yield f"{what} {name!r} stands under both {parents[level, name]!r} and {above!r}; give it one place"
                return
    yield from _ambiguous(leaves)


def _ambiguous(leaves: Mapping[tuple[int, str], set[str]]) -> Iterator[str]:
    found: dict[str, tuple[int, set[str]]] = {}
    for (level, name), covered in leaves.items():
        other_level, other = found.setdefault(name, (level, covered))
        if other != covered:
            yield (
                f"label {name!r} stands for {len(other)} values at level {other_level} and for {len(covered)} at level {level}; "
                "rename one, since a released label must be read back"
            )
            return


def _tree_paths(tree: Any) -> Iterator[tuple[str, ...]]:
    """Leaf-first paths of nested mappings and lists, without the root."""
    if isinstance(tree, Mapping) and tree:
        for name, below in tree.items():
            if below is None:
                yield (_label(name),)
            else:
                yield from ((*path, _label(name)) for path in _tree_paths(below))
    elif isinstance(tree, list) and tree:
        for item in tree:
            if isinstance(item, Mapping):
                yield from _tree_paths(item)
            else:
                yield (_label(item),)
    else:
        raise ValueError("a tree is a mapping of names to subtrees, or a list of values; none of them empty")


def _label(name: Any) -> str:
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise ValueError(f"names are texts or whole numbers; found {name!r}; put it in quotes")
    return str(name)


def _rows_of(uri: str, delimiter: str, folder: Path) -> list[tuple[str, ...]]:
    path = _path_of(uri, folder)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [tuple(row) for row in csv.reader(file, delimiter=delimiter) if row]
    except FileNotFoundError:
        raise ValueError(f"the hierarchy file {uri} is not there; paths count from the policy's folder") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"the hierarchy file {uri} cannot be read ({type(error).__name__}); give a UTF-8 CSV file") from None
    if not rows:
        raise ValueError(f"the hierarchy file {uri} is empty; each line is a value and its ancestors")
    return rows


def _path_of(uri: str, folder: Path) -> Path:
    """A local path, or `package://PACKAGE/inner/path` in an installed package, which is not imported."""
    if uri.startswith("package://"):
        return packaged(uri)
    if "://" in uri:
        raise ValueError(f"found {uri}; allowed: a local path or package://PACKAGE/path/inside/the/package")
    return folder / uri

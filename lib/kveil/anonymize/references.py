"""What each class is compared with: the whole clean table's sensitive values, counted over people, and their numbering."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.errors import ContractError
from kveil.privacy.models import SensitiveRule
from kveil.settings.anonymize import Anonymize
from kveil.settings.disclosure import Sensitive

I64 = NDArray[np.int64]

MOST_VALUES = 10_000
_WHICH, _PEOPLE = "kveil_which", "kveil_people"


@dataclass(frozen=True, eq=False)
class Reference:
    """One sensitive column's rule, and how its values are numbered.

    Where the rule compares with the whole table, `values` lists the table's values: null first if there is one, then
    ascending (texts by their UTF-8 bytes, NaN last), or in the policy's `order`, which may list values that do not occur.
    Otherwise `values` is None and any numbering will do.
    """

    name: str
    rule: SensitiveRule
    values: pa.Array | None = None

    def numbers(self, column: pa.ChunkedArray | pa.Array) -> I64:
        """Each row's value number, as counts are indexed by; ValueError for a value that the clean table did not hold."""
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        coded = pc.dictionary_encode(_plain(array), null_encoding="encode")
        index = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        if self.values is None:
            return index
        places = pc.index_in(coded.dictionary.cast(self.values.type), value_set=self.values)
        if places.null_count:
            raise ValueError(f"sensitive column {self.name} holds a value that was not there when the table was measured")
        return places.to_numpy(zero_copy_only=False).astype(np.int64)[index]


def references(clean: DataFrame, person: str, settings: Anonymize) -> tuple[Reference, ...]:
    """One per sensitive column, in the policy's order; one pass over the clean table for all that need the whole table.

    Rows without a person count for nothing, as they are never released. ContractError where a column holds more than
    MOST_VALUES values, or values that its order or hierarchy does not list, or texts that have no order.
    """
    asked = {name: role for name, role in settings.sensitive.items() if role.compares}
    _check_types(dict(clean.dtypes), asked)
    found = _whole_table(clean, person, list(asked)) if asked else {}
    return tuple(
        _compared(name, role, *found[name]) if name in asked else Reference(name, _rule(role))
        for name, role in settings.sensitive.items()
    )


def _check_types(types: dict[str, str], asked: dict[str, Sensitive]) -> None:
    for name, role in asked.items():
        text = types[name] == "string"
        if role.distance == "hierarchical" and not text:
            raise ContractError(
                f"anonymize.sensitive.{name}.hierarchy: the clean table's column is {types[name]}; a hierarchy holds texts; "
                "use distance: ordered or derive a text in clean.derive"
            )
        if role.distance == "ordered" and text != bool(role.order):
            raise ContractError(
                f"anonymize.sensitive.{name}.order: the clean table's column is {types[name]}; texts need an order and nothing "
                "else takes one; list the values lowest first, or remove order"
            )


def _whole_table(clean: DataFrame, person: str, names: list[str]) -> dict[str, tuple[pa.Array, I64]]:
    """Per column its values, null first and then ascending, and how many people hold each."""
    # One row per column and row, with only that column's value set: all columns are counted in one shuffle, each in its type.
    only = [F.struct(F.lit(i).alias(_WHICH), *[_only(name, i == j) for j, name in enumerate(names)]) for i in range(len(names))]
    rows = clean.where(F.col(person).isNotNull()).select(F.col(person).alias(_PEOPLE), F.explode(F.array(*only)).alias("one"))
    pairs = rows.select(_PEOPLE, "one.*").distinct()
    counted = pairs.groupBy(_WHICH, *names).agg(F.count(F.lit(1)).alias(_PEOPLE))
    # One value more than allowed is enough to know that there are too many.
    table = counted.orderBy(_WHICH, *names).limit(len(names) * MOST_VALUES + 1).toArrow()
    found = {}
    for i, name in enumerate(names):
        mine = table.filter(pc.equal(table[_WHICH], i))
        if mine.num_rows > MOST_VALUES:
            raise ContractError(
                f"anonymize.sensitive.{name}: found more than {MOST_VALUES:,} values; t and beta compare shares of values; "
                "group them in clean.buckets or clean.derive, or ask for distinct, entropy or recursive alone"
            )
        found[name] = (_plain(mine[name].combine_chunks()), mine[_PEOPLE].to_numpy())
    return found


def _only(name: str, here: bool) -> Any:
    return F.when(F.lit(here), F.col(name)).alias(name)


def _plain(values: pa.Array) -> pa.Array:
    """Without negative zero, which Spark counts as zero and Arrow does not."""
    return pc.add(values, pa.scalar(0, values.type)) if pa.types.is_floating(values.type) else values


def _compared(name: str, role: Sensitive, values: pa.Array, people: I64) -> Reference:
    if role.distance == "ordered" and role.order:
        values, people = _in_order(name, role.order, values, people)
    tree = _tree(name, role.hierarchy, values) if role.hierarchy is not None else {}
    total = people.sum()
    return Reference(name, _rule(role, reference=people / total if total else people.astype(np.float64), **tree), values)


def _rule(role: Sensitive, **compared: Any) -> SensitiveRule:
    recursive = (role.recursive.c, role.recursive.l) if role.recursive else None
    return SensitiveRule(role.distinct, role.entropy or 0.0, recursive, role.t, role.distance, role.beta, **compared)


def _in_order(name: str, order: list[str], values: pa.Array, people: I64) -> tuple[pa.Array, I64]:
    """All listed values in their order, null before them where it occurs; one that does not occur is held by nobody."""
    listed = pa.array([*([None] if values.null_count else []), *order], values.type)
    places = pc.index_in(values, value_set=listed)
    if places.null_count:
        raise _unlisted(name, "order", places.null_count)
    counts = np.zeros(len(listed), dtype=np.int64)
    counts[places.to_numpy(zero_copy_only=False).astype(np.int64)] = people
    return listed, counts


def _tree(name: str, hierarchy: dict[str, Any], values: pa.Array) -> dict[str, I64]:
    """The arrays of kveil.privacy.diversity; null is a leaf below the root, as far from every value as values can be."""
    parent: list[int] = []
    height: list[int] = []
    leaf_of: dict[str | None, int] = {}

    def node(children: list[int]) -> int:
        parent.append(-1)
        height.append(1 + max(height[child] for child in children) if children else 0)
        for child in children:
            parent[child] = len(parent) - 1
        return len(parent) - 1

    def leaf(value: str | None) -> int:
        leaf_of[value] = node([])
        return leaf_of[value]

    def nodes(level: dict[str, Any] | list[str]) -> list[int]:
        return [leaf(value) for value in level] if isinstance(level, list) else [node(nodes(below)) for below in level.values()]

    # A single top node is the root itself.
    node([*nodes(next(iter(hierarchy.values())) if len(hierarchy) == 1 else hierarchy), leaf(None)])
    texts = values.to_pylist()
    unlisted = sum(text not in leaf_of for text in texts)
    if unlisted:
        raise _unlisted(name, "hierarchy", unlisted)
    return {"parent": np.array(parent), "height": np.array(height), "node_of_value": np.array([leaf_of[text] for text in texts])}


def _unlisted(name: str, key: str, count: int) -> ContractError:
    return ContractError(
        f"anonymize.sensitive.{name}.{key}: {count:,} values of the clean table are not listed; "
        "list every value, or name them in clean.missing"
    )

"""The text of a generalized value, and reading it back.

Grammar: a single value stands for itself; `lo .. hi` is an ordered range; `{a, b, c}` a set; `*` the whole domain; `...` all
categories that fewer than k people of the partition hold, which no label names; in a hierarchy a node's name stands for
its leaves.
A null among other values is written `null` as a set's member or as `... or null`; a class of nulls alone has a null label.
In a set, `\\`, `,`, `{` and `}` inside a value are escaped by a backslash, so that every label is read back exactly.
"""

import re

from kveil.privacy.coding import Coding, Kind
from kveil.privacy.taxonomy import Taxonomy

WHOLE = "*"
RANGE = " .. "
OR_NULL = " or null"
OTHERS = "..."


def of_set(values: list[str], domain: int, has_null: bool) -> str | None:
    """The label of a class that holds these categories, sorted; `domain` counts all categories, without null."""
    if not values:
        return None
    if has_null:
        return WHOLE + OR_NULL if len(values) == domain else "{" + ", ".join(map(_escaped, values)) + "}" + OR_NULL
    if len(values) == 1:
        return WHOLE if domain == 1 and values[0] == OTHERS else values[0]
    return WHOLE if len(values) == domain else "{" + ", ".join(map(_escaped, values)) + "}"


def of_range(lowest: str, highest: str, whole: bool, has_null: bool) -> str:
    """The label of an ordered class from its lowest to its highest value; `whole` when it spans the domain."""
    text = lowest if lowest == highest else WHOLE if whole else f"{lowest}{RANGE}{highest}"
    return text + OR_NULL if has_null else text


def of_node(name: str, has_null: bool) -> str:
    """The label of a class that a hierarchy's node covers."""
    return name + OR_NULL if has_null else name


def members(label: str | None, coding: Coding) -> tuple[frozenset[str], bool]:
    """The listed values that a text column's label stands for, and whether null is among them."""
    if label is None:
        return frozenset(), True
    if coding.taxonomy is not None:
        node, has_null = _node(label, coding.taxonomy)
        return frozenset(coding.taxonomy.names_under(node)), has_null
    if label in coding.values:
        return frozenset([label]), False
    has_null = label.endswith(OR_NULL)
    body = label.removesuffix(OR_NULL)
    if body == WHOLE:
        return frozenset(coding.values), has_null
    if coding.is_set and body.startswith("{"):
        return frozenset(_unescaped(body[1:-1])), has_null
    if not coding.is_set and RANGE in body:
        lowest, highest = body.split(RANGE)
        order = coding.values
        return frozenset(order[order.index(lowest) : order.index(highest) + 1]), has_null
    return frozenset([body]), has_null


def size(label: str | None, domain: int, order: tuple[str, ...] = (), taxonomy: Taxonomy | None = None) -> int:
    """How many values (null counting as one) a text label stands for, in a domain of `domain` values.

    `order` lists an ordered column's values, `taxonomy` is a hierarchy's; without both the label is read as a set's.
    """
    if taxonomy is not None:
        if label is None:
            return 1
        node, has_null = _node(label, taxonomy)
        return int(taxonomy.sizes[node]) + has_null
    kind: Kind = "ordered" if order else "category"
    names = order or tuple(f"\0{i}" for i in range(domain))
    values, has_null = members(label, Coding("", kind, values=names))
    return len(values) + has_null


def _node(label: str, taxonomy: Taxonomy) -> tuple[int, bool]:
    """The node that a label names, and whether null is in it; ValueError where the label is no node's."""
    node = taxonomy.node_named(label)
    if node is not None:
        return node, False
    node = taxonomy.node_named(label.removesuffix(OR_NULL))
    if node is None:
        raise ValueError("a label names no node of its hierarchy")
    return node, True


def _escaped(value: str) -> str:
    return re.sub(r"([\\,{}])", r"\\\1", value)


def _unescaped(body: str) -> list[str]:
    """The members between a set's braces; a comma after a backslash parts nothing, and a member may be the empty text."""
    parts, start = [], 0
    for found in re.finditer(r"\\.|,", body):
        if found.group() == ",":
            parts.append(body[start : found.start()])
            start = found.end()
    parts.append(body[start:])
    return [re.sub(r"\\(.)", r"\1", part[1:] if index else part) for index, part in enumerate(parts)]

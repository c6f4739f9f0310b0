"""Reads YAML as the core schema of 1.2 does, within bounds: 1:10, yes and 2024-02-31 are texts, and no file is endless."""

import re
from pathlib import Path
from typing import Any

import yaml

MOST_BYTES = 10_000_000
DEEPEST = 50
MOST_NODES = 500_000
"""Values of a document, those of an alias counted every time it stands."""
MOST_DIGITS = 40

_CORE = {
    "null": (r"~|null|Null|NULL|", "~nN"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    "float": (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+.0123456789"),
}
"""What a plain scalar is, in this order, and with which signs it may begin."""


class UnreadableError(Exception):
    """Why a document is not read, as the end of a sentence: no value of it, only lines."""


def document(path: Path) -> Any:
    """What the file says; UnreadableError where it is no YAML of the core schema, too large, too deep, or says a key twice.

    Raises OSError or UnicodeDecodeError where it cannot be read.
    """
    if path.stat().st_size > MOST_BYTES:
        raise UnreadableError(f"has over {MOST_BYTES:,} bytes; allowed: a policy of a few thousand lines")
    return parsed_document(path.read_text(encoding="utf-8"))


def parsed_document(text: str) -> Any:
    """What a text says; UnreadableError as `document`."""
    try:
        return yaml.load(text, Loader=_Core)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise UnreadableError(f"is not valid YAML: {_fault(error)}") from None
    except RecursionError:
        raise UnreadableError(f"is more than {DEEPEST} levels deep; write it flatter") from None
    except (ValueError, OverflowError, TypeError):
        raise UnreadableError("is not valid YAML: it holds a value that cannot be read") from None


class _Core(yaml.SafeLoader):
    """Resolves plain scalars by the core schema, and composes no more than the bounds allow."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the loader's own name for it

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            again: Any = super().compose_node(parent, index)
            if id(again) not in self._sizes:
                raise _told("an alias stands within its own anchor", event)
            return again
        self._depth += 1
        if self._depth > DEEPEST:
            raise _told(f"more than {DEEPEST} levels deep", event)
        node: Any = super().compose_node(parent, index)
        self._depth -= 1
        size = 1 + sum(self._sizes[id(each)] for each in _children(node))
        self._sizes[id(node)] = size
        if size > MOST_NODES:
            raise _told(f"more than {MOST_NODES:,} values", event)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """YAML lets a key stand twice and keeps the last; in a policy that hides a rule, so it is refused."""
        keys = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _told("a key that is no text", key)
            name = self.construct_object(key, deep=True)
            if name in keys:
                raise _told("a key stands twice", key)
            keys.add(name)
        return super().construct_mapping(node, deep)

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        """A number of few digits; longer ones are mistakes, and Python takes quadratic time for them."""
        written = self.construct_scalar(node)
        if len(written) > MOST_DIGITS:
            raise _told(f"a number of {len(written):,} characters (allowed: {MOST_DIGITS})", node)
        if node.tag.endswith(":float"):
            return float(re.sub(r"\.(?=inf|nan)", "", written.lower()))
        return int(written, 0) if written[:2] in ("0o", "0x") else int(written)


for _name, (_form, _begins) in _CORE.items():
    _first = [*_begins, ""] if _name == "null" else list(_begins)
    _Core.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(f"^(?:{_form})$"), _first)
for _name in ("int", "float"):
    _Core.add_constructor(f"tag:yaml.org,2002:{_name}", _Core.construct_number)


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [each for pair in node.value for each in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _told(sentence: str, place: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=sentence, problem_mark=place.start_mark)


def _fault(error: yaml.YAMLError) -> str:
    """What is wrong and in which line, without the line itself: it may hold what should not be in a policy."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return "a sign that YAML does not allow"
    problem = re.sub(r"'[^']*'|\"[^\"]*\"", "...", str(error.problem)).split("\n")[0][:80]
    return f"{problem}, line {error.problem_mark.line + 1}"

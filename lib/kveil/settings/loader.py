"""Reads a policy file and reports everything that is wrong with it at once."""

import hashlib
import json
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from kveil.errors import SettingsError
from kveil.settings.policy import Policy
from kveil.settings.secrets import UNSHOWN, sounds_secret


def load(path: str | Path) -> Policy:
    """The policy in a YAML file; raises SettingsError naming file, key, what was found and what is allowed."""
    document = _document(Path(path))
    try:
        policy = Policy.model_validate(document, context={"folder": Path(path).parent})
    except ValidationError as error:
        raise SettingsError([_sentence(path, problem) for problem in error.errors(include_url=False)]) from None
    problems = [f"{path}: {key}: {sentence}" for key, sentence in policy.problems()]
    if problems:
        raise SettingsError(problems)
    return policy


def fingerprint(policy: Policy, sections: tuple[str, ...] | None = None) -> str:
    """A hash that changes exactly when the named sections (default: all) mean something else."""
    values = policy.model_dump(mode="json", include=set(sections) if sections is not None else None)
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


class _UniqueKeys(yaml.SafeLoader):
    """YAML lets a key stand twice and keeps the last; in a policy that hides a rule, so it is refused."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"key {key!r} stands twice, line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep)


def _document(path: Path) -> Any:
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)  # noqa: S506 - a SafeLoader
    except FileNotFoundError:
        raise SettingsError([f"{path}: there is no such policy file; give the path of a YAML policy"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{path}: cannot be read ({type(error).__name__}); give a readable YAML policy"]) from None
    except yaml.YAMLError as error:
        raise SettingsError([f"{path}: is not valid YAML: {_fault(error)}"]) from None


def _fault(error: yaml.YAMLError) -> str:
    """What is wrong and in which line, without the line itself: it may hold what should not be in a policy."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return " ".join(str(error).split())
    return f"{error.problem}, line {error.problem_mark.line + 1}"


def _sentence(path: str | Path, problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"]) or "the whole file"
    if problem["type"] == "missing":
        return f"{path}: {key}: is missing and must be given"
    if problem["type"] == "extra_forbidden":
        return f"{path}: {key}: is no known key; remove it or correct its spelling"
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    found = problem["input"]
    secret = problem["type"] == UNSHOWN or any(sounds_secret(str(part)) for part in problem["loc"])
    shown = f"found {found!r}; " if isinstance(found, str | int | float | bool | None) and not secret else ""
    return f"{path}: {key}: {shown}{message}"

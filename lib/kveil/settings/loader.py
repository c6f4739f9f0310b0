"""Reads a policy file and reports everything that is wrong with it at once."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kveil.errors import SettingsError
from kveil.settings.base import Section
from kveil.settings.policy import Policy
from kveil.settings.secrets import UNSHOWN, sounds_secret
from kveil.settings.yaml_core import UnreadableError, document

_LONGEST_SHOWN = 80
_LONGEST_LINE = 1_500
_NAMES_FILES = ("recipe", "regulations")
"""Keys that may name a file in place of what stands in it."""


def load(path: str | Path) -> Policy:
    """The policy in a YAML file; raises SettingsError naming file, key, what was found and what is allowed."""
    given = _document(Path(path))
    try:
        policy = Policy.model_validate(given, context={"folder": Path(path).parent})
    except ValidationError as error:
        raise SettingsError([_sentence(path, problem, given) for problem in error.errors(include_url=False)]) from None
    except (ArithmeticError, LookupError, RecursionError, TypeError) as error:
        found = f"{path}: holds a value that no key takes ({type(error).__name__}); compare it with conf/journey.yml"
        raise SettingsError([found]) from None
    problems = [_one_line(f"{path}: {key}: {sentence}") for key, sentence in policy.problems()]
    if problems:
        raise SettingsError(problems)
    return policy


def fingerprint(policy: Policy, sections: tuple[str, ...] | None = None) -> str:
    """A hash that changes exactly when the named sections (default: all) mean something else."""
    values = policy.model_dump(mode="json", include=set(sections) if sections is not None else None)
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def _document(path: Path) -> Any:
    try:
        return document(path)
    except FileNotFoundError:
        raise SettingsError([f"{path}: there is no such policy file; give the path of a YAML policy"]) from None
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise SettingsError([f"{path}: cannot be read ({type(error).__name__}); give a readable YAML policy"]) from None
    except UnreadableError as error:
        raise SettingsError([f"{path}: {error}"]) from None


def _sentence(path: str | Path, problem: Any, given: Any) -> str:
    place, own = problem["loc"], _length_of_own(problem["loc"], given)
    shown = [part for i, part in enumerate(place) if i < own or isinstance(part, int) or part in _words_of_policies()]
    key = ".".join(_short(str(part)) for part in shown) or "the whole file"
    if problem["type"] == "missing":
        return f"{path}: {key}: is missing and must be given"
    if problem["type"] == "extra_forbidden":
        what = "is no known key" if own == len(place) else "the file holds a key that is not known there"
        return f"{path}: {key}: {what}; remove it or correct its spelling"
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if own < len(place) and ("'" in message or problem["type"] == "union_tag_invalid"):
        message = "the file holds something else than is allowed there; compare it with what kveil suggest writes"
    return _one_line(f"{path}: {key}: {_found(problem, own < len(place))}{message}")


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}..."


@cache
def _words_of_policies() -> frozenset[str]:
    """The keys that sections have: what of another file's keys may be repeated, being kveil's own words."""
    sections, found = [Section], set()
    while sections:
        section = sections.pop()
        sections += section.__subclasses__()
        found |= set(section.model_fields)
    return frozenset(found)


def _found(problem: Any, foreign: bool) -> str:
    """The beginning of a sentence that repeats what was given, where that is short, the policy's own and no secret."""
    found = problem["input"]
    secret = problem["type"] == UNSHOWN or any(sounds_secret(str(part)) for part in problem["loc"])
    if foreign or secret or not isinstance(found, str | int | float | bool | None):
        return ""
    return f"found {_short(repr(found))}; "


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def _length_of_own(place: tuple[str | int, ...], given: Any) -> int:
    """How many parts of a problem's place stand in the policy itself, and not in a file that it names there."""
    for i, part in enumerate(place):
        if (
            i
            and place[i - 1] in _NAMES_FILES
            and not isinstance(given, dict)
            and (isinstance(given, str) or place[i - 1] == "regulations")
        ):
            return i
        try:
            given = given[part]
        except (KeyError, IndexError, TypeError):
            return len(place)
    return len(place)

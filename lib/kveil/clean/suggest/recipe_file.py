"""A recipe as a YAML file for people: every step with its reason, what it rests on, and the place for an answer."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from kveil.settings.recipe import Step

_HEAD = """\
# Suggested by `kveil suggest` for policy {policy}: {sure} steps are accepted, {asked} ask.
# Set `accept` to true or false, change what a step says, remove steps or write others, and name this file as clean.recipe in the
# policy. Only accepted steps are applied. Letters and digits of examples are masked: Aa9 stands for a capital, a letter, a digit.
"""
_FIRST = ("step", "source", "column", "accept", "confidence", "reason", "effect", "evidence")


def written(policy: str, steps: Sequence[Step], constant: Sequence[str] = (), copies: Mapping[str, int] | None = None) -> str:
    """The file's text; reading it as a recipe gives the same steps. `constant` names columns of one value, as SOURCE.COLUMN;
    `copies` tells by source how many rows are alike another in every column.
    """
    sure = sum(step.accept is True for step in steps)
    head = _HEAD.format(policy=policy, sure=sure, asked=sum(step.accept == "ask" for step in steps))
    for name in constant:
        head += f"# {name} holds one value or none wherever it was looked at; think of leaving it out.\n"
    for source, rows in (copies or {}).items():
        if rows:
            head += f"# {rows:,} rows of {source} are alike another one in every column; of those one stays, without a step.\n"
    body = {"steps": [_document(step) for step in steps]}
    return head + yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=120, default_flow_style=False)


def _document(step: Step) -> dict[str, Any]:
    values = step.model_dump(mode="json", exclude_none=True)
    rest = {key: value for key, value in values.items() if key not in _FIRST}
    return {key: values[key] for key in _FIRST if key in values} | rest

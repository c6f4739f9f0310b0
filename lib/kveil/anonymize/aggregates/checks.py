"""What an aggregate asks of the clean table, checked on its columns alone before anything is spent."""

from collections.abc import Iterator
from decimal import Decimal

from kveil.anonymize.aggregates.design import design
from kveil.errors import ContractError
from kveil.privacy import gaussian, laplace
from kveil.settings.aggregates import Aggregate
from kveil.settings.group_keys import GroupKey

_WHOLE = ("tinyint", "smallint", "int", "bigint")
_AT_MOST = Decimal("1.3")
"""So many times approx_count_distinct: six of its relative standard deviations of 0.05, Spark's default, above it."""
_OF_VALUES = {"str": ("string",), "bool": ("boolean",), "int": _WHOLE}


def check_columns(name: str, asked: Aggregate, types: dict[str, str]) -> None:
    """ContractError where a column of the clean table cannot be grouped by or measured as the policy says."""
    for where, sentence in _problems(asked, types):
        raise ContractError(f"anonymize.aggregates.{name}.{where}: {sentence}")


def check_noise(name: str, asked: Aggregate) -> None:
    """ContractError where the loss is so small, or what a person may add so large, that the noise would not fit 64 bits."""
    for total in design(asked).totals:
        for noise in total.tree.noises:
            most = laplace.LARGEST_SCALE if noise.mechanism == "laplace" else gaussian.LARGEST_VARIANCE
            if noise.parameter >= most:
                raise ContractError(
                    f"anonymize.aggregates.{name}.measures.{total.measure}: a standard error of {noise.standard_error:.3g} does "
                    "not fit 64 bits; give more epsilon or weight, fewer levels or tighter bounds"
                )


def check_delta(name: str, asked: Aggregate, people: int) -> None:
    """ContractError where a delta would allow to publish somebody's rows as they are: it must be below one over the people.

    `people` is Spark's approximate count, which may lie below the true one: the largest number that it may stand for decides.
    """
    most = people * _AT_MOST
    given = {"delta": asked.delta, "selection.delta": asked.selection.delta if asked.selection else None}
    for where, delta in given.items():
        if delta is not None and delta * most >= 1:
            raise ContractError(
                f"anonymize.aggregates.{name}.{where}: found {delta}; with a delta of one over the number of people or more, "
                "somebody's rows could be published as they are; give one far smaller, such as 1e-9"
            )


def _problems(asked: Aggregate, types: dict[str, str]) -> Iterator[tuple[str, str]]:
    for column, key in asked.group_by.items():
        sentence = _key_problem(key, types[column])
        if sentence:
            yield f"group_by.{column}", sentence
    for measure, role in asked.measures.items():
        if role.column is None:
            continue
        kind = types[role.column]
        allowed = _OF_VALUES[type(role.values[0]).__name__] if role.values else _WHOLE
        if kind not in allowed:
            yield (
                f"measures.{measure}.column",
                f"the clean table's {role.column!r} is {kind}; allowed: {', '.join(allowed)}; make it a whole number of its "
                "smallest unit in clean.money or clean.derive",
            )


def _key_problem(key: GroupKey, kind: str) -> str:
    if key.every is not None:
        allowed: tuple[str, ...] = ("date", "timestamp")
    elif key.unknown:
        allowed = ("string", "boolean", "date", *_WHOLE)
    else:
        allowed = _OF_VALUES[type(key.values[0]).__name__]
    if kind in allowed:
        return ""
    return f"the clean table's column is {kind}; allowed for such keys: {', '.join(allowed)}; derive one in clean.derive"

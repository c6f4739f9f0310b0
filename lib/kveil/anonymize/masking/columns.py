"""What masked columns hold, and whether the clean table's columns can be masked as the policy asks."""

from datetime import date
from decimal import Decimal
from typing import Any

from kveil.errors import ContractError
from kveil.settings.mask import Bin, BoughtTopBottom, DateShift, Encrypt, Mask, Partial, Round, Scrub, Swap, TopBottom

_WHOLE = ("tinyint", "smallint", "int", "bigint")
_NUMBERS = (*_WHOLE, "float", "double", "decimal")
_TIMES = ("date", "timestamp", "timestamp_ntz")


def type_of(role: Mask, clean: str) -> str:
    """The SQL type of a masked column whose clean column has the type `clean`."""
    return clean if isinstance(role, DateShift | Round | Swap | TopBottom | BoughtTopBottom) else "string"


def check_types(types: dict[str, str], roles: dict[str, Mask]) -> None:
    """ContractError for a column that its technique cannot mask; `types` are the clean table's."""
    for name, role in roles.items():
        kind = types[name].partition("(")[0]
        allowed = _allowed(role)
        if allowed and kind not in allowed:
            raise ContractError(
                f"anonymize.mask.{name}: the clean table's column is {types[name]}; {role.technique} masks "
                f"{', '.join(allowed)}; make it one of these in clean.derive, or take another technique"
            )
        if isinstance(role, Round | TopBottom | BoughtTopBottom):
            _check_numbers(name, role, types[name])


def _allowed(role: Mask) -> tuple[str, ...]:
    """The types that a technique takes; none where it takes all."""
    match role:
        case Partial() | Scrub():
            return ("string",)
        case Encrypt():
            return ("string", *_WHOLE)
        case DateShift():
            return _TIMES
        case Round():
            return _TIMES if isinstance(role.to, str) else _NUMBERS
        case Bin():
            return _NUMBERS
        case BoughtTopBottom():
            return _WHOLE
        case TopBottom():
            return ("date",) if _is_date(role) else _NUMBERS
    return ()


def _is_date(role: TopBottom) -> bool:
    return any(isinstance(bound, date) for bound in (role.lower, role.upper))


def _check_numbers(name: str, role: Round | TopBottom | BoughtTopBottom, kind: str) -> None:
    """ContractError for a multiple or bound that the column's type does not hold."""
    for key, value in _told_numbers(role).items():
        if isinstance(value, Decimal) and not _holds(kind, value):
            raise ContractError(
                f"anonymize.mask.{name}.{key}: found {value}, which a column of type {kind} cannot hold; round it"
            )


def _told_numbers(role: Round | TopBottom | BoughtTopBottom) -> dict[str, Any]:
    """What the policy writes down, by its key."""
    match role:
        case Round():
            return {"to": role.to}
        case TopBottom():
            return {"lower": role.lower, "upper": role.upper}
    return {"within.lower": Decimal(role.within.lower), "within.upper": Decimal(role.within.upper)}


def _holds(kind: str, value: Decimal) -> bool:
    name, _, size = kind.rstrip(")").partition("(")
    if name in _WHOLE:
        bits = {"tinyint": 8, "smallint": 16, "int": 32, "bigint": 64}[name]
        return value == int(value) and -(2 ** (bits - 1)) <= value < 2 ** (bits - 1)
    if name == "decimal":
        digits, scale = map(int, size.split(","))
        return value == value.quantize(Decimal(1).scaleb(-scale)) and abs(value) < 10 ** (digits - scale)
    return True

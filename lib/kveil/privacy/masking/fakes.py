"""Fake values that nobody owns: names of a list, addresses and numbers of ranges that are kept free for examples.

E-mail: the domains of RFC 2606. Telephone: 555-0100 to 555-0199, which the North American Numbering Plan keeps for fiction.
"""

from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Literal

import numpy as np
import yaml
from numpy.typing import NDArray

U64 = NDArray[np.uint64]

Kind = Literal["first_name", "last_name", "name", "email", "phone", "address", "company"]


@cache
def _list(name: str) -> tuple[str, ...]:
    text = (resources.files(__package__) / "fakes.yml").read_text(encoding="utf-8")
    return tuple(yaml.safe_load(text)[name])


def fakes(kind: Kind, lots: U64) -> list[str]:
    """A fake value for each person's words [n, 4]; names and e-mail of the same words agree. Two people may share one."""
    return _MAKERS[kind](lots)


def _picked(lots: U64, name: str) -> list[str]:
    values = _list(name)
    return [values[place] for place in (lots % np.uint64(len(values))).tolist()]


def _names(lots: U64) -> list[str]:
    return [f"{first} {last}" for first, last in zip(_picked(lots[:, 0], "first"), _picked(lots[:, 1], "last"), strict=True)]


def _emails(lots: U64) -> list[str]:
    numbers = (lots[:, 2] % np.uint64(10**6)).tolist()
    where = _picked(lots[:, 3], "domains")
    return [f"{name.lower().replace(' ', '.')}.{n:06d}@{at}" for name, n, at in zip(_names(lots), numbers, where, strict=True)]


def _phones(lots: U64) -> list[str]:
    areas, lines = (lots[:, 0] % np.uint64(800) + np.uint64(200)).tolist(), (lots[:, 1] % np.uint64(100)).tolist()
    return [f"+1 {area} 555 01{line:02d}" for area, line in zip(areas, lines, strict=True)]


def _addresses(lots: U64) -> list[str]:
    numbers = (lots[:, 1] % np.uint64(250) + np.uint64(1)).tolist()
    return [f"{number} {street}" for number, street in zip(numbers, _picked(lots[:, 0], "streets"), strict=True)]


def _companies(lots: U64) -> list[str]:
    return [f"{name} {what}" for name, what in zip(_picked(lots[:, 0], "last"), _picked(lots[:, 1], "companies"), strict=True)]


_MAKERS: dict[Kind, Callable[[U64], list[str]]] = {
    "first_name": lambda lots: _picked(lots[:, 0], "first"),
    "last_name": lambda lots: _picked(lots[:, 1], "last"),
    "name": _names,
    "email": _emails,
    "phone": _phones,
    "address": _addresses,
    "company": _companies,
}

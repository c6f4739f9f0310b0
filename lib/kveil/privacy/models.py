"""What every equivalence class must hold, all of it counted over people."""

from dataclasses import dataclass
from typing import Literal

Cuts = Literal["width", "loss"]


@dataclass(frozen=True)
class Model:
    """k distinct people and, per sensitive column, so many distinct values.

    `cuts` chooses among allowed cuts: `width` takes the widest dimension's, near its median (fast); `loss` tries every
    dimension and takes the cut that leaves least information loss (tighter classes, slower).
    """

    k: int
    distinct: tuple[int, ...] = ()
    cuts: Cuts = "width"

"""How large a bank is asked for, and the sentences that refuse an impossible one."""

from dataclasses import dataclass

from kveil.errors import SettingsError

MOST_CUSTOMERS = 30_000_000
"""Three accounts each, whose eight digits must differ."""
MOST_TRANSACTIONS = 2_000_000_000
MOST_DIRT = 0.5


@dataclass(frozen=True)
class Bank:
    """A bank by its size, seed and share of dirt: equal ones are equal row by row, on any number of partitions."""

    customers: int
    transactions: int
    seed: int = 1
    dirt: float = 0.02

    def __post_init__(self) -> None:
        problems = [*self._out_of_range()]
        if problems:
            raise SettingsError(problems)

    def _out_of_range(self) -> list[str]:
        asked = {
            "--customers": (self.customers, 1, MOST_CUSTOMERS),
            "--transactions": (self.transactions, 0, MOST_TRANSACTIONS),
            "--seed": (self.seed, 0, 2**63 - 1),
            "--dirt": (self.dirt, 0, MOST_DIRT),
        }
        return [
            f"{name}: found {value:,}; allowed: from {low:,} to {high:,}; give a number within"
            for name, (value, low, high) in asked.items()
            if not low <= value <= high
        ]

    def added(self, rows: int, part: float) -> int:
        """How many copies a table of this many rows gets; `part` is the part of its dirt that copies are."""
        return int(rows * self.dirt * part)

"""Checking level vectors of full-domain generalization against a frequency set, in numpy alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kveil.privacy.coding import Coding
from kveil.privacy.frequency import FrequencySet, class_numbers
from kveil.privacy.full_domain import generalized, height, penalty
from kveil.privacy.lattice import Checked, Levels
from kveil.privacy.models import Model

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]


@dataclass(frozen=True)
class LevelCheck:
    """What each level vector suppresses and loses. `fixed` numbers the partitions: they are never generalized."""

    frequencies: FrequencySet
    model: Model
    fixed: I64
    ids: tuple[tuple[I64, ...], ...]
    losses: tuple[tuple[F64, ...], ...]

    @classmethod
    def of(cls, frequencies: FrequencySet, codings: Sequence[Coding], model: Model) -> "LevelCheck":
        """From a frequency set whose first column is the partition's number and whose others are the codings' codes."""
        codes = frequencies.codes
        ids, losses = [], []
        for i, coding in enumerate(codings, 1):
            levels = range(height(coding))
            generalizations = [generalized(coding, codes[:, i], level) for level in levels]
            ids.append(tuple(np.unique(each, return_inverse=True)[1].astype(np.int64) for each in generalizations))
            losses.append(tuple(penalty(coding, codes[:, i], level) / len(codings) for level in levels))
        return cls(frequencies, model, codes[:, 0], tuple(ids), tuple(losses))

    def penalties(self) -> list[F64]:
        """Per column the mean loss over all rows at each level, as `lattice.optimal` takes it."""
        rows = self.frequencies.rows
        dimensions = len(self.losses)
        return [np.array([dimensions * (loss * rows).sum() / rows.sum() for loss in levels]) for levels in self.losses]

    def __call__(self, levels: Levels) -> Checked:
        """Rows in classes that break the model, and the mean loss."""
        columns = [self.fixed, *(self.ids[i][level] for i, level in enumerate(levels))]
        numbers = class_numbers(columns, [int(column.max(initial=0)) + 1 for column in columns])
        classes = int(numbers.max(initial=-1)) + 1
        safe = self.frequencies.people_in(numbers, classes) >= self.model.k
        for i, need in enumerate(self.model.distinct):
            safe &= self.frequencies.values_in(i, numbers, classes) >= need
        rows = self.frequencies.rows
        kept = rows * safe[numbers]
        loss = np.sum([self.losses[i][level] for i, level in enumerate(levels)], axis=0)
        suppressed = int(rows.sum() - kept.sum())
        return Checked(suppressed, float(((loss * kept).sum() + suppressed) / rows.sum()))

"""The distinct rows of a table with their people: all that k-anonymity of any generalization depends on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]


@dataclass(frozen=True)
class FrequencySet:
    """Distinct tuples: codes [m, d], rows [m], and who holds them: people that hold one tuple alone as counts [m], all
    others as pairs (tuple, person). Per sensitive column the pairs (tuple, value).
    """

    codes: I64
    rows: I64
    single: I64
    tuple_of_pair: I64
    person_of_pair: I64
    sensitive: tuple[tuple[I64, I64], ...]

    @classmethod
    def of(cls, codes: I64, people: I64, rows: I64, sensitive: I64) -> "FrequencySet":
        """From rows of codes [n, d], person ids [n], how often each row stands [n] and sensitive ids [n, s]."""
        first, index = distinct_rows(codes)
        distinct = codes[first]
        people = np.unique(people, return_inverse=True)[1].astype(np.int64)
        pairs = np.unique(index * (int(people.max(initial=0)) + 1) + people)
        held, person = np.divmod(pairs, int(people.max(initial=0)) + 1)
        alone = np.bincount(person)[person] == 1
        values = [np.unique(column, return_inverse=True)[1].astype(np.int64) for column in sensitive.T]
        return cls(
            distinct,
            np.bincount(index, weights=rows, minlength=len(distinct)).astype(np.int64),
            np.bincount(held[alone], minlength=len(distinct)),
            held[~alone],
            person[~alone],
            tuple(_distinct_pairs(index, column) for column in values),
        )

    def people_in(self, class_of_tuple: I64, classes: int) -> I64:
        """Distinct people of each class, from the class of each tuple."""
        people = np.bincount(class_of_tuple, weights=self.single, minlength=classes).astype(np.int64)
        shared = _distinct_pairs(class_of_tuple[self.tuple_of_pair], self.person_of_pair)[0]
        return people + np.bincount(shared, minlength=classes)

    def values_in(self, column: int, class_of_tuple: I64, classes: int) -> I64:
        """Distinct values of a sensitive column in each class."""
        tuples, values = self.sensitive[column]
        return np.bincount(_distinct_pairs(class_of_tuple[tuples], values)[0], minlength=classes)


def _distinct_pairs(left: I64, right: I64) -> tuple[I64, I64]:
    width = int(right.max(initial=0)) + 1
    return np.divmod(np.unique(left * width + right), width)


def distinct_rows(ids: I64) -> tuple[I64, I64]:
    """The index of a first row of each kind, and each row's kind, of ids [n, d]."""
    found = [np.unique(column, return_inverse=True) for column in ids.T]
    kinds = class_numbers([inverse.astype(np.int64) for _, inverse in found], [max(len(values), 1) for values, _ in found])
    return np.unique(kinds, return_index=True)[1], kinds


def class_numbers(columns: Sequence[I64], sizes: Sequence[int]) -> I64:
    """Equal rows get equal numbers, from 0 on without gaps; column i holds numbers from 0 to below sizes[i]."""
    number, width = np.zeros(len(columns[0]), dtype=np.int64), 1
    for column, size in zip(columns, sizes, strict=True):
        if width > _WIDEST // size:
            number = np.unique(number, return_inverse=True)[1].astype(np.int64)
            width = len(number)
        number, width = number * size + column, width * size
    return np.unique(number, return_inverse=True)[1].astype(np.int64)


_WIDEST = 2**62

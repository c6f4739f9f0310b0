"""The law of a weighted sum of independent noises: how far an estimate strays that is made of several noisy numbers."""

import math
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np

from kveil.privacy.sensitivity import Noise

_STEP, _END = 0.05, 400.0
_HALVINGS = 60


class Error(Protocol):
    """How far a noisy number strays."""

    @property
    def standard_error(self) -> float:
        """Of the noise alone, in whole units."""
        ...

    def half_width(self, share: float = 0.95) -> float:
        """The noise is within this distance, in whole units, with at least this probability."""
        ...


@dataclass(frozen=True)
class Part:
    """So many independent noises of one law, each with the same weight."""

    weight: float
    times: int
    noise: Noise


@dataclass(frozen=True)
class NoiseSum:
    """The sum of parts, none of which depends on another."""

    parts: tuple[Part, ...]

    @property
    def standard_error(self) -> float:
        """Of the sum, in whole units; an upper bound for the discrete laws."""
        return math.sqrt(sum(part.times * (part.weight * part.noise.standard_error) ** 2 for part in self.parts))

    def half_width(self, share: float = 0.95) -> float:
        """The sum is within this distance, in whole units, with at least this probability.

        From the continuous laws' characteristic functions; the discrete laws are narrower, but for their grain.
        """
        error = self.standard_error
        return _quantile(_standard(self.parts, error), share) * error + 1 / min(part.noise.grain for part in self.parts)


def _standard(parts: tuple[Part, ...], error: float) -> tuple[tuple[str, float, int], ...]:
    """Mechanism, part of the standard error and number of each noise of a sum that is scaled to standard error one."""
    return tuple(
        (part.noise.mechanism, round(abs(part.weight) * part.noise.standard_error / error, 12), part.times) for part in parts
    )


@cache
def _quantile(noises: tuple[tuple[str, float, int], ...], share: float) -> float:
    """Within which distance the sum of these lies with this probability.

    P(|X| <= x) is the integral over t > 0 of 2 sin(tx) phi(t) / (pi t) (Gil-Pelaez 1951). The integrand is even and analytic, so
    that the trapezoid rule errs by far less than where the integral is cut, which is below 1e-8.
    """
    t = np.arange(_STEP, _END, _STEP)
    logs = np.zeros_like(t)
    for mechanism, size, times in noises:
        square = (size * t) ** 2 / 2
        logs -= times * (np.log1p(square) if mechanism == "laplace" else square)
    density = 2 * np.exp(logs) / (np.pi * t)
    low, high = 0.0, 1 / math.sqrt(1 - share)  # Chebyshev's inequality
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        held = _STEP * (middle / np.pi + float(np.sin(t * middle) @ density))
        low, high = (middle, high) if held < share else (low, middle)
    return high

"""Fold a series at a period and ask how well a cycle is foreseen by the others.

The mean level of each cycle is taken away first, so a trend explains nothing; what remains is compared with the
mean of the *other* cycles, so a longer profile gains nothing by its length.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from tsprune.types import Floats, Matrix

#: Degrees of freedom from which the tail of Student's t is computed from the normal's.
NORMAL_FROM = 200


class Evidence(NamedTuple):
    """The share of variance that the other cycles foresee, and its t statistic over the cycles."""

    gain: float
    t: float


def prepare(x: Floats) -> Floats | None:
    """Fill by lines, clip far outliers, standardise; None where too little is known, or nothing varies."""
    known = np.isfinite(x)
    if known.sum() < max(20, 0.4 * len(x)):
        return None
    row = np.arange(len(x))
    x = (x if known.all() else np.interp(row, row[known], x[known])) / max(float(np.abs(x[known]).max()), 1e-300)
    low, high = np.quantile(x, [0.005, 0.995])
    x = np.clip(x, low - 0.5 * (high - low), high + 0.5 * (high - low))
    spread = float(x.std())
    return (x - x.mean()) / spread if spread > 1e-12 else None


class Folds:
    """A standardised series, folded at any period; gains are kept."""

    def __init__(self, x: Floats):
        self.x, self.n = x, len(x)
        self._gains: dict[int, float] = {}

    @cached_property
    def _sums(self) -> Floats:
        return np.concatenate([[0.0], np.cumsum(self.x)])

    def rest(self, period: int) -> Floats:
        """The series less the mean of one cycle around each sample, where there is a whole cycle around it."""
        level = (self._sums[period:] - self._sums[:-period]) * (1.0 / period)
        if period % 2 == 0:  # half of either end
            level = 0.5 * (level[1:] + level[:-1])
        return self.x[period // 2 : period // 2 + len(level)] - level

    def cycles(self, period: int, without: int = 0) -> Matrix:
        """The last whole cycles of the rest, shape (n_cycles, period), clipped at four standard deviations.

        With `without`, the mean pattern of that period is taken away before.
        """
        rest = self.rest(period)
        if without:
            rest = rest - np.resize(profile(rest, without), len(rest))
        rest = rest[len(rest) % period :]
        reach = 4.0 * math.sqrt(float(np.einsum("i,i", rest, rest)) / max(1, len(rest)))
        return np.clip(rest, -reach, reach).reshape(-1, period)

    def gain(self, period: int) -> float:
        """The share of variance that the mean of the other cycles foresees; -1 where there is none."""
        if period not in self._gains:
            self._gains[period] = gain(self.cycles(period))
        return self._gains[period]

    @property
    def tried(self) -> list[int]:
        """The periods whose gains are known."""
        return list(self._gains)

    def evidence(self, period: int, without: int = 0) -> Evidence:
        """Gain and t statistic; with `without`, in what that period leaves."""
        return evidence(self.cycles(period, without))


def profile(values: Floats, period: int) -> Floats:
    """The mean of each phase, shape (period,).

    >>> import numpy as np
    >>> from tsprune.kernels.folds import profile
    >>> profile(np.array([1.0, 5.0, 3.0]), 2).tolist()
    [2.0, 5.0]
    """
    phase = np.arange(len(values)) % period
    return np.bincount(phase, values, period) / np.bincount(phase, minlength=period)


def gain(cycles: Matrix) -> float:
    """1 - (squared errors when each cycle is foreseen by the mean of the others) / (squares), from sums alone."""
    count = len(cycles)
    square = float(np.einsum("ij,ij", cycles, cycles))
    if count < 2 or square <= 1e-12 * cycles.size:
        return -1.0
    total = cycles.sum(axis=0)
    return 1.0 - (count / (count - 1)) ** 2 * (1.0 - float(np.einsum("i,i", total, total)) / (count * square))


def evidence(cycles: Matrix) -> Evidence:
    """Gain, and the t statistic of the gains of single cycles."""
    count = len(cycles)
    square = np.einsum("ij,ij->i", cycles, cycles)
    if count < 2 or square.sum() <= 1e-12 * cycles.size:
        return Evidence(-1.0, 0.0)
    total = cycles.sum(axis=0)
    like = np.einsum("ij,j->i", cycles, total)
    error = (count * count * square - 2.0 * count * like + np.einsum("i,i", total, total)) / (count - 1) ** 2
    each = square - error
    spread = float(each.std(ddof=1)) / math.sqrt(count) + 1e-12 * float(square.sum())
    return Evidence(float(each.sum() / square.sum()), float(each.mean()) / spread)


def t_tail(t: float, degrees: int) -> float:
    """The probability that Student's t exceeds a positive `t`.

    >>> from tsprune.kernels.folds import t_tail
    >>> round(t_tail(12.924, 3), 6)
    0.0005

    Source
    ------
    Abramowitz & Stegun, Handbook of Mathematical Functions, 26.7.3, 26.7.4 and (from 200 degrees on) 26.7.8.
    """
    if degrees >= NORMAL_FROM:
        z = t * (1.0 - 0.25 / degrees) / math.sqrt(1.0 + 0.5 * t * t / degrees)
        return 0.5 * math.erfc(z / math.sqrt(2.0))
    angle = math.atan2(t, math.sqrt(degrees))
    odd = degrees % 2
    term, total = (math.cos(angle), 0.0) if odd else (1.0, 0.0)
    for i in range(2 + odd, degrees + 1, 2):
        total += term
        term *= math.cos(angle) ** 2 * (i - 1) / i
    inside = 2.0 / math.pi * (angle + math.sin(angle) * total) if odd else math.sin(angle) * total
    return 0.5 * max(0.0, 1.0 - inside)

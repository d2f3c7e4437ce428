"""Seasonal-trend decomposition by loess (STL), exact, for one series or many of one length.

Source
------
Cleveland, Cleveland, McRae & Terpenning (1990), STL: A Seasonal-Trend Decomposition Procedure Based on Loess,
Journal of Official Statistics 6, 3-73.  Results are those of statsmodels' STL, to rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tsprune.kernels.fill import fill
from tsprune.kernels.filters import smooth_into
from tsprune.kernels.labelled import runs
from tsprune.kernels.loess import Loess

if TYPE_CHECKING:
    from collections.abc import Callable

    from tsprune.types import Floats, Matrix

#: Samples that are decomposed together: what one core's cache holds.
TOGETHER = 1 << 16
#: With `widen`: the share of its plain weight that a local fit needs.
WIDEN_BELOW = 0.1
#: Residuals whose median is below this share of the values are rounding: nothing to be robust against.
ROUNDING = 1e-14
#: Samples times loops from which machine code repays its loading (about a second).
COMPILE_FROM = 1 << 21


@dataclass(frozen=True)
class Settings:
    """Windows in samples (seasonal: in cycles), degrees 0 or 1, loop counts; the names are those of statsmodels."""

    period: int
    seasonal: int
    trend: int
    low_pass: int
    seasonal_deg: int = 1
    trend_deg: int = 1
    low_pass_deg: int = 1
    seasonal_jump: int = 1
    trend_jump: int = 1
    low_pass_jump: int = 1
    inner_iter: int = 5
    outer_iter: int = 0
    widen: bool = False  # where all robustness weights of a fit vanish: widen its window, or return the sample

    @property
    def loops(self) -> int:
        """How often every smoother runs."""
        return self.inner_iter * (self.outer_iter + 1)


class Parts(NamedTuple):
    """The parts of a decomposition and the robustness weights, each of the shape of the values."""

    trend: Floats
    seasonal: Floats
    weights: Floats


def default_trend(period: int, seasonal: int) -> int:
    """Return the smallest odd trend window that keeps trend and season apart, by the rule of the paper (section 4.4).

    >>> from tsprune.kernels.stl import default_trend
    >>> default_trend(12, 7)
    23
    """
    return math.ceil(1.5 * period / (1.0 - 1.5 / seasonal)) // 2 * 2 + 1


def stl(values: Floats, settings: Settings) -> Parts:
    """Decompose finite series.

    Parameters
    ----------
    values : ndarray, shape (n,) or (n, d)
        Finite; n is at least two periods.
    settings : Settings

    Returns
    -------
    Parts
        `values - trend - seasonal` is the residual.
    """
    columns = values.reshape(len(values), -1)
    n, d = columns.shape
    plan = _plan(n, settings, columns.size * settings.loops >= COMPILE_FROM)
    step = max(1, TOGETHER // n)
    pieces = [plan.decompose(np.ascontiguousarray(columns[:, j : j + step].T)) for j in range(0, d, step)]
    joined = (part[0] if len(part) == 1 else np.concatenate(part) for part in zip(*pieces, strict=True))
    return Parts(*(part.T.reshape(values.shape) for part in joined))


def with_gaps(values: Floats, period: int, method: Callable[[Floats], Parts]) -> Parts:
    """Decompose series in which samples may be missing, each by its own gaps.

    Parameters
    ----------
    values : ndarray, shape (n,) or (n, d)
        NaN marks a missing sample.
    period : int
        The (shortest) period, by which long gaps are filled; a gap longer than that is filled again from the first decomposition.
    method : callable
        Decomposes finite values of either shape.

    Returns
    -------
    Parts
        Trend and seasonal are finite everywhere; a missing sample has weight 0.
    """
    missing = np.isnan(values)
    if not missing.any():
        return method(values)
    columns, gaps = values.reshape(len(values), -1), missing.reshape(len(values), -1)
    parts = method(np.column_stack([fill(column, period) for column in columns.T]))
    for j in np.flatnonzero(gaps.any(axis=0)):
        if runs(gaps[:, j]).lengths.max() > period:
            fitted = parts.trend[:, j] + parts.seasonal[:, j].reshape(len(values), -1).sum(axis=1)
            for part, again in zip(parts, method(np.where(gaps[:, j], fitted, columns[:, j])), strict=True):
                part[:, j] = again
    parts.weights[gaps] = 0.0
    return parts if values.ndim == 2 else Parts(*(part[:, 0] for part in parts))


class Plan:
    """The smoothers of one length and setting, built once for many series."""

    def __init__(self, n: int, settings: Settings, *, compiled: bool = False):
        self.n, self.settings = n, settings
        s = settings
        floor = WIDEN_BELOW if s.widen else 0.0
        smoother = partial(Loess, n, floor=floor, compiled=compiled)
        self.seasonal = smoother(s.seasonal, s.seasonal_deg, jump=s.seasonal_jump, stride=s.period, extend=True)
        self.trend = smoother(s.trend, s.trend_deg, jump=s.trend_jump)
        self.low_pass = smoother(s.low_pass, s.low_pass_deg, jump=s.low_pass_jump)

    def decompose(self, values: Matrix) -> Parts:
        """Decompose the rows of an array of shape (n_series, n)."""
        level = values.mean(axis=1, keepdims=True)  # fits reproduce constants: take it away for the sake of rounding
        y = values - level
        trend, seasonal, rest = np.zeros_like(y), np.zeros_like(y), np.empty_like(y)
        cycles = np.empty((len(y), self.n + 2 * self.settings.period))
        weights = of_cycles = of_trend = None
        for outer in range(self.settings.outer_iter + 1):
            if outer:
                weights = robustness(y - trend - seasonal, ROUNDING * np.abs(values).max(axis=1, keepdims=True))
                of_cycles, of_trend = self.seasonal.weigh(weights), self.trend.weigh(weights)
            for _ in range(self.settings.inner_iter):
                self.seasonal.smooth(np.subtract(y, trend, out=rest), of_cycles, out=cycles)
                self._low(cycles, out=rest)
                np.subtract(cycles[:, self.settings.period : -self.settings.period], rest, out=seasonal)
                self.trend.smooth(np.subtract(y, seasonal, out=rest), of_trend, out=trend)
        trend += level
        return Parts(trend, seasonal, np.ones_like(y) if weights is None else weights)

    def _low(self, cycles: Matrix, out: Matrix) -> None:
        """Moving averages over a period, a period and 3 samples, then loess: all that is slow in the seasonal part."""
        low, p = self.low_pass, self.settings.period
        if low.interior is None or low.jump > 1:
            low.smooth(_moving_averages(cycles, p), out=out)
            return
        smooth_into(out, low.half, cycles, self._low_kernel, compiled=low.compiled)
        reach = low.window + 2 * p
        ends = np.concatenate([cycles[:, :reach], cycles[:, ::-1][:, :reach]])
        fits = low.groups[0].ends.fit(np.ascontiguousarray(_moving_averages(ends, p).T)).T
        out[:, : low.half] = fits[: len(cycles)]
        out[:, ::-1][:, : low.half] = fits[len(cycles) :]

    @cached_property
    def _low_kernel(self) -> Floats:
        p = self.settings.period
        boxes = np.convolve(np.convolve(np.ones(p), np.ones(p)), np.ones(3)) / (3.0 * p * p)
        assert self.low_pass.interior is not None
        return np.convolve(boxes, self.low_pass.interior.kernel / self.low_pass.interior.mass)


@lru_cache(maxsize=1)
def _plan(n: int, settings: Settings, compiled: bool) -> Plan:
    """The plan of the last length, kept: a fleet's series, decomposed one after the other, share it."""
    return Plan(n, settings, compiled=compiled)


def robustness(residual: Matrix, rounding: Matrix) -> Matrix:
    """Bisquare weights of each row's residuals: 1 near zero, 0 beyond six medians of their size."""
    size = np.abs(residual)
    n = size.shape[1]
    middle = np.partition(size, [n - n // 2 - 1, n // 2], axis=1)
    reach = 3.0 * (middle[:, n // 2] + middle[:, n - n // 2 - 1])[:, None]
    known = reach > 6.0 * rounding
    share = size / np.where(known, reach, 1.0)
    weights = np.where(share <= 0.001, 1.0, np.where(share <= 0.999, (1.0 - share**2) ** 2, 0.0))
    return np.where(known, weights, 1.0)


def _moving_averages(x: Matrix, period: int) -> Matrix:
    """Means over a period, a period and 3 samples, one after the other: 2 * period samples fewer."""
    for width in (period, period, 3):
        total = np.cumsum(np.concatenate([np.zeros((len(x), 1)), x], axis=1), axis=1)
        x = (total[:, width:] - total[:, :-width]) / width
    return x

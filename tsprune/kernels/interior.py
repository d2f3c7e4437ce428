"""Local fits away from the ends of a series: one fixed filter, or under robustness weights, one for each moment.

What follows from the weights alone is prepared once, for they stay while the values change from loop to loop.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels.edges import NOWHERE, WEAK, Tilt, tilt, tricube
from tsprune.kernels.filters import BAND_TAPS, DIRECT_TAPS, chunks, correlate, smooth_into

if TYPE_CHECKING:
    from tsprune.types import Floats, Ints, Matrix

#: Terms that are summed one by one at a time (8 MB).
TERMS = 1 << 20


class Interior:
    """Fits of `window` samples, `stride` apart, of a series of n; those whose whole window lies inside.

    Parameters
    ----------
    n, window, degree, stride : int
        As in `Loess`; the window is not longer than a phase.
    floor : float
        Share of the plain weight of a fit below which there is none.
    compiled : bool
        Run windows of moderate length as machine code.
    """

    def __init__(self, n: int, window: int, degree: int, stride: int, floor: float, *, compiled: bool):
        self.n, self.degree, self.stride, self.floor = n, degree, stride, floor
        self.half, self.window = window // 2, window
        self.span = 2 * self.half * stride
        self.compiled = compiled
        u = np.arange(window) - self.half
        self.kernel = tricube(np.abs(u), np.array(float(self.half)))
        self.moments = [self.kernel, self.kernel * u / self.half, self.kernel * (u / self.half) ** 2]
        self.mass = float(self.kernel.sum())

    @property
    def machine_code(self) -> bool:
        """Whether weighted fits run as machine code."""
        return self.compiled and self.window <= DIRECT_TAPS

    @cached_property
    def limits(self) -> Floats:
        """For each fit, the spread of weights below which its line is a constant; it grows with the samples of its phase."""
        cycles, more = divmod(self.n, self.stride)
        samples = cycles + (np.arange(self.span // 2, self.n - self.span // 2) % self.stride < more)
        return 0.001 * (samples - 1) / self.half

    def plain(self, values: Matrix, out: Matrix, at: int) -> None:
        """Write the fits of each series, shape (n_series, n), to `out` from column `at` on."""
        smooth_into(out, at, values, self.kernel / self.mass, self.stride, compiled=self.compiled)

    def tilt(self, weights: Matrix) -> Tilt:
        """Prepare fits under robustness weights of shape (n_series, n)."""
        shape = (len(weights), self.n - self.span)
        level, slope = np.empty(shape), np.empty(shape) if self.degree else None
        if self.machine_code:
            from tsprune.kernels.compiled_loess import weigh

            weigh(weights, self.kernel[self.half : -1], self.half, self.stride, self.limits, self.floor * self.mass, level, slope)
            return Tilt(level, slope, (NOWHERE, NOWHERE))
        weak = []
        for begin, end in chunks(shape[1], self.span, shape[0]):
            inside = weights[:, begin : end + self.span]
            sums = correlate(inside, self.moments[: 3 if self.degree else 1], self.stride)
            series, fits = self._weak(sums[0])
            self._sum_again(sums, inside, series, fits)
            weak.append((series, begin + fits))
            part = tilt(0.0, sums, self.limits[begin:end], self.floor * self.mass, weak[-1])
            level[:, begin:end] = part.level
            if slope is not None:
                slope[:, begin:end] = part.slope
        series, fits = (np.concatenate(axis) for axis in zip(*weak, strict=True))
        return Tilt(level, slope, (series, fits))

    def weighted(self, values: Matrix, weights: Matrix, tilted: Tilt, out: Matrix, at: int) -> None:
        """Write the weighted fits of each series to `out` from column `at` on."""
        level, slope, (series, fits) = tilted
        if self.machine_code:
            from tsprune.kernels.compiled_loess import fit

            fit(values, weights, level, slope, self.kernel[self.half : -1], self.half, self.stride, out, at)
            return
        for begin, end in chunks(self.n - self.span, self.span, len(values)):
            inside = weights[:, begin : end + self.span] * values[:, begin : end + self.span]
            sums = correlate(inside, self.moments[: 1 if slope is None else 2], self.stride)
            here = (fits >= begin) & (fits < end)
            self._sum_again(sums, inside, series[here], fits[here] - begin)
            smoothed = level[:, begin:end] * sums[0]
            out[:, at + begin : at + end] = smoothed if slope is None else smoothed + slope[:, begin:end] * sums[1]

    def _weak(self, mass: Matrix) -> tuple[Ints, Ints]:
        """The fits with so little weight that the rounding of a transform would be felt."""
        if self.window <= BAND_TAPS or self.floor >= WEAK:
            return NOWHERE, NOWHERE
        series, fits = np.nonzero(mass < WEAK * self.mass)
        return series, fits

    def _sum_again(self, sums: list[Matrix], columns: Matrix, series: Ints, fits: Ints) -> None:
        """Take the sums of some fits term by term."""
        if not len(fits):
            return
        taps = np.arange(self.window) * self.stride
        for part in np.array_split(np.arange(len(fits)), len(fits) * self.window // TERMS + 1):
            terms = columns[series[part, None], fits[part, None] + taps]
            for total, moment in zip(sums, self.moments, strict=False):
                total[series[part], fits[part]] = terms @ moment

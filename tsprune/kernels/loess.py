"""Local regression (loess) over equally spaced samples, exact and at a price that does not grow with the window.

Away from the ends every fit uses the same tricube weights, so a plain smooth is one fixed filter, and a
weighted one is five: the moments of the weights and of the weighted values.  Near the ends the window stands
still and the weights change from row to row: a small matrix (`kernels.edges`), the same for both ends in a mirror.

One plan smooths one series (stride 1) or the samples of each phase of a season (stride = period).

Source
------
Cleveland, Cleveland, McRae & Terpenning (1990), STL, Journal of Official Statistics 6, 3-73; the constants and the
treatment of ends, jumps and vanished weights are those of its NETLIB code, which statsmodels follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels.edges import WEAK, Rows, line, tricube
from tsprune.kernels.filters import BAND_TAPS, DIRECT_TAPS, chunks, correlate, smooth_into

if TYPE_CHECKING:
    from tsprune.types import Floats, Ints, Mask, Matrix


@dataclass(frozen=True)
class Group:
    """Phases with equally many samples, and what their two ends need."""

    phases: slice
    n: int  # samples of each phase
    left: Rows  # also the right end, in a mirror
    right_rows: int
    last: Rows | None  # the last sample, where jumps pass it by
    last_window: int  # where the window of that fit begins


class Loess:
    """Smooth n samples per series by local constants or lines of `window` samples.

    Parameters
    ----------
    n, window : int
        Samples in each series, and in each fit (odd; beyond the ends of a short series it only flattens the weights).
    degree : {0, 1}
        Of the local polynomial.
    jump : int
        Fit every `jump`-th sample and join the fits by lines.
    stride : int
        Samples from one to the next of the same phase; n is at least twice that.
    extend : bool
        Also predict one sample before the first and after the last of each phase: n + 2 * stride values.
    floor : float
        Where robustness weights leave less than this share of a fit's plain weight, the window is doubled until they leave more;
        at 0 a fit without any weight is the sample itself, as in the NETLIB code.
    compiled : bool
        Run the inner loops as machine code; worth it for some million samples.
    """

    def __init__(
        self,
        n: int,
        window: int,
        degree: int,
        *,
        jump: int = 1,
        stride: int = 1,
        extend: bool = False,
        floor: float = 0.0,
        compiled: bool = False,
    ):
        self.n, self.window, self.degree, self.jump, self.stride = n, window, degree, jump, stride
        self.extend, self.floor, self.compiled = extend, floor, compiled
        self.half = window // 2
        cycles, more = divmod(n, stride)
        self.interior = window <= cycles
        spans = [(slice(0, more), cycles + 1), (slice(more, stride), cycles)]
        self.groups = [self._group(phases, k) for phases, k in spans if phases.start < phases.stop]
        self.kernel = tricube(np.abs(np.arange(window) - self.half), np.array(float(self.half)))

    def _group(self, phases: slice, n: int) -> Group:
        """Plan the rows that the fixed filter does not reach: both halves of the window, or all of a short series."""
        window = min(self.window, n)
        rows = self.half if self.interior else (n + 1) // 2
        beyond = max(0, (self.window - n) // 2)
        left = Rows.leading(rows, window, self.degree, n, before=int(self.extend), beyond=beyond)
        jump = min(self.jump, n - 1)
        knot = (n - 1) // jump * jump
        begin = min(max(knot - self.half, 0), n - window)
        last = Rows(np.array([n - 1 - begin]), window, self.degree, n, beyond=beyond) if knot != n - 1 else None
        return Group(phases, n, left, rows if self.interior else n // 2, last, begin)

    def smooth(self, values: Matrix, weights: Matrix | None = None, out: Matrix | None = None) -> Matrix:
        """Smooth each series.

        Parameters
        ----------
        values : ndarray, shape (n_series, n)
        weights : ndarray, shape (n_series, n), optional
            Robustness weights in [0, 1].
        out : ndarray, optional
            Where to write the result.

        Returns
        -------
        ndarray, shape (n_series, n), or (n_series, n + 2 * stride) where `extend`
        """
        before = self.stride if self.extend else 0
        out = np.empty((len(values), self.n + 2 * before)) if out is None else out
        body = out[:, before : before + self.n]
        if self.interior:
            self._fill_interior(out, before + self.half * self.stride, values, weights)
        self._fill_ends(out, values, weights)
        if weights is not None:
            self._replace_vanished(body, values, weights)
        if self.jump > 1:
            self._join(body, values, weights)
        if self.extend and weights is not None:
            _copy_where_nan(out[:, :before], body[:, :before])
            _copy_where_nan(out[:, -before:], body[:, -before:])
        return out

    def _fill_interior(self, out: Matrix, at: int, values: Matrix, weights: Matrix | None) -> None:
        if weights is None:
            smooth_into(out, at, values, self.kernel / self.kernel.sum(), self.stride, compiled=self.compiled)
        elif self.compiled and self.window <= DIRECT_TAPS:
            from tsprune.kernels.compiled_loess import fit

            half = self.kernel[self.half : -1]  # the outermost weight is zero
            fit(values, weights, half, self.half, self.stride, self.limits, self.degree, self.floor * self.kernel.sum(), out, at)
        else:
            span = 2 * self.half * self.stride
            for begin, end in chunks(self.n - span, span, len(values)):
                inside = slice(begin, end + span)
                out[:, at + begin : at + end] = self._fit(values[:, inside], weights[:, inside], self.limits[begin:end])

    def _fit(self, values: Matrix, weights: Matrix, limits: Floats) -> Matrix:
        kernels = self.moment_kernels
        sums = correlate(weights, kernels, self.stride) + correlate(weights * values, kernels[:2], self.stride)
        if self.window > BAND_TAPS and self.floor < WEAK:
            self._recompute_weak(sums, values, weights)
        return line(0.0, sums, limits, self.degree, self.floor * self.kernel.sum())

    @cached_property
    def limits(self) -> Floats:
        """For each interior sample, the spread of weights below which its line is a constant; it grows with the samples of its phase."""
        reach = self.half * self.stride
        cycles, more = divmod(self.n, self.stride)
        samples = cycles + (np.arange(reach, self.n - reach) % self.stride < more)
        return 0.001 * (samples - 1) / self.half

    @cached_property
    def moment_kernels(self) -> list[Floats]:
        """The tricube weights times 1, u and u^2, u the distance in half windows."""
        u = (np.arange(self.window) - self.half) / self.half
        return [self.kernel, self.kernel * u, self.kernel * u * u]

    def _recompute_weak(self, sums: list[Matrix], values: Matrix, weights: Matrix) -> None:
        """Sum again, term by term, where the rounding of a transform would be felt."""
        series, at = np.nonzero(sums[0] < WEAK * self.kernel.sum())
        taps = np.arange(self.window) * self.stride
        stack = np.array(self.moment_kernels)
        for part in np.array_split(np.arange(len(at)), len(at) * self.window // 2**20 + 1):
            rows, columns = series[part, None], at[part, None] + taps
            w = weights[rows, columns]
            exact = [*(w @ stack.T).T, *((w * values[rows, columns]) @ stack[:2].T).T]
            for total, right in zip(sums, exact, strict=True):
                total[series[part], at[part]] = right

    def _fill_ends(self, out: Matrix, values: Matrix, weights: Matrix | None) -> None:
        """Both ends at once: the right one is the left one of the mirrored series."""
        d, before = len(values), int(self.extend)
        for group in self.groups:
            blocks = _both_ends(values, group.left.window, self.stride)[:, :, group.phases]
            w = None if weights is None else _both_ends(weights, group.left.window, self.stride)[:, :, group.phases]
            fitted = group.left.fit(blocks, w, self.floor)
            for end, part, rows in ((out, fitted[:d], group.left.count), (out[:, ::-1], fitted[d:], before + group.right_rows)):
                end[:, : rows * self.stride].reshape(d, rows, self.stride)[:, :, group.phases] = part[:, :rows]

    def _replace_vanished(self, body: Matrix, values: Matrix, weights: Matrix) -> None:
        vanished = np.isnan(body)
        if not vanished.any():
            return
        body[vanished] = (values if self.floor == 0.0 else self._widened(values, weights))[vanished]

    def _widened(self, values: Matrix, weights: Matrix) -> Matrix:
        """Fits over twice the window, which widen in turn; over everything at last, and without weights where none are left."""
        if self.window >= self.n // self.stride:
            return Loess(self.n, self.window, self.degree, stride=self.stride).smooth(values)
        return Loess(self.n, 2 * self.window + 1, self.degree, stride=self.stride, floor=self.floor).smooth(values, weights)

    def _join(self, body: Matrix, values: Matrix, weights: Matrix | None) -> None:
        """Keep the fits at every `jump`-th sample and at the last one, and draw lines between them."""
        for group in self.groups:
            rows = _samples_of(self.stride, group)
            fits, jump = body[:, rows], min(self.jump, group.n - 1)
            if group.last is not None:
                window = rows[group.last_window : group.last_window + group.last.window]
                last = group.last.fit(values[:, window], None if weights is None else weights[:, window], self.floor)[:, 0]
                if self.floor == 0.0:
                    _copy_where_nan(last, values[:, rows[-1]])
                fits[:, -1] = np.where(np.isnan(last), fits[:, -1], last)
            row = np.arange(group.n)
            start = row // jump * jump
            end = np.minimum(start + jump, group.n - 1)
            share = (row - start) / np.maximum(end - start, 1)
            body[:, rows] = fits[:, start] + (fits[:, end] - fits[:, start]) * share[:, None]


def _both_ends(values: Matrix, rows: int, stride: int) -> Floats:
    """The first rows of each phase, and of the mirrored series, shape (2 * n_series, rows, stride); an incomplete row ends in zeros."""
    d, n = values.shape
    ends = np.zeros((2 * d, rows * stride))
    reach = min(n, rows * stride)
    ends[:d, :reach] = values[:, :reach]
    ends[d:, :reach] = values[:, ::-1][:, :reach]
    return ends.reshape(2 * d, rows, stride)


def _samples_of(stride: int, group: Group) -> Ints:
    """Positions of the samples of each phase of a group, shape (samples, phases)."""
    return np.arange(group.n)[:, None] * stride + np.arange(stride)[group.phases]


def _copy_where_nan(target: Matrix, source: Matrix) -> None:
    missing: Mask = np.isnan(target)
    target[missing] = source[missing]

"""Local regression (loess) over equally spaced samples, exact and at a price that hardly grows with the window.

Away from the ends every fit uses the same tricube weights: a fixed filter (`kernels.interior`).  Near the ends the window
stands still and the weights change from row to row: a small matrix (`kernels.edges`), the same for both ends in a mirror.
One plan smooths one series (stride 1), or the samples of each phase of a season (stride = period).

Source
------
Cleveland, Cleveland, McRae & Terpenning (1990), STL, Journal of Official Statistics 6, 3-73; the constants and the
treatment of ends, jumps and vanished weights are those of its NETLIB code, which statsmodels follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels.edges import Rows, Tilt
from tsprune.kernels.interior import Interior

if TYPE_CHECKING:
    from tsprune.types import Floats, Ints, Matrix


@dataclass(frozen=True)
class Group:
    """Phases with equally many samples, and the fits that the fixed filter does not reach."""

    phases: slice
    n: int  # samples of each phase
    ends: Rows  # the first rows; the last ones in a mirror
    right_rows: int
    last: Rows | None  # the last sample, where jumps pass it by
    last_window: int  # where the window of that fit begins


@dataclass(frozen=True)
class Weighting:
    """Robustness weights, and all that follows from them alone."""

    weights: Matrix
    interior: Tilt | None
    ends: list[tuple[Matrix, Tilt]]  # for each group, the weights of both ends and their fits
    last: list[tuple[Matrix, Tilt] | None]


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
        self.before, self.floor, self.compiled = int(extend), floor, compiled
        self.half = window // 2
        cycles, more = divmod(n, stride)
        self.interior = Interior(n, window, degree, stride, floor, compiled=compiled) if window <= cycles else None
        spans = [(slice(0, more), cycles + 1), (slice(more, stride), cycles)]
        self.groups = [self._group(phases, k) for phases, k in spans if phases.start < phases.stop]

    def _group(self, phases: slice, n: int) -> Group:
        """Plan the rows that the fixed filter does not reach: both halves of the window, or all of a short series."""
        window = min(self.window, n)
        rows, right_rows = (self.half, self.half) if self.interior else ((n + 1) // 2, n // 2)
        beyond = max(0, (self.window - n) // 2)
        ends = Rows.leading(rows, window, self.degree, n, before=self.before, beyond=beyond, floor=self.floor)
        jump = min(self.jump, n - 1)
        knot = (n - 1) // jump * jump
        begin = min(max(knot - self.half, 0), n - window)
        last = Rows(np.array([n - 1 - begin]), window, self.degree, n, beyond=beyond, floor=self.floor)
        return Group(phases, n, ends, right_rows, None if knot == n - 1 else last, begin)

    def weigh(self, weights: Matrix) -> Weighting:
        """Prepare for robustness weights in [0, 1], shape (n_series, n)."""
        ends, last = [], []
        for group in self.groups:
            end = self._both_ends(weights, group)
            ends.append((end, group.ends.tilt(end)))
            window = self._last_window(weights, group)
            last.append(None if group.last is None else (window, group.last.tilt(window)))
        return Weighting(weights, None if self.interior is None else self.interior.tilt(weights), ends, last)

    def smooth(self, values: Matrix, weighting: Weighting | None = None, out: Matrix | None = None) -> Matrix:
        """Smooth each series.

        Parameters
        ----------
        values : ndarray, shape (n_series, n)
        weighting : Weighting, optional
            Made by this plan; without, all samples count alike.
        out : ndarray, optional
            Where to write the result.

        Returns
        -------
        ndarray, shape (n_series, n), or (n_series, n + 2 * stride) where `extend`
        """
        before = self.before * self.stride
        out = np.empty((len(values), self.n + 2 * before)) if out is None else out
        body = out[:, before : before + self.n]
        if self.interior is not None:
            at = before + self.half * self.stride
            if weighting is None or weighting.interior is None:
                self.interior.plain(values, out, at)
            else:
                self.interior.weighted(values, weighting.weights, weighting.interior, out, at)
        self._fill_ends(out, values, weighting)
        if weighting is not None:
            self._replace_vanished(body, values, weighting.weights)
        if self.jump > 1:
            self._join(body, values, weighting)
        if before and weighting is not None:
            _copy_where_nan(out[:, :before], body[:, :before])
            _copy_where_nan(out[:, -before:], body[:, -before:])
        return out

    def _fill_ends(self, out: Matrix, values: Matrix, weighting: Weighting | None) -> None:
        """Both ends at once: the right one is the left one of the mirrored series."""
        d = len(values)
        for i, group in enumerate(self.groups):
            prepared = () if weighting is None else weighting.ends[i]
            fits = group.ends.fit(self._both_ends(values, group), *prepared).reshape(group.ends.count, 2, d, -1)
            for side, end, rows in ((0, out, group.ends.count), (1, out[:, ::-1], self.before + group.right_rows)):
                places = end[:, : rows * self.stride].reshape(d, rows, self.stride)[:, :, group.phases]
                places[:] = fits[:rows, side].swapaxes(0, 1)

    def _both_ends(self, values: Matrix, group: Group) -> Matrix:
        """The first samples of each phase, of the series and of the mirrored series: shape (window, 2 * n_series * phases).

        Zeros stand where a phase has fewer samples than the longest; they belong to the other group.
        """
        d, n = values.shape
        reach = min(n, group.ends.window * self.stride)
        ends = np.zeros((2, d, group.ends.window * self.stride))
        ends[0, :, :reach] = values[:, :reach]
        ends[1, :, :reach] = values[:, ::-1][:, :reach]
        rows = ends.reshape(2 * d, group.ends.window, self.stride)[:, :, group.phases]
        return rows.swapaxes(0, 1).reshape(group.ends.window, -1)

    def _replace_vanished(self, body: Matrix, values: Matrix, weights: Matrix) -> None:
        vanished = np.isnan(body)
        if vanished.any():
            body[vanished] = (values if self.floor == 0.0 else self._widened(values, weights))[vanished]

    def _widened(self, values: Matrix, weights: Matrix) -> Matrix:
        """Fits over twice the window, which widen in turn; over everything at last, and without weights where none are left."""
        if self.window >= self.n // self.stride:
            return Loess(self.n, self.window, self.degree, stride=self.stride).smooth(values)
        wider = Loess(self.n, 2 * self.window + 1, self.degree, stride=self.stride, floor=self.floor)
        return wider.smooth(values, wider.weigh(weights))

    def _join(self, body: Matrix, values: Matrix, weighting: Weighting | None) -> None:
        """Keep the fits at every `jump`-th sample and at the last one, and draw lines between them."""
        for i, group in enumerate(self.groups):
            rows = self._samples_of(group)
            fits, jump = body[:, rows], min(self.jump, group.n - 1)
            if group.last is not None:
                prepared = () if weighting is None else weighting.last[i] or ()
                last = group.last.fit(self._last_window(values, group), *prepared).reshape(len(values), -1)
                if self.floor == 0.0:
                    _copy_where_nan(last, values[:, rows[-1]])
                fits[:, -1] = np.where(np.isnan(last), fits[:, -1], last)
            row = np.arange(group.n)
            start = row // jump * jump
            end = np.minimum(start + jump, group.n - 1)
            share = (row - start) / np.maximum(end - start, 1)
            body[:, rows] = fits[:, start] + (fits[:, end] - fits[:, start]) * share[:, None]

    def _samples_of(self, group: Group) -> Ints:
        """Positions of the samples of each phase of a group, shape (samples, phases)."""
        return np.arange(group.n)[:, None] * self.stride + np.arange(self.stride)[group.phases]

    def _last_window(self, values: Matrix, group: Group) -> Floats:
        """The samples of the fit of the last sample of each phase, shape (window, n_series * phases)."""
        rows = self._samples_of(group)[group.last_window : group.last_window + group.ends.window]
        return values[:, rows].swapaxes(0, 1).reshape(len(rows), -1)


def _copy_where_nan(target: Matrix, source: Matrix) -> None:
    missing = np.isnan(target)
    target[missing] = source[missing]

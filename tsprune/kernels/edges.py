"""Local fits at the ends of a series, where the window stands still and the weights change from row to row.

The tricube weights of all rows form a matrix.  Where that would be large, its products are sums of powers of
distances instead, for the tricube is a polynomial of degree nine on either side of its centre.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tsprune.types import Floats, Ints, Matrix

#: A matrix of weights has at most this many entries (8 MB); larger ones are applied as sums of powers.
MATRIX = 1 << 20
#: Transforms and powers leave an error of about 1e-15 of the plain weight of a fit; where robustness leaves less than this share
#: of it, the sums are taken term by term.
WEAK = 1e-2
#: (1 - r^3)^3 by powers of r.
CUBES = {0: 1.0, 3: -3.0, 6: 3.0, 9: -1.0}


def tricube(distance: Floats, reach: Floats) -> Floats:
    """(1 - (distance / reach)^3)^3, flat below a thousandth of the reach and zero above 0.999 of it.

    >>> import numpy as np
    >>> from tsprune.kernels.edges import tricube
    >>> tricube(np.array([0.0, 1.0, 2.0]), np.array(2.0)).round(3).tolist()
    [1.0, 0.67, 0.0]
    """
    weights = (1.0 - (distance / reach) ** 3) ** 3
    return np.where(distance <= 0.001 * reach, 1.0, np.where(distance <= 0.999 * reach, weights, 0.0))


def line(at: Floats | float, sums: Sequence[Floats] | Floats, limit: Floats | float, degree: int, floor: Floats | float = 0.0) -> Floats:
    """Evaluate weighted local constants or lines from their moments.

    Parameters
    ----------
    at : float or ndarray
        Where to evaluate, in the unit u of the moments.
    sums : five ndarrays of one shape
        Sums of w, w u, w u^2, w y and w y u over the window of each fit.
    limit : float or ndarray
        Spread of u under w (its standard deviation) up to which the slope is taken as 0.
    degree : {0, 1}
    floor : float or ndarray
        A sum of weights up to this is no fit: NaN.
    """
    s0, s1, s2, t0, t1 = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        value = t0 / s0
        if degree:
            mean = s1 / s0
            spread = s2 / s0 - mean * mean
            slope = (t1 / s0 - mean * value) / spread
            value = np.where(spread > limit * limit, value + (at - mean) * slope, value)
    return np.where(s0 > floor, value, np.nan)


class Rows:
    """Local fits at some positions of a block of `window` samples, all of which count for each of them.

    Parameters
    ----------
    at : ndarray of int, shape (count,)
        Positions relative to the first sample of the block; -1 is the sample before it.
    window, degree, n : int
        Samples of the block, degree of the fit, samples of the whole series.
    beyond : int
        By how much the reach of the weights exceeds the farthest sample (a window longer than the series).
    """

    def __init__(self, at: Ints, window: int, degree: int, n: int, *, beyond: int = 0):
        self.at, self.window, self.degree = at, window, degree
        self.reach = np.maximum(at, window - 1 - at) + float(beyond)
        self.limit = 0.001 * (n - 1) / window
        self.scaled = np.arange(window) / window - 0.5  # positions, in windows from the centre

    @classmethod
    def leading(cls, rows: int, window: int, degree: int, n: int, *, before: int, beyond: int) -> Self:
        """The first rows of a series, and `before` rows in front of it."""
        return cls(np.arange(-before, rows), window, degree, n, beyond=beyond)

    @property
    def count(self) -> int:
        """Number of fits."""
        return len(self.at)

    def fit(self, values: Floats, weights: Floats | None, floor: float) -> Floats:
        """Fit each column of the blocks.

        Parameters
        ----------
        values, weights : ndarray, shape (n_series, window, columns)
        floor : float
            Share of the plain weight of a fit below which the result is NaN.

        Returns
        -------
        ndarray, shape (n_series, count, columns)
        """
        d, window, columns = values.shape
        y = values.swapaxes(0, 1).reshape(window, -1)
        if weights is None:
            fitted = self._plain(y)
        else:
            w = weights.swapaxes(0, 1).reshape(window, -1)
            sums = self._moments(w, w * y)
            if self._weights is None and floor < WEAK:
                self._recompute_weak(sums, w, w * y)
            fitted = line(self._at[:, None], sums, self.limit, self.degree, floor * self._plain_sums[0])
        return fitted.reshape(self.count, d, columns).swapaxes(0, 1)

    @property
    def _at(self) -> Floats:
        return self.at / self.window - 0.5

    def _moments(self, w: Matrix, wy: Matrix) -> Floats:
        """The five sums that `line` takes, shape (5, count, columns)."""
        u = self.scaled[:, None]
        columns = np.concatenate([w, w * u, w * u * u, wy, wy * u], axis=1)
        return self._weigh(columns).reshape(self.count, 5, -1).swapaxes(0, 1)

    def _recompute_weak(self, sums: Floats, w: Matrix, wy: Matrix) -> None:
        """Sum again, term by term, where few robustness weights are left and the rounding of the powers would be felt."""
        rows, columns = np.nonzero(sums[0] < WEAK * self._plain_sums[0])
        u = self.scaled
        for part in np.array_split(np.arange(len(rows)), len(rows) * self.window // MATRIX + 1):
            near = self._tricube(rows[part]) * w[:, columns[part]].T
            far = self._tricube(rows[part]) * wy[:, columns[part]].T
            sums[:, rows[part], columns[part]] = near.sum(axis=1), near @ u, near @ (u * u), far.sum(axis=1), far @ u

    def _tricube(self, rows: Ints | slice) -> Matrix:
        """The weight of each sample (column) in some of the fits (row)."""
        return tricube(np.abs(np.arange(self.window) - self.at[rows, None]), self.reach[rows, None])

    @cached_property
    def _plain_sums(self) -> Floats:
        ones = np.ones((self.window, 1))
        return self._moments(ones, ones)

    @cached_property
    def _tilt(self) -> tuple[Matrix, Matrix]:
        """A plain fit is the first of these times the sum of w y, plus the second times the sum of w y u."""
        s0, s1, s2 = self._plain_sums[:3]
        mean = s1 / s0
        spread = s2 / s0 - mean * mean
        sloped = (spread > self.limit**2) if self.degree else np.zeros(s0.shape, bool)
        lean = np.where(sloped, (self._at[:, None] - mean) / np.where(sloped, spread, 1.0), 0.0)
        return (1.0 - lean * mean) / s0, lean / s0

    def _plain(self, y: Matrix) -> Matrix:
        if self._weights is not None:
            return self._fitted @ y
        level, slope = self._tilt
        sums = self._weigh(np.concatenate([y, y * self.scaled[:, None]], axis=1))
        return level * sums[:, : y.shape[1]] + slope * sums[:, y.shape[1] :]

    @cached_property
    def _weights(self) -> Matrix | None:
        """The tricube weights of all fits, where they are few enough."""
        return None if self.count * self.window > MATRIX else self._tricube(slice(None))

    @cached_property
    def _fitted(self) -> Matrix:
        level, slope = self._tilt
        assert self._weights is not None
        return self._weights * (level + slope * self.scaled)

    def _weigh(self, columns: Matrix) -> Matrix:
        """Sum the columns under the tricube weights of each fit, shape (count, columns)."""
        if self._weights is not None:
            return self._weights @ columns
        parts = np.array_split(columns, columns.size // MATRIX + 1, axis=1)
        return np.concatenate([self._weigh_by_powers(part) for part in parts], axis=1)

    def _weigh_by_powers(self, columns: Matrix) -> Matrix:
        """Expand the tricube: sums of (j - i)^p over the samples j on either side of row i, for all rows at once.

        The flat top and the cut edge of the weights are ignored here; at the windows in question they change a fit by less
        than 1e-10 of the values.
        """
        before = -min(int(self.at[0]), 0)
        padded = np.concatenate([np.zeros((before, columns.shape[1])), columns])
        ahead = _power_sums(padded[::-1], CUBES)
        behind = _power_sums(padded, CUBES)
        rows = slice(int(self.at[0]) + before, int(self.at[0]) + before + self.count)
        total = -padded[rows]  # distance 0 is on both sides
        for power, factor in CUBES.items():
            total += factor / self.reach[:, None] ** power * (ahead[power][::-1][rows] + behind[power][rows])
        return total


def _power_sums(values: Matrix, powers: Sequence[int] | dict[int, float]) -> dict[int, Matrix]:
    """For each row i, the sum of (i - j)^p * values[j] over the rows j <= i.

    Repeated sums give the binomials of the distance, and a power is a combination of them with positive factors:
    nothing cancels.
    """
    sums = {power: np.zeros_like(values) for power in powers}
    repeated = values
    for m in range(max(powers) + 1):
        repeated = np.cumsum(repeated, axis=0)
        for power, total in sums.items():
            if factor := _falling(power, m):
                total[m:] += factor * repeated[: len(values) - m]
    return sums


def _falling(power: int, m: int) -> float:
    """How often the binomial (x over m) goes into x^power: m! times a Stirling number of the second kind."""
    return float(sum((-1) ** (m - k) * math.comb(m, k) * k**power for k in range(m + 1)))

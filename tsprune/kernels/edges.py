"""Local fits at the ends of a series, where the window stands still and the weights change from row to row.

The tricube weights of all rows form a matrix.  Where that would be large, its products are sums of powers of
distances instead, for the tricube is a polynomial of degree nine on either side of its centre.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

if TYPE_CHECKING:
    from tsprune.types import Floats, Ints, Matrix

#: A matrix of weights has at most this many entries (8 MB); larger ones are applied as sums of powers.
MATRIX = 1 << 20
#: Transforms and powers leave an error of about 1e-15 of the plain weight of a fit; where robustness leaves less than this share
#: of it, the sums are taken term by term.
WEAK = 1e-2
#: (1 - r^3)^3 by powers of r.
CUBES = {0: 1.0, 3: -3.0, 6: 3.0, 9: -1.0}
NOWHERE = np.empty(0, np.int64)


class Tilt(NamedTuple):
    """What a local fit makes of its sums: `level` times the sum of w y, plus `slope` times the sum of w y u."""

    level: Matrix
    slope: Matrix | None  # None for local constants
    weak: tuple[Ints, Ints]  # the fits with so little weight that rounding shows


def tricube(distance: Floats, reach: Floats) -> Floats:
    """(1 - (distance / reach)^3)^3, flat below a thousandth of the reach and zero above 0.999 of it.

    >>> import numpy as np
    >>> from tsprune.kernels.edges import tricube
    >>> tricube(np.array([0.0, 1.0, 2.0]), np.array(2.0)).round(3).tolist()
    [1.0, 0.67, 0.0]
    """
    weights = (1.0 - (distance / reach) ** 3) ** 3
    return np.where(distance <= 0.001 * reach, 1.0, np.where(distance <= 0.999 * reach, weights, 0.0))


def tilt(at: Floats | float, sums: list[Matrix], limit: Floats | float, floor: Floats | float, weak: tuple[Ints, Ints]) -> Tilt:
    """Prepare weighted local constants or lines from the moments of their weights.

    Parameters
    ----------
    at : float or ndarray
        Where to evaluate, in the unit of u.
    sums : list of one or three ndarrays
        Sums of w, for lines also of w u and w u^2, over the window of each fit.
    limit : float or ndarray
        Spread of u under w (its standard deviation) up to which the slope is taken as 0.
    floor : float or ndarray
        A sum of weights up to this is no fit: NaN.
    weak : two ndarrays of int
        Indices of fits with little weight, to be handed on.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(sums[0] > floor, 1.0 / sums[0], np.nan)
        if len(sums) == 1:
            return Tilt(share, None, weak)
        mean = sums[1] * share
        spread = sums[2] * share - mean * mean
        lean = np.where(spread > limit * limit, (at - mean) / spread, 0.0)
        return Tilt((1.0 - lean * mean) * share, lean * share, weak)


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
    floor : float
        Share of the plain weight of a fit below which there is none.
    """

    def __init__(self, at: Ints, window: int, degree: int, n: int, *, beyond: int = 0, floor: float = 0.0):
        self.at, self.window, self.floor = at, window, floor
        self.reach = np.maximum(at, window - 1 - at) + float(beyond)
        self.limit = 0.001 * (n - 1) / window
        self.u = np.arange(window) / window - 0.5  # positions, in windows from the centre
        self.moments = (1, self.u[:, None], self.u[:, None] ** 2) if degree else (1,)

    @classmethod
    def leading(cls, rows: int, window: int, degree: int, n: int, *, before: int, beyond: int, floor: float) -> Self:
        """The first rows of a series, and `before` rows in front of it."""
        return cls(np.arange(-before, rows), window, degree, n, beyond=beyond, floor=floor)

    @property
    def count(self) -> int:
        """Number of fits."""
        return len(self.at)

    def tilt(self, weights: Matrix) -> Tilt:
        """Prepare fits under robustness weights of shape (window, columns)."""
        sums = self._sums(weights, self.moments)
        by_powers = self._weights is None and self.floor < WEAK
        rows, columns = np.nonzero(sums[0] < WEAK * self._plain_weight) if by_powers else (NOWHERE, NOWHERE)
        self._sum_again(sums, weights, self.moments, (rows, columns))
        return tilt(self.at[:, None] / self.window - 0.5, sums, self.limit, self.floor * self._plain_weight, (rows, columns))

    def fit(self, values: Matrix, weights: Matrix | None = None, tilted: Tilt | None = None) -> Matrix:
        """Fit each column of a block.

        Parameters
        ----------
        values, weights : ndarray, shape (window, columns)
        tilted : Tilt
            Of the weights.

        Returns
        -------
        ndarray, shape (count, columns)
        """
        if weights is None or tilted is None:
            if self._weights is not None:
                return self._plain_fit @ values
            weights, tilted = np.ones_like(values), self._plain_tilt
        moments = self.moments[: 1 if tilted.slope is None else 2]
        sums = self._sums(weights * values, moments)
        self._sum_again(sums, weights * values, moments, tilted.weak)
        return tilted.level * sums[0] if tilted.slope is None else tilted.level * sums[0] + tilted.slope * sums[1]

    def _sums(self, columns: Matrix, moments: tuple[Floats | int, ...]) -> list[Matrix]:
        """The tricube-weighted sums of the columns times each moment, each of shape (count, columns)."""
        stack = np.concatenate([columns * moment for moment in moments], axis=1)
        width = columns.shape[1]
        if self._weights is not None:
            total = self._weights @ stack
        else:
            parts = np.array_split(stack, stack.size // MATRIX + 1, axis=1)
            total = np.concatenate([self._weigh_by_powers(part) for part in parts], axis=1)
        return [total[:, i * width : (i + 1) * width] for i in range(len(moments))]

    def _sum_again(self, sums: list[Matrix], columns: Matrix, moments: tuple[Floats | int, ...], weak: tuple[Ints, Ints]) -> None:
        """Take the sums of some fits term by term: where few weights are left the rounding of the powers would be felt."""
        rows, at = weak
        if not len(rows):
            return
        for part in np.array_split(np.arange(len(rows)), len(rows) * self.window // MATRIX + 1):
            terms = self._tricube(rows[part]) * columns[:, at[part]].T
            for total, moment in zip(sums, moments, strict=True):
                total[rows[part], at[part]] = (terms * np.ravel(moment)).sum(axis=1)

    @cached_property
    def _plain_weight(self) -> Matrix:
        ones = np.ones((self.window, 1))
        return self._weigh_by_powers(ones) if self._weights is None else self._weights @ ones

    @cached_property
    def _plain_tilt(self) -> Tilt:
        return self.tilt(np.ones((self.window, 1)))

    @cached_property
    def _weights(self) -> Matrix | None:
        """The tricube weights of all fits, where they are few enough."""
        return None if self.count * self.window > MATRIX else self._tricube(slice(None))

    @cached_property
    def _plain_fit(self) -> Matrix:
        """What each sample contributes to each plain fit."""
        assert self._weights is not None
        level, slope, _ = self._plain_tilt
        return self._weights * (level if slope is None else level + slope * self.u)

    def _tricube(self, rows: Ints | slice) -> Matrix:
        """The weight of each sample (column) in some of the fits (row)."""
        return tricube(np.abs(np.arange(self.window) - self.at[rows, None]), self.reach[rows, None])

    def _weigh_by_powers(self, columns: Matrix) -> Matrix:
        """Expand the tricube: sums of (j - i)^p over the samples j on either side of row i, for all rows at once.

        The flat top and the cut edge of the weights are ignored here; at the windows in question they change a fit by less
        than 1e-10 of the values.
        """
        before = -min(int(self.at[0]), 0)
        padded = np.concatenate([np.zeros((before, columns.shape[1])), columns])
        ahead = _power_sums(padded[::-1])
        behind = _power_sums(padded)
        rows = slice(int(self.at[0]) + before, int(self.at[0]) + before + self.count)
        total = -padded[rows]  # distance 0 is on both sides
        for power, factor in CUBES.items():
            total += factor / self.reach[:, None] ** power * (ahead[power][::-1][rows] + behind[power][rows])
        return total


def _power_sums(values: Matrix) -> dict[int, Matrix]:
    """For each row i and each power p of the tricube, the sum of (i - j)^p * values[j] over the rows j <= i.

    Repeated sums give the binomials of the distance, and a power is a combination of them with positive factors:
    nothing cancels.
    """
    sums = {power: np.zeros_like(values) for power in CUBES}
    repeated = values
    for m in range(max(CUBES) + 1):
        repeated = np.cumsum(repeated, axis=0)
        for power, total in sums.items():
            if factor := _falling(power, m):
                total[m:] += factor * repeated[: len(values) - m]
    return sums


def _falling(power: int, m: int) -> float:
    """How often the binomial (x over m) goes into x^power: m! times a Stirling number of the second kind."""
    return float(sum((-1) ** (m - k) * math.comb(m, k) * k**power for k in range(m + 1)))

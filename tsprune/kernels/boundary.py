"""Weighted sums of Gaussian bumps: what a one-class SVM with an RBF kernel computes.

Every sum runs in one fixed order: over features, then over bumps.  A row therefore gets the same bits alone, in any
batch, in numpy and in machine code, which a matrix product cannot promise.  Squared distances come from products of
centred coordinates, |x|^2 + |v|^2 - 2 x.v, half the work of differences; where that would cancel too many digits (bumps
far narrower than their cloud) differences are taken instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tsprune.types import Floats, Matrix

#: 2^f for |f| <= 1/2 as a polynomial in f: exact at 0 and in 10 Chebyshev nodes, relative error below 1e-15.
EXP2 = (
    1.0,
    0.6931471805599462,
    0.24022650695910075,
    0.05550410866465168,
    0.009618129107618719,
    0.0013333558200793387,
    0.00015403530424693842,
    1.5252672925600975e-05,
    1.3215451680383032e-06,
    1.0205905266783834e-07,
    7.070969036804284e-09,
)
#: Added to a double of moderate size, this leaves the nearest whole number in its last bits.
ROUND = 1.5 * 2.0**52
#: Exponents of two below this count as this: 1e-301 of a bump is nothing, and powers stay normal numbers.
LEAST = -1000.0
#: Products of coordinates lose about this many units of the last place per unit of gamma |v|^2; below it 1e-13 remains.
CANCELS = 250.0
#: Kernel values from which loading and running machine code pays.
SWITCH = 1 << 20
#: Vectors are padded by weightless ones to a multiple of this.
PAD = 4
#: Products held at a time: half a second-level cache.
BLOCK = 1 << 15
#: No coordinate counts as larger: squares stay finite, and beyond it every bump has vanished.
FAR = 1e100


@dataclass(frozen=True)
class Bumps:
    """Gaussian bumps, ready for summing.

    Parameters
    ----------
    columns : ndarray, shape (n_features, n_padded)
        Centres of the bumps minus `origin`, feature by feature; padded by zeros to a multiple of four.
    squares : ndarray, shape (n_padded,)
        Squared lengths of the centres.
    weights : ndarray, shape (n_padded,)
        Heights, zero for padding.
    origin : ndarray, shape (n_features,)
        Mean of the centres.
    rate : float
        A squared distance times this is the exponent of two.
    narrow : bool
        Whether distances need differences, not products.
    count : int
        Number of bumps without padding.
    """

    columns: Matrix
    squares: Floats
    weights: Floats
    origin: Floats
    rate: float
    narrow: bool
    count: int

    @classmethod
    def of(cls, vectors: Matrix, weights: Floats, gamma: float) -> Bumps:
        """Prepare the sum of `weights[i] * exp(-gamma * |x - vectors[i]|^2)` over i."""
        count, width = vectors.shape
        padded = count + -count % PAD
        origin = np.clip(vectors, -FAR, FAR).mean(axis=0)
        columns = np.zeros((width, padded))
        columns[:, :count] = _centred(vectors, origin).T
        heights = np.zeros(padded)
        heights[:count] = weights
        squares = _squares(columns.T)
        size = np.abs(heights)
        narrow = bool(gamma * (size @ squares) > CANCELS * size.sum())
        return cls(columns, squares, heights, origin, -gamma / np.log(2.0), narrow, count)


def bump_sum(X: Matrix, bumps: Bumps) -> Floats:
    """The weighted sum of all bumps at each row.

    Parameters
    ----------
    X : ndarray, shape (n_samples, n_features)
        Without NaN.
    bumps : Bumps

    Returns
    -------
    ndarray, shape (n_samples,)
        Within 1e-13 of the sum of absolute weights from the exact value; the same bits for a row in any batch.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.kernels.boundary import Bumps, bump_sum
    >>> two = Bumps.of(np.array([[0.0], [1.0]]), np.array([2.0, 1.0]), gamma=1.0)
    >>> bump_sum(np.array([[0.0], [9.0]]), two).round(3)
    array([2.368, 0.   ])
    """
    total = np.empty(len(X))
    if len(X) * len(bumps.weights) >= SWITCH and not bumps.narrow:
        from tsprune.kernels import compiled_boundary

        rows = np.ascontiguousarray(X)
        compiled_boundary.bump_sum(rows, bumps.origin, bumps.columns, bumps.squares, bumps.weights, bumps.rate, EXP2, total)
        return total
    for block in _blocks(len(X), bumps):
        total[block] = np.add.accumulate(_heights(X[block], bumps), axis=1)[:, -1]
    return total


def bump_heights(X: Matrix, bumps: Bumps) -> Matrix:
    """The height of each bump at each row, weighted, shape (n_samples, n_bumps); the terms of `bump_sum`."""
    heights = np.empty((len(X), bumps.count))
    for block in _blocks(len(X), bumps):
        heights[block] = _heights(X[block], bumps)[:, : bumps.count]
    return heights


def exp2(exponents: Floats) -> Floats:
    """Two to the power of numbers from -1000 to 0, the same bits wherever a number stands in the array.

    Even and odd powers are summed apart: the twin in machine code runs twice as fast that way.
    """
    shifted = exponents + ROUND
    f = exponents - (shifted - ROUND)
    power = ((shifted.view(np.int64) + 1023) << 52).view(np.float64)
    square = f * f
    even, odd = EXP2[10] * square, EXP2[9] * square
    for degree in (8, 6, 4, 2):
        even = (even + EXP2[degree]) * square
    for degree in (7, 5, 3):
        odd = (odd + EXP2[degree]) * square
    return ((even + EXP2[0]) + f * (odd + EXP2[1])) * power


def _heights(X: Matrix, bumps: Bumps) -> Matrix:
    exponents = _squared_distances(_centred(X, bumps.origin), bumps) * bumps.rate
    return exp2(np.minimum(np.maximum(exponents, LEAST), 0.0)) * bumps.weights


def _squared_distances(rows: Matrix, bumps: Bumps) -> Matrix:
    # In C order, with four numbers or more behind the first axis, a reduction over it adds whole slices one after the other.
    x, v = rows.T[:, :, None], bumps.columns[:, None, :]
    if bumps.narrow:
        differences = np.subtract(x, v, order="C")
        return np.add.reduce(np.square(differences, out=differences), axis=0)
    products = np.add.reduce(np.multiply(x, v, order="C"), axis=0)
    return (_squares(rows)[:, None] + bumps.squares) - 2.0 * products


def _squares(rows: Matrix) -> Floats:
    """Sums of squares over features, one feature after the other."""
    return np.add.accumulate(np.square(rows), axis=1)[:, -1]


def _centred(X: Matrix, origin: Floats) -> Matrix:
    return np.minimum(np.maximum(X, -FAR), FAR) - origin


def _blocks(n: int, bumps: Bumps) -> list[slice]:
    size = max(1, BLOCK // bumps.columns.size)
    return [slice(start, start + size) for start in range(0, n, size)]

"""Distances to nearest neighbours and the local outlier factor, exact and in one fixed order.

The neighbours of a row are the points with the smallest distances, of equal ones those with the smaller indices.  A
distance is the root of squared differences summed feature by feature; means over neighbours are summed from the
nearest on.  So a row has the same neighbours and the same factor, bit by bit, alone and in any batch, in numpy and in machine code.

Source
------
Breunig, Kriegel, Ng & Sander (2000), LOF: identifying density-based local outliers, SIGMOD; the constant in
`reachability_density` is scikit-learn's.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tsprune.params import check_count

if TYPE_CHECKING:
    from tsprune.kernels.compiled_leaves import Leaves
    from tsprune.types import Floats, Ints, Matrix

#: Differences of single coordinates from which loading and running machine code pays, and from which running it does once it is loaded.
SWITCH, LOADED = 1 << 24, 1 << 16
#: Rows are searched together in machine code, from so many on.
TOGETHER = 16
#: Neighbours up to which machine code keeps sorted lists of them.
SHORT = 256
#: Differences held at a time: a second-level cache.
BLOCK = 1 << 16
#: No coordinate counts as larger, so that squares stay finite.
FAR = 1e100
#: Added to mean distances: many duplicates have a high density, not an infinite one.
TINY = 1e-10


@dataclass(frozen=True)
class Reference:
    """Points to compare with, shape (n_points, n_features), and what searching them needs; made when first used."""

    points: Matrix

    @cached_property
    def columns(self) -> Matrix:
        """The points feature by feature."""
        return np.ascontiguousarray(_bounded(self.points).T)

    @cached_property
    def leaves(self) -> Leaves:
        """The points in the order that machine code wants."""
        from tsprune.kernels.compiled_leaves import Leaves

        return Leaves.of(_bounded(self.points))


def nearest(X: Matrix, reference: Reference, k: int) -> tuple[Matrix, Ints]:
    """Distances and indices of the `k` nearest points of each row, from the nearest on.

    Parameters
    ----------
    X : ndarray, shape (n_samples, n_features)
        Without NaN.
    reference : Reference
    k : int
        At most the number of points.

    Returns
    -------
    distances, indices : ndarray, shape (n_samples, k)
        Euclidean; of points at equal distances the one with the smaller index comes first.

    Raises
    ------
    BadParameter
        If there are fewer points than neighbours asked for.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.kernels.density import Reference, nearest
    >>> points = Reference(np.array([[0.0], [1.0], [3.0], [1.0]]))
    >>> nearest(np.array([[0.9]]), points, 3)
    (array([[0.1, 0.1, 0.9]]), array([[1, 3, 0]]))
    """
    n, width = reference.points.shape
    check_count(k=k, high=n)
    rows = _bounded(X)
    pays = LOADED if "tsprune.kernels.compiled_neighbours" in sys.modules else SWITCH
    if len(rows) >= TOGETHER and k <= SHORT and len(rows) * n * width >= pays:
        from tsprune.kernels import compiled_neighbours

        squares, indices = compiled_neighbours.nearest(rows, reference.leaves, k)
        return np.sqrt(squares), indices
    squares, indices = np.empty((len(rows), k)), np.empty((len(rows), k), dtype=np.int64)
    size = max(1, BLOCK // (n * min(width, 4)))
    for start in range(0, len(rows), size):
        block = slice(start, start + size)
        squares[block], indices[block] = _smallest(_squared_distances(rows[block], reference.columns), k)
    return np.sqrt(squares), indices


def nearest_others(reference: Reference, k: int) -> tuple[Matrix, Ints]:
    """Distances and indices of the `k` nearest other points of each point; a duplicate is another point."""
    distances, indices = nearest(reference.points, reference, k + 1)
    itself = indices == np.arange(len(indices))[:, None]
    itself[~itself.any(axis=1), -1] = True  # so many duplicates that the point is not among its own neighbours
    shape = (len(indices), k)
    return distances[~itself].reshape(shape), indices[~itself].reshape(shape)


def reachability_density(distances: Matrix, indices: Ints, k_distance: Floats) -> Floats:
    """Inverse mean distance at which rows are reachable from their neighbours, shape (n_samples,).

    Parameters
    ----------
    distances, indices : ndarray, shape (n_samples, k)
        Of the neighbours.
    k_distance : ndarray, shape (n_points,)
        Distance of each point to its k-th neighbour: no row is nearer to it than this.
    """
    return 1.0 / (mean_in_order(np.maximum(distances, k_distance[indices])) + TINY)


def outlier_factor(distances: Matrix, indices: Ints, k_distance: Floats, density: Floats) -> Floats:
    """Mean density of the neighbours over the density of the row itself: about 1 inside, higher outside, shape (n_samples,)."""
    return mean_in_order(density[indices]) / reachability_density(distances, indices, k_distance)


def mean_in_order(values: Matrix) -> Floats:
    """Mean of each row, summed from left to right, whatever the number of rows."""
    return np.add.accumulate(values, axis=1)[:, -1] / values.shape[1]


def _squared_distances(rows: Matrix, columns: Matrix) -> Matrix:
    """Shape (n_rows, n_points), feature after feature."""
    total = np.zeros((len(rows), columns.shape[1]))
    term = np.empty_like(total)
    for x, points in zip(rows.T, columns, strict=True):
        np.subtract(x[:, None], points, out=term)
        np.multiply(term, term, out=term)
        np.add(total, term, out=total)
    return total


def _smallest(squares: Matrix, k: int) -> tuple[Matrix, Ints]:
    """The `k` smallest values of each row and where they stand, sorted by value, then by place."""
    limit = np.partition(squares, k - 1, axis=1)[:, k - 1]
    row, place = np.nonzero(squares <= limit[:, None])
    value = squares[row, place]
    order = np.lexsort((place, value, row))
    first = np.searchsorted(row[order], np.arange(len(squares)))
    chosen = order[first[:, None] + np.arange(k)]
    return value[chosen], place[chosen]


def _bounded(X: Matrix) -> Matrix:
    return np.ascontiguousarray(np.minimum(np.maximum(X, -FAR), FAR))

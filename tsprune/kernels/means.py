"""A few points that stand for many: the means of clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tsprune.types import Matrix

#: Rounds; more of them give no better detector (docs/choosing.md).
ROUNDS = 5


def means(points: Matrix, n: int, seed: int | None = 0) -> Matrix:
    """The means of at most `n` clusters of points.

    Parameters
    ----------
    points : ndarray, shape (n_points, n_features)
        Without NaN.
    n : int
        From 1 to the number of points; a cluster that loses all its points to others is dropped.
    seed : int or None
        Of the points that the clusters begin with.

    Returns
    -------
    ndarray, shape (at most n, n_features)

    Source
    ------
    Lloyd (1982), Least squares quantization in PCM, IEEE Transactions on Information Theory 28.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.kernels.means import means
    >>> means(np.array([[0.0], [1.0], [10.0], [11.0], [12.0]]), 2)
    array([[ 0.5],
           [11. ]])
    """
    centres = points[np.sort(np.random.default_rng(seed).permutation(len(points))[:n])]
    for _ in range(ROUNDS):
        own = np.argmin(np.square(centres).sum(axis=1) - 2.0 * (points @ centres.T), axis=1)
        counts = np.bincount(own, minlength=len(centres))
        totals = np.column_stack([np.bincount(own, weights=column, minlength=len(centres)) for column in points.T])
        centres = totals[counts > 0] / counts[counts > 0, None]
    return centres

"""Rows that nobody saw, around those that were: where a pruned model must follow the whole one too.  No labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tsprune.types import Matrix

#: Standard deviations of the noise, in those of each column; each row draws one.
SCALES = (0.02, 0.1, 0.3, 1.0)
#: Times that a row is farther from the median at the most, when it is pushed outwards.
FARTHER = 4.0


def spread(rows: Matrix, most: int) -> Matrix:
    """At most so many of the rows, evenly spread; all where there are no more.

    >>> import numpy as np
    >>> spread(np.arange(10.0)[:, None], 4).ravel()
    array([0., 3., 6., 9.])
    """
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(int)]


def jittered(X: Matrix, n: int, rng: np.random.Generator) -> Matrix:
    """Training rows drawn with replacement, each with noise of one of four scales in every column.

    Small noise keeps what is learned from following single rows, large noise shows where the far leaves lead.

    Parameters
    ----------
    X : ndarray, shape (n_samples, n_features)
    n : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (n, n_features)

    Examples
    --------
    >>> import numpy as np
    >>> jittered(np.zeros((5, 2)), 3, np.random.default_rng(0))
    array([[0., 0.],
           [0., 0.],
           [0., 0.]])
    """
    rows = X[rng.integers(len(X), size=n)]
    return rows + rng.normal(size=rows.shape) * X.std(axis=0) * rng.choice(SCALES, size=(n, 1))


def pushed_outwards(X: Matrix, random_state: int | None = None) -> Matrix:
    """Each row one to four times as far from the median of every column: where no training row was.

    Examples
    --------
    >>> import numpy as np
    >>> pushed_outwards(np.array([[0.0], [1.0], [2.0]]), random_state=0).ravel().round(1)
    array([-1.9,  1. ,  2.1])
    """
    middle = np.median(X, axis=0)
    return middle + (X - middle) * np.random.default_rng(random_state).uniform(1.0, FARTHER, size=(len(X), 1))

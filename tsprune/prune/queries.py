"""Rows that nobody saw, around those that were: where a pruned model must follow the whole one too.  No labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from tsprune.types import Matrix

#: Standard deviations of the noise, in those of each column; each row draws one.
SCALES = (0.02, 0.1, 0.3, 1.0)


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

"""Learn the path lengths of all leaves of a forest anew: one ridge regression on which leaf each row ends in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator, cg

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tsprune.types import Floats

#: Rows that pull a leaf towards the length it had: small leaves hardly move.
DAMPING = 9.0


def membership(number: NDArray[np.int32], n_leaves: int) -> csr_array:
    """One row per row, one column per leaf: 1 where the row ends; `number` of the leaf has shape (n_rows, n_trees)."""
    n_rows, n_trees = number.shape
    starts = np.arange(0, number.size + 1, n_trees, dtype=number.dtype)
    return csr_array((np.ones(number.size), number.ravel(), starts), shape=(n_rows, n_leaves))


def refit(lengths: Floats, member: csr_array, target: Floats, weights: Floats, *, tolerance: float) -> Floats:
    """Lengths of all leaves that together come nearest to a target.

    Parameters
    ----------
    lengths : ndarray, shape (n_leaves,)
        Where each length is pulled to, as by `DAMPING` rows of weight 1.
    member : sparse array, shape (n_rows, n_leaves)
    target, weights : ndarray, shape (n_rows,)
        The sum of path lengths wanted on each row, and how much the row matters.
    tolerance : float
        Stop when the gradient has shrunk to this share.

    Source
    ------
    Leaf re-learning: Ren et al., Global refinement of random forest, CVPR 2015.
    """
    back = member.T

    def hessian(change: Floats) -> Floats:
        return back @ (weights * (member @ change)) + DAMPING * change

    size = (len(lengths), len(lengths))
    diagonal = back @ weights + DAMPING
    gradient = back @ (weights * (target - member @ lengths))
    change, _ = cg(
        LinearOperator(size, matvec=hessian),
        gradient,
        rtol=tolerance,
        maxiter=100,
        M=LinearOperator(size, matvec=lambda residual: residual / diagonal),
    )
    return lengths + change

"""A one-class SVM as a weighted sum of Gaussian bumps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from tsprune.errors import BadParameter
from tsprune.kernels.boundary import FAR, Bumps, bump_heights, bump_sum
from tsprune.model.part import Part, complete_rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from tsprune.types import Floats, Mask, Matrix


@dataclass(frozen=True)
class Boundary(Part):
    """A one-class SVM with an RBF kernel; one part is one support vector, or one centre that stands for many.

    ``anomaly_score(x) = offset - sum_i weights[i] * exp(-gamma * |x - vectors[i]|^2)``: the decision function of
    scikit-learn's OneClassSVM with the sign turned, that of PyOD's OCSVM as it stands.  A row gets the same bits alone and
    in any batch.

    Parameters
    ----------
    vectors : ndarray, shape (n_parts, n_features)
    weights : ndarray, shape (n_parts,)
        The dual coefficients; after a reduction they may be negative.
    gamma : float
        Inverse squared width of the kernel.
    offset : float
        The score far away from all vectors.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.model.boundary import Boundary
    >>> boundary = Boundary(np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([1.0, 1.0]), gamma=1.0, offset=1.2)
    >>> boundary.anomaly_score(np.array([[0.5, 0.0], [3.0, 3.0]])).round(3)
    array([-0.358,  1.2  ])
    """

    vectors: Matrix
    weights: Floats
    gamma: float
    offset: float

    @property
    def n_features(self) -> int:
        """Number of columns of a row."""
        return self.vectors.shape[1]

    @property
    def n_out(self) -> int:
        """One score per row."""
        return 1

    @property
    def n_parts(self) -> int:
        """Number of support vectors, or of the centres that stand for them."""
        return len(self.vectors)

    def anomaly_score(self, X: ArrayLike) -> Floats:
        """Score complete rows; the same bits for one row as within any batch.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)

        Returns
        -------
        ndarray, shape (n_samples,)
            Higher = more anomalous; negative inside the boundary.

        Raises
        ------
        BadParameter
            If the number of columns is another one.
        """
        return self.offset - bump_sum(complete_rows(X, self.n_features), self._bumps)

    def part_scores(self, X: ArrayLike) -> Matrix:
        """Weighted similarity of each row to each vector, shape (n_samples, n_parts); the score is the offset minus their sum."""
        return bump_heights(complete_rows(X, self.n_features), self._bumps)

    def keep(self, mask: Mask) -> Self:
        """The boundary with only these vectors; offset and weights stay as they are.

        Raises
        ------
        BadParameter
            If the mask keeps none, or is not one value per vector.
        """
        if np.shape(mask) != (self.n_parts,) or not np.any(mask):
            raise BadParameter(
                f"mask has shape {np.shape(mask)} and keeps {np.sum(mask)}; it has a bool for each of {self.n_parts} vectors, one of them True."
            )
        return replace(self, vectors=self.vectors[mask], weights=self.weights[mask])

    def check(self) -> None:
        """Raise ValueError where the parts do not agree or a score could be no number."""
        if not len(self.vectors) or not self.vectors.shape[1] or self.weights.shape != (len(self.vectors),):
            raise ValueError(f"a boundary of {self.vectors.shape} vectors with {self.weights.shape} weights")
        if not 1 / FAR <= self.gamma <= FAR or max(np.abs(self.vectors).max(), np.abs(self.weights).max(), abs(self.offset)) > FAR:
            raise ValueError("a boundary with numbers out of range")

    @cached_property
    def _bumps(self) -> Bumps:
        return Bumps.of(self.vectors, self.weights, self.gamma)

"""The distance from the mean in the unit of what the training rows do: Mahalanobis, or what few components leave over."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from tsprune.errors import BadParameter
from tsprune.kernels.trend import compiled
from tsprune.model.part import Part, complete_rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from tsprune.types import Floats, Mask, Matrix, Singles

#: Standard deviations from the mean beyond which nothing is farther.
CLIP = 20.0
#: Rows multiplied at a time: what they become stays in a second-level cache.
BLOCK = 1024


@dataclass(frozen=True)
class Subspace(Part):
    """Weighted sum of squares along some directions; one part is one direction.

    With all principal components and the inverse of their variances this is the squared Mahalanobis distance (PyOD's PCA); with
    the last ones only and weights of one, the squared error of a reconstruction by the first ones.

    Parameters
    ----------
    centre, scale : ndarray, shape (n_features,)
        Subtracted from a row, and divides it then; what is beyond 20 is 20.
    directions : ndarray of float32, shape (n_features, n_parts)
    weights : ndarray, shape (n_parts,)

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.model.subspace import Subspace
    >>> Subspace(np.zeros(2), np.ones(2), np.eye(2, dtype=np.float32), np.array([1.0, 4.0])).anomaly_score(np.array([[3.0, 1.0]]))
    array([13.])
    """

    centre: Floats
    scale: Floats
    directions: Singles
    weights: Floats

    @property
    def n_features(self) -> int:
        """Number of columns of a row."""
        return len(self.directions)

    @property
    def n_out(self) -> int:
        """One score per row."""
        return 1

    @property
    def n_parts(self) -> int:
        """Number of directions."""
        return len(self.weights)

    def anomaly_score(self, X: ArrayLike) -> Floats:
        """Score complete rows, shape (n_samples, n_features); the same bits for one row as within any batch."""
        rows = complete_rows(X, self.n_features)
        if compiled(len(rows) * self.n_parts):
            from tsprune.kernels import compiled_subspace

            total = np.zeros(len(rows))
            compiled_subspace.add_squares(self._columns(rows), self.directions.astype(np.float64), self.weights, total)
            return total
        blocks = [_summed(self.part_scores(rows[start : start + BLOCK])) for start in range(0, max(1, len(rows)), BLOCK)]
        return np.concatenate(blocks)

    def part_scores(self, X: ArrayLike) -> Matrix:
        """What each direction adds, shape (n_samples, n_parts): products are summed feature by feature, never by BLAS."""
        rows = complete_rows(X, self.n_features)
        standard = self._columns(rows)
        along, term = np.zeros((self.n_parts, len(rows))), np.empty((self.n_parts, len(rows)))
        for values, direction in zip(standard, self.directions.astype(np.float64), strict=True):
            np.multiply(direction[:, None], values, out=term)
            np.add(along, term, out=along)
        np.multiply(along, along, out=along)
        along *= self.weights[:, None]
        return along.T

    def _columns(self, rows: Matrix) -> Matrix:
        """Standardised rows, shape (n_features, n_samples)."""
        return np.ascontiguousarray(np.clip((rows - self.centre) / self.scale, -CLIP, CLIP).T)

    def keep(self, mask: Mask) -> Self:
        """The detector with only these directions."""
        if np.shape(mask) != (self.n_parts,) or not np.any(mask):
            raise BadParameter(f"mask has shape {np.shape(mask)}; it has a bool for each of {self.n_parts} directions, one of them True.")
        return replace(self, directions=np.ascontiguousarray(self.directions[:, mask]), weights=self.weights[mask])

    def check(self) -> None:
        """Raise ValueError where the parts do not agree."""
        shape = (len(self.centre), len(self.weights))
        if self.directions.shape != shape or len(self.scale) != shape[0] or not self.directions.size:
            raise ValueError("the directions, their weights and the columns do not agree")
        if not self.scale.min() > 0.0 or self.weights.min() < 0.0:
            raise ValueError("a scale is not positive, or a weight is negative")


def _summed(terms: Matrix) -> Floats:
    """Sum of each row from left to right, whatever the number of rows."""
    total = np.zeros(len(terms))
    for term in terms.T:
        total += term
    return total

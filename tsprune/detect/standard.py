"""What detectors of our own share: their score, rows as an array, and a scale for each column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from tsprune.errors import NotPrunable

if TYPE_CHECKING:
    from tsprune.types import Floats, Matrix

#: A column whose spread is below this share of its level is constant.
CONSTANT = 1e-9


class OwnDetector(BaseEstimator):
    """A detector of our own: `fit` leaves in `part_` what a model keeps of it.

    It scores, and sets no threshold: a `Pipeline` does.  For scikit-learn's `predict`, signs and pipelines wrap it in
    `Pruned(detector, keep=1.0)`.
    """

    part_: Any

    def anomaly_score(self, X: Any) -> Any:
        """Score complete rows X, shape (n, d); higher = more anomalous."""
        check_is_fitted(self, "part_")
        return self.part_.anomaly_score(np.asarray(X, dtype=np.float64))


def rows_of(X: Any) -> Matrix:
    """Complete rows as doubles, shape (n, d)."""
    rows: Matrix = check_array(X, dtype=np.float64, ensure_min_samples=2)
    return rows


def own_part(detector: Any) -> Any:
    """The part of a fitted detector of our own."""
    if not hasattr(detector, "part_"):
        raise NotPrunable(f"{type(detector).__name__} is not fitted. Call fit first.")
    return detector.part_


def standard(rows: Matrix) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each column.

    A constant column has no scale: the largest change that still is none becomes its unit, so that any change is far away.

    >>> import numpy as np
    >>> from tsprune.detect.standard import standard
    >>> standard(np.array([[0.0, 5.0], [2.0, 5.0]]))
    (array([1., 5.]), array([1.e+00, 6.e-09]))
    """
    middle, spread = rows.mean(axis=0), rows.std(axis=0)
    least = CONSTANT * (1.0 + np.abs(middle))
    return middle, np.maximum(spread, least)

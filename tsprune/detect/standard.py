"""What detectors of our own share: rows as an array, and a scale for each column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_array

from tsprune.errors import NotPrunable

if TYPE_CHECKING:
    from tsprune.types import Floats, Matrix

#: A column whose spread is below this share of its level is constant.
CONSTANT = 1e-9


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

"""Scales and autoregressions: what the signal stages learn from a history."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tsprune.types import Floats

#: Times the MAD of normal samples, this is their standard deviation: 1 / Phi^-1(3/4).
MAD_TO_SIGMA = 1.4826


def mad(values: Floats) -> float:
    """Median absolute deviation of the values that are there, as a standard deviation; NaN without any.

    >>> import numpy as np
    >>> from tsprune.kernels.smooth import mad
    >>> round(mad(np.array([1.0, 2.0, 3.0, 4.0, 100.0])), 4)
    1.4826
    """
    there = values[~np.isnan(values)]
    return float(MAD_TO_SIGMA * np.median(np.abs(there - np.median(there)))) if len(there) else float("nan")


def scale_of(values: Floats) -> float:
    """The MAD, or where more than half of the values are equal their standard deviation, or 1: never 0.

    >>> import numpy as np
    >>> from tsprune.kernels.smooth import scale_of
    >>> scale_of(np.zeros(4)), scale_of(np.array([0.0, 0, 0, 0, 5]))
    (1.0, 2.0)
    """
    there = values[~np.isnan(values)]
    for scale in (mad(there), float(np.std(there)) if len(there) else 0.0):
        if np.isfinite(scale) and scale > 0.0:
            return scale
    return 1.0


def autoregression(values: Floats, order: int, clip: float, ridge: float = 1e-3) -> Floats:
    """Weights of lags 1 ... order by Yule-Walker on clipped values, shape (order,); zeros for a constant.

    A missing value counts as 0, the centre.  The ridge keeps the weights of a near-deterministic series bounded.
    """
    centred = np.clip(np.where(np.isnan(values), 0.0, values), -clip, clip)
    n = len(centred)
    covariance = np.array([centred[lag:] @ centred[: n - lag] for lag in range(min(order, n - 1) + 1)])
    if len(covariance) <= order or covariance[0] <= 0.0:
        return np.zeros(order)
    lags = np.abs(np.subtract.outer(np.arange(order), np.arange(order)))
    matrix = covariance[lags] / covariance[0] + ridge * np.eye(order)
    return np.linalg.solve(matrix, covariance[1:] / covariance[0])

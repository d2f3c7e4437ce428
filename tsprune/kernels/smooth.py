"""Causal smoothing: block medians, autoregression, Hampel.  Anchored to slots, taps in one order.

Nothing here is recursive and nothing is estimated from the batch, so every row is a function of its own
last slots: equal bits in one batch, in chunks and row by row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tsprune.kernels.windows import nan_median

if TYPE_CHECKING:
    from tsprune.types import Floats, Ints

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


def block_trend(values: Floats, slots: Ints, block: int, blocks: int, start: float) -> Floats:
    """Median of the medians of the last whole blocks before the block of each row.

    Parameters
    ----------
    values : ndarray, shape (n,)
        NaN where missing.  Of several rows in one slot the last one counts.
    slots : ndarray of int, shape (n,)
        Not decreasing.  Block k holds the slots k * block ... (k + 1) * block - 1, whatever the first row is.
    block, blocks : int
        Slots of a block, and how many blocks are looked back.
    start : float
        The trend where fewer than half of the blocks have a value.

    Returns
    -------
    ndarray, shape (n,)
        The current block is never used: a spike of any height stays whole.
    """
    block_of = slots // block
    first = np.flatnonzero(np.diff(block_of, prepend=block_of[0] - 1))
    rank = np.cumsum(np.diff(block_of, prepend=block_of[0] - 1) > 0) - 1
    grid = np.full((len(first), block), np.nan)
    grid[rank, slots - block_of * block] = values
    medians = np.empty(len(first))
    whole = ~np.isnan(grid).any(axis=1)
    medians[whole] = np.median(grid[whole], axis=1) if whole.any() else 0.0
    medians[~whole] = nan_median(grid[~whole])

    steps = np.diff(block_of[first], prepend=block_of[0])
    at = np.cumsum(np.minimum(steps, blocks + 1))  # a longer gap looks the same from behind it
    line = np.full(blocks + at[-1] + 1, np.nan)
    line[blocks + at] = medians
    before = sliding_window_view(line, blocks)[at]
    known = (~np.isnan(before)).sum(axis=1) >= (blocks + 1) // 2
    return np.where(known, nan_median(before), start)[rank]


def innovation(values: Floats, slots: Ints, weights: Floats, clip: float) -> Floats:
    """What an autoregression does not foresee: `x[t] - sum of w[j] * clip(x[t - j])`, j = 1 ... order.

    A slot that is missing contributes nothing.  Of several rows in one slot the last one is history.
    """
    result = values.copy()
    past = np.clip(np.where(np.isnan(values), 0.0, values), -clip, clip)
    for lag, weight in enumerate(weights, start=1):
        result -= weight * _at_lag(past, slots, lag)
    return result


def _at_lag(values: Floats, slots: Ints, lag: int) -> Floats:
    """The value `lag` slots before each row, 0 where that slot is missing."""
    n = len(values)
    if slots[-1] - slots[0] == n - 1 and (np.diff(slots) == 1).all():
        return np.concatenate([np.zeros(min(lag, n)), values[: max(0, n - lag)]])
    row = np.searchsorted(slots, slots - lag, side="right") - 1
    return np.where((row >= 0) & (slots[row] == slots - lag), values[row], 0.0)


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


def hampel(windows: Floats, cutoff: float) -> Floats:
    """The last value of each window, or its median where it is more than `cutoff` sigmas away from it.

    Source: Hampel's identifier as in Pearson et al., Generalized Hampel filters, EURASIP J. 2016, with the window trailing.
    """
    middle = nan_median(windows)
    sigma = MAD_TO_SIGMA * nan_median(np.abs(windows - middle[:, None]))
    last = windows[:, -1]
    return np.where(np.abs(last - middle) > cutoff * sigma, middle, last)

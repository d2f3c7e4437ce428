"""The run path of a trend: medians of past blocks, and what an autoregression does not foresee.

Everything is anchored at absolute slots, nothing is recursive, taps are subtracted in one order: a row has the same bits in one
batch, in chunks and alone, in numpy and in the machine code that takes over for many rows.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tsprune.kernels.windows import nan_median

if TYPE_CHECKING:
    from tsprune.types import Floats, Ints

#: Rows from which machine code repays its call, and rows from which it repays loading numba.
COMPILED_FROM, LOADED_FROM = 1 << 13, 1 << 22


def compiled(n: int) -> bool:
    """Whether machine code pays for so many rows; numba is loaded for a large batch only."""
    return n >= COMPILED_FROM and (n >= LOADED_FROM or "numba" in sys.modules)


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

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.kernels.trend import block_trend
    >>> block_trend(np.array([1.0, 3.0, 5.0, 9.0, 7.0, 7.0]), np.arange(6), block=2, blocks=1, start=0.0)
    array([0., 0., 2., 2., 7., 7.])
    """
    block_of = slots // block
    rank = np.cumsum(np.diff(block_of, prepend=block_of[:1]) > 0)
    first = np.searchsorted(rank, np.arange(rank[-1] + 1))
    grid = np.full((len(first), block), np.nan)
    grid.reshape(-1)[slots - (block_of - rank) * block] = values
    steps = np.diff(block_of[first], prepend=block_of[0])
    at = np.cumsum(np.minimum(steps, blocks + 1))  # a longer gap looks the same from behind it
    line = np.full(blocks + at[-1] + 1, np.nan)
    line[blocks + at] = _medians(grid)
    before = sliding_window_view(line, blocks)[at]
    known = (~np.isnan(before)).sum(axis=1) >= (blocks + 1) // 2
    return np.where(known, nan_median(before), start)[rank]


def above_trend(values: Floats, slots: Ints, block: int, blocks: int, start: float) -> Floats:
    """The values minus their `block_trend`."""
    if not compiled(len(values)):
        return values - block_trend(values, slots, block, blocks, start)
    from tsprune.kernels import compiled_signal

    level = np.empty(len(values))
    compiled_signal.above_trend(values, slots, block, blocks, start, level)
    return level


def _medians(rows: Floats) -> Floats:
    """The median of each row without its NaN: by selection where none is missing, by sorting elsewhere."""
    low, high = (rows.shape[1] - 1) // 2, rows.shape[1] // 2
    whole = ~np.isnan(rows).any(axis=1)
    ranked = np.partition(rows[whole], (low, high), axis=1)
    medians = np.empty(len(rows))
    medians[whole] = 0.5 * ranked[:, low] + 0.5 * ranked[:, high]
    medians[~whole] = nan_median(rows[~whole])
    return medians


def innovation(values: Floats, slots: Ints, weights: Floats, clip: float, scale: float = 1.0, out: Floats | None = None) -> Floats:
    """What an autoregression does not foresee: `x[t] - sum of w[j] * clip(x[t - j])`, j = 1 ... order, divided by `scale`.

    A slot that is missing contributes nothing.  Of several rows in one slot the last one is history.

    >>> import numpy as np
    >>> from tsprune.kernels.trend import innovation
    >>> innovation(np.array([1.0, 9.0, 0.0]), np.arange(3), weights=np.array([0.5]), clip=4.0)
    array([ 1. ,  8.5, -2. ])
    """
    out = np.empty(len(values)) if out is None else out
    if compiled(len(values)):
        from tsprune.kernels import compiled_signal

        compiled_signal.innovation(values, slots, weights, clip, scale, out)
        return out
    rest = values.copy()
    past = np.minimum(np.maximum(np.where(np.isnan(values), 0.0, values), -clip), clip)
    regular = is_regular(slots)
    for lag, weight in enumerate(weights, start=1):
        rest -= weight * at_lag(past, slots, lag, regular)
    return np.divide(rest, scale, out=out)


def difference(values: Floats, slots: Ints) -> Floats:
    """The step from the slot before, 0 where that one is missing: nobody saw a step.

    >>> import numpy as np
    >>> from tsprune.kernels.trend import difference
    >>> difference(np.array([1.0, 4.0, 2.0]), np.array([0, 1, 5]))
    array([0., 3., 0.])
    """
    before = at_lag(values, slots, 1, is_regular(slots), missing=np.nan)
    return np.where(np.isnan(before) & ~np.isnan(values), 0.0, values - before)


def is_regular(slots: Ints) -> bool:
    """Whether every row stands one slot after the row before it; each step is tested."""
    return bool(slots[-1] - slots[0] == len(slots) - 1 and (np.diff(slots) == 1).all())


def at_lag(values: Floats, slots: Ints, lag: int, regular: bool, missing: float = 0.0) -> Floats:
    """The value `lag` slots before each row, or `missing` where that slot is empty; of several rows in it the last one's."""
    n = len(values)
    if regular:
        return np.concatenate([np.full(min(lag, n), missing), values[: max(0, n - lag)]])
    row = np.searchsorted(slots, slots - lag, side="right") - 1
    return np.where((row >= 0) & (slots[row] == slots - lag), values[row], missing)

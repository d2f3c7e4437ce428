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


def block_trend(values: Floats, slots: Ints, block: int, blocks: int, start: float | Floats) -> Floats:
    """Median of the medians of the last whole blocks before the block of each row.

    Parameters
    ----------
    values : ndarray, shape (n,) or (n, d)
        NaN where missing.  Of several rows in one slot the last one counts.
    slots : ndarray of int, shape (n,)
        Not decreasing.  Block k holds the slots k * block ... (k + 1) * block - 1, whatever the first row is.
    block, blocks : int
        Slots of a block, and how many blocks are looked back.
    start : float or ndarray, shape (d,)
        The trend where fewer than half of the blocks have a value.

    Returns
    -------
    ndarray, shape of the values
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
    columns = values.shape[1:]
    grid = np.full((len(first) * block, *columns), np.nan)
    grid[slots - (block_of - rank) * block] = values
    steps = np.diff(block_of[first], prepend=block_of[0])
    at = np.cumsum(np.minimum(steps, blocks + 1))  # a longer gap looks the same from behind it
    line = np.full((blocks + at[-1] + 1, *columns), np.nan)
    line[blocks + at] = nan_median(grid.reshape(len(first), block, *columns), axis=1)
    before = sliding_window_view(line, blocks, axis=0)[at]
    known = (~np.isnan(before)).sum(axis=-1) >= (blocks + 1) // 2
    return np.where(known, nan_median(before, axis=-1), start)[rank]


def above_trend(values: Floats, slots: Ints, block: int, blocks: int, start: float | Floats) -> Floats:
    """The values minus their `block_trend`."""
    if not compiled(values.size):
        return values - block_trend(values, slots, block, blocks, start)
    from tsprune.kernels import compiled_signal

    columns = _as_columns(values)
    level = np.empty_like(columns)
    compiled_signal.above_trend(columns, slots, block, blocks, _of_each(start, columns), level)
    return level.T.reshape(values.shape)


def innovation(
    values: Floats, slots: Ints, weights: Floats, clip: float | Floats, scale: float | Floats = 1.0, out: Floats | None = None
) -> Floats:
    """What an autoregression does not foresee: `x[t] - sum of w[j] * clip(x[t - j])`, j = 1 ... order, divided by `scale`.

    A slot that is missing contributes nothing.  Of several rows in one slot the last one is history.  Of several columns, values (n, d),
    each has its weights (d, order), its clip and its scale (d,).

    >>> import numpy as np
    >>> from tsprune.kernels.trend import innovation
    >>> innovation(np.array([1.0, 9.0, 0.0]), np.arange(3), weights=np.array([0.5]), clip=4.0)
    array([ 1. ,  8.5, -2. ])
    """
    out = np.empty(values.shape) if out is None else out
    if compiled(values.size):
        from tsprune.kernels import compiled_signal

        columns = _as_columns(values)
        found = np.empty_like(columns)
        compiled_signal.innovation(columns, slots, np.atleast_2d(weights), _of_each(clip, columns), _of_each(scale, columns), found)
        out[...] = found.T.reshape(values.shape)
        return out
    rest = values.copy()
    past = np.minimum(np.maximum(np.where(np.isnan(values), 0.0, values), -clip), clip)
    regular = is_regular(slots)
    for lag, weight in enumerate(weights.T, start=1):
        rest -= weight * at_lag(past, slots, lag, regular)
    return np.divide(rest, scale, out=out)


def _as_columns(values: Floats) -> Floats:
    """Series as the rows of a matrix, each in one piece: shape (d, n)."""
    return np.atleast_2d(np.ascontiguousarray(values.T))


def _of_each(fact: float | Floats, columns: Floats) -> Floats:
    """A fact for each of the series."""
    each = np.empty(len(columns))
    each[:] = fact
    return each


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
        return np.concatenate([np.full((min(lag, n), *values.shape[1:]), missing), values[: max(0, n - lag)]])
    row = np.searchsorted(slots, slots - lag, side="right") - 1
    found = ((row >= 0) & (slots[row] == slots - lag)).reshape(-1, *[1] * (values.ndim - 1))
    return np.where(found, values[row], missing)

"""Statistics of trailing windows, one row at a time.

Every value depends on the numbers of its own window alone, and its terms are summed in one fixed order
(oldest first): one batch, any chunks and row by row give the same bits.  So there is no cumulative
sum, no pairwise summation and no BLAS here.  A window with a missing value has no statistics: the caller
sees to that, the functions below need not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tsprune.types import Floats, Ints, Mask

#: Values that a long window is reduced to at the most.
PIECES = 32
#: Up to so many layers are sorted by exchanges; more are faster sorted one by one.
EXCHANGED = 8

Statistic = Callable[["Floats"], "Floats"]


def summed(windows: Floats) -> Floats:
    """Sum of each window, shape (n, length) -> (n,): taps added one after the other."""
    total = windows[:, 0].copy()
    for tap in range(1, windows.shape[1]):
        total += windows[:, tap]
    return total


def mean(windows: Floats) -> Floats:
    """Mean of each window."""
    return summed(windows) / windows.shape[1]


def std(windows: Floats) -> Floats:
    """Standard deviation of each window, about its mean (two passes: exact on a large level)."""
    middle = mean(windows)
    total = np.zeros(len(windows))
    for tap in range(windows.shape[1]):
        total += (windows[:, tap] - middle) ** 2
    return np.sqrt(total / windows.shape[1])


def minimum(windows: Floats) -> Floats:
    """Smallest value of each window."""
    return windows.min(axis=1)


def maximum(windows: Floats) -> Floats:
    """Largest value of each window."""
    return windows.max(axis=1)


def spread(windows: Floats) -> Floats:
    """Largest minus smallest value of each window."""
    return windows.max(axis=1) - windows.min(axis=1)


def median(windows: Floats) -> Floats:
    """Median of each window."""
    length = windows.shape[1]
    ranked = np.sort(windows, axis=1)
    return 0.5 * ranked[:, (length - 1) // 2] + 0.5 * ranked[:, length // 2]


def deviation(windows: Floats) -> Floats:
    """Last value minus the mean of its window."""
    return windows[:, -1] - mean(windows)


def roughness(windows: Floats) -> Floats:
    """Mean absolute step within each window; 0 for a window of one."""
    return mean(np.abs(np.diff(windows, axis=1))) if windows.shape[1] > 1 else np.zeros(len(windows))


def slope(windows: Floats) -> Floats:
    """Mean step from the first to the last value of each window, per slot; 0 for a window of one."""
    return (windows[:, -1] - windows[:, 0]) / max(1, windows.shape[1] - 1)


def value(windows: Floats) -> Floats:
    """The row's own value."""
    return windows[:, -1].copy()


def step(windows: Floats) -> Floats:
    """Absolute step from the row before; 0 for a window of one."""
    return np.abs(windows[:, -1] - windows[:, -2]) if windows.shape[1] > 1 else np.zeros(len(windows))


def normalised(windows: Floats, floor: float) -> Floats:
    """Each window minus its mean, divided by its standard deviation (or by `floor` where that is larger)."""
    return (windows - mean(windows)[:, None]) / np.maximum(std(windows), floor)[:, None]


def coarse(windows: Floats, most: int = PIECES) -> Floats:
    """Each window as at most `most` means of neighbouring values, the newest last, shape (n, n_pieces(length)).

    A window that is no multiple of the pieces loses its oldest values.

    >>> import numpy as np
    >>> from tsprune.kernels.windows import coarse
    >>> coarse(np.array([[9.0, 1.0, 3.0, 5.0, 7.0]]), most=3)
    array([[2., 6.]])
    """
    length = windows.shape[1]
    count, taps = n_pieces(length, most), -(-length // most)
    first = length - count * taps
    total = windows[:, first::taps].copy()
    for tap in range(1, taps):
        total += windows[:, first + tap :: taps]
    return total / taps


def n_pieces(length: int, most: int = PIECES) -> int:
    """Number of means that a window of this length is reduced to."""
    return length // -(-length // most)


def largest_ahead(values: Floats, length: int) -> Floats:
    """The largest of each value and the `length - 1` values after it; NaN where none of them is there.

    >>> import numpy as np
    >>> from tsprune.kernels.windows import largest_ahead
    >>> largest_ahead(np.array([np.nan, 3.0, 1.0, 0.0]), 2)
    array([3., 3., 1., 0.])
    """
    best = values.copy()
    for ahead in range(1, min(length, len(values))):
        np.fmax(best[:-ahead], values[ahead:], out=best[:-ahead])
    return best


def smallest_behind(values: Floats, length: int) -> Floats:
    """The smallest of each value and the `length - 1` values before it; NaN where one of them is missing.

    >>> import numpy as np
    >>> from tsprune.kernels.windows import smallest_behind
    >>> smallest_behind(np.array([5.0, 3.0, 4.0, np.nan, 4.0]), 2)
    array([nan,  3.,  3., nan, nan])
    """
    least = values.copy()
    least[: length - 1] = np.nan
    for behind in range(1, min(length, len(values))):
        np.minimum(least[behind:], values[:-behind], out=least[behind:])
    return least


def nan_median(rows: Floats, axis: int = 1) -> Floats:
    """Median along one axis over the values that are there; NaN where none is.  Order statistics only: no rounding.

    >>> import numpy as np
    >>> from tsprune.kernels.windows import nan_median
    >>> nan_median(np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, np.nan]]))
    array([ 2., nan])
    """
    ranked = np.sort(np.ascontiguousarray(np.moveaxis(rows, axis, -1)), axis=-1)
    length = ranked.shape[-1]
    if not np.isnan(ranked[..., -1]).any():  # missing values rank last
        return 0.5 * ranked[..., (length - 1) // 2] + 0.5 * ranked[..., length // 2]
    count = (~np.isnan(ranked)).sum(axis=-1)
    low = np.take_along_axis(ranked, np.maximum((count - 1) // 2, 0)[..., None], axis=-1)[..., 0]
    high = np.take_along_axis(ranked, np.minimum(count // 2, length - 1)[..., None], axis=-1)[..., 0]
    return np.where(count > 0, 0.5 * low + 0.5 * high, np.nan)


def bridged(windows: Floats, most: int) -> tuple[Floats, Mask]:
    """Windows with gaps of at most so many values filled by the value before, and which of them miss more, or their last value.

    A gap at the beginning of a window is filled by the value after it.

    >>> import numpy as np
    >>> from tsprune.kernels.windows import bridged
    >>> filled, missing = bridged(np.array([[np.nan, 1.0, np.nan, 3.0], [1.0, np.nan, np.nan, 2.0]]), most=1)
    >>> filled[0], missing
    (array([1., 1., 1., 3.]), array([False,  True]))
    """
    there = ~np.isnan(windows)
    at = np.arange(windows.shape[1])
    last = np.maximum.accumulate(np.where(there, at, -1), axis=1)
    first = there.argmax(axis=1)
    missing: Mask = ~there[:, -1] | (first > most) | (np.where(last >= 0, at - last, 0) > most).any(axis=1)
    return np.take_along_axis(windows, np.where(last >= 0, last, first[:, None]), axis=1), missing


def carried(line: Floats, most: int) -> Floats:
    """Values one slot after the other (n, d), the first `most` missing ones of each gap as the value before it.

    >>> import numpy as np
    >>> from tsprune.kernels.windows import carried
    >>> carried(np.array([[np.nan], [1.0], [np.nan], [np.nan]]), most=1).ravel()
    array([nan,  1.,  1., nan])
    """
    at = np.arange(len(line))[:, None]
    last = np.maximum.accumulate(np.where(np.isnan(line), -1, at), axis=0)
    return np.where((last >= 0) & (at - last <= most), np.take_along_axis(line, np.maximum(last, 0), axis=0), np.nan)


def middle_of(layers: Sequence[Floats]) -> tuple[Floats, Ints]:
    """Median over arrays of one shape without their NaN, and how many there are; few layers are sorted by exchanges of neighbours.

    >>> import numpy as np
    >>> from tsprune.kernels.windows import middle_of
    >>> middle_of([np.array([1.0, 5.0]), np.array([np.nan, 7.0]), np.array([3.0, 9.0])])
    (array([2., 7.]), array([2, 3]))
    """
    if len(layers) > EXCHANGED:
        stacked = np.stack(layers, axis=-1)
        return nan_median(stacked, axis=-1), (~np.isnan(stacked)).sum(axis=-1)
    missing: list[Mask] = [np.isnan(layer) for layer in layers]
    ranked = [np.where(gap, np.inf, layer) if gap.any() else layer for layer, gap in zip(layers, missing, strict=True)]
    for turn in range(len(ranked)):
        for k in range(turn % 2, len(ranked) - 1, 2):
            ranked[k], ranked[k + 1] = np.minimum(ranked[k], ranked[k + 1]), np.maximum(ranked[k], ranked[k + 1])
    count = len(layers) - np.sum(missing, axis=0)
    if count.min() == len(layers):
        return 0.5 * ranked[(len(layers) - 1) // 2] + 0.5 * ranked[len(layers) // 2], count
    low = np.choose(np.maximum(count - 1, 0) // 2, ranked)
    high = np.choose(np.minimum(count // 2, len(layers) - 1), ranked)
    return np.where(count > 0, 0.5 * low + 0.5 * high, np.nan), count


#: Name -> statistic of one window.  A new one is one function and one line.
STATISTICS: dict[str, Statistic] = {
    "deviation": deviation,
    "max": maximum,
    "mean": mean,
    "median": median,
    "min": minimum,
    "range": spread,
    "roughness": roughness,
    "slope": slope,
    "std": std,
    "step": step,
    "value": value,
}

"""Window features of many series as machine code: the bits of `kernels.windows`, for all columns of a row at a time.

Neighbouring columns are independent, so each loop over them becomes vector instructions, while the taps of one window keep their
order.  Loaded only where there are many windows, since it loads numba; fastmath is off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

from tsprune.kernels.compiled_smooth import exchange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tsprune.types import Floats, Ints, Mask, Matrix

#: Columns that are computed together: their windows stay in the cache.
BLOCK = 128

#: Feature -> its number in the machine code.
CODES = {
    name: code
    for code, name in enumerate(
        ("value", "step", "slope", "mean", "std", "deviation", "roughness", "min", "max", "range", "median", "raw", "shape")
    )
}
_VALUE, _STEP, _SLOPE, _MEAN, _STD, _DEVIATION, _ROUGHNESS, _MIN, _MAX, _RANGE, _MEDIAN, _RAW, _SHAPE = range(13)


def window_features(values: Matrix, ends: Ints, names: Sequence[str], lengths: Sequence[int], floor: Floats, out: Floats) -> None:
    """See `kernels.panel.window_features`; the result goes into `out`."""
    codes = np.array([CODES[name] for name in names], dtype=np.int64)
    _run(np.ascontiguousarray(values), ends, codes, np.array(lengths, dtype=np.int64), floor, out)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def scale_in_place(rows: Matrix, centre: Floats, scale: Floats) -> Mask:
    """See `kernels.panel.scale_in_place`."""
    complete = np.empty(len(rows), dtype=np.bool_)
    for r in range(len(rows)):
        missing = 0
        for j in range(len(centre)):
            x = (rows[r, j] - centre[j]) / scale[j]
            rows[r, j] = x
            missing += x != x
        complete[r] = missing == 0
    return complete


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _run(values: Matrix, ends: Ints, codes: Ints, lengths: Ints, floor: Floats, out: Floats) -> None:
    d = values.shape[1]
    longest = lengths.max()
    one, two, present = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    ranked = np.empty((longest, BLOCK))
    for low in range(0, d, BLOCK):
        high = min(low + BLOCK, d)
        for r in range(len(ends)):
            at = 0
            for f in range(len(codes)):
                code, length = codes[f], lengths[f]
                window = values[ends[r] + 1 - length : ends[r] + 1, low:high]
                own = out[r, low:high]
                _sum(window, present)
                if code in (_RAW, _SHAPE):
                    if code == _SHAPE:
                        _mean(present, length, high - low, one)
                        _std(window, one, two)
                    _wide(window, code == _SHAPE, one, two, floor[low:high], present, at, own)
                    at += length
                else:
                    _one_number(code, window, present, one, two, ranked)
                    for s in range(high - low):
                        own[s, at] = one[s] if present[s] == present[s] else np.nan
                    at += 1


@numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _one_number(code: int, window: Matrix, total: Floats, one: Floats, two: Floats, ranked: Matrix) -> None:
    """A statistic of each column's window, into `one`; `total` is the sum of its values."""
    length, size = window.shape
    if code == _MEAN:
        _mean(total, length, size, one)
    elif code == _STD:
        _mean(total, length, size, two)
        _std(window, two, one)
    elif code == _DEVIATION:
        for s in range(size):
            one[s] = window[length - 1, s] - total[s] / length
    elif code == _ROUGHNESS:
        _roughness(window, one)
    elif code == _MEDIAN:
        _median(window, ranked, one)
    elif code in (_MIN, _MAX, _RANGE):
        _extremes(code, window, one, two)
    else:
        _ends(code, window, one)


@numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _ends(code: int, window: Matrix, one: Floats) -> None:
    """What depends on the first and the last values only."""
    length, size = window.shape
    for s in range(size):
        if code == _VALUE:
            one[s] = window[length - 1, s]
        elif code == _STEP:
            one[s] = abs(window[length - 1, s] - window[length - 2, s]) if length > 1 else 0.0
        else:
            one[s] = (window[length - 1, s] - window[0, s]) / max(1, length - 1)


@numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _sum(window: Matrix, total: Floats) -> None:
    length, size = window.shape
    for s in range(size):
        total[s] = window[0, s]
    for tap in range(1, length):
        for s in range(size):
            total[s] += window[tap, s]


@numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _mean(total: Floats, length: int, size: int, mean: Floats) -> None:
    for s in range(size):
        mean[s] = total[s] / length


@numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _std(window: Matrix, mean: Floats, std: Floats) -> None:
    length, size = window.shape
    for s in range(size):
        std[s] = 0.0
    for tap in range(length):
        for s in range(size):
            away = window[tap, s] - mean[s]
            std[s] += away * away
    for s in range(size):
        std[s] = np.sqrt(std[s] / length)


@numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _roughness(window: Matrix, rough: Floats) -> None:
    length, size = window.shape
    for s in range(size):
        rough[s] = abs(window[1, s] - window[0, s]) if length > 1 else 0.0
    for tap in range(2, length):
        for s in range(size):
            rough[s] += abs(window[tap, s] - window[tap - 1, s])
    for s in range(size):
        rough[s] /= max(1, length - 1)


@numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _extremes(code: int, window: Matrix, low: Floats, high: Floats) -> None:
    """The smallest value, the largest, or what lies between, into `low`."""
    length, size = window.shape
    for s in range(size):
        low[s] = high[s] = window[0, s]
    for tap in range(1, length):
        for s in range(size):
            x = window[tap, s]
            low[s] = x if x < low[s] else low[s]
            high[s] = x if x > high[s] else high[s]
    for s in range(size):
        if code == _MAX:
            low[s] = high[s]
        elif code == _RANGE:
            low[s] = high[s] - low[s]


@numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _median(window: Matrix, ranked: Matrix, median: Floats) -> None:
    """The median of each column."""
    length, size = window.shape
    for tap in range(length):
        for s in range(size):
            ranked[tap, s] = window[tap, s]
    exchange(ranked[:length], size)
    for s in range(size):
        median[s] = 0.5 * ranked[(length - 1) // 2, s] + 0.5 * ranked[length // 2, s]


@numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _wide(window: Matrix, shape: bool, mean: Floats, std: Floats, floor: Floats, present: Floats, at: int, own: Matrix) -> None:
    """The values of each window, or their shape; NaN where one is missing."""
    length, size = window.shape
    for s in range(size):
        missing = present[s] != present[s]
        for tap in range(length):
            x = window[tap, s]
            if shape:
                x = (x - mean[s]) / max(std[s], floor[s])
            own[s, at + tap] = np.nan if missing else x

"""Medians of short trailing windows, and Hampel's filter, as machine code: the bits of `kernels.denoise`.

A window is sorted by exchanges of neighbours, many windows at a time: no branch depends on a value, so each exchange is vector
instructions.  Whether neighbours in memory are rows of one series or series of one row makes no difference.  fastmath is off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

from tsprune.kernels.smooth import MAD_TO_SIGMA

if TYPE_CHECKING:
    from tsprune.types import Floats, Ints, Matrix

#: Windows that are sorted together.
SPAN = 256


@numba.njit(cache=True, error_model="numpy", nogil=True)
def hampel(line: Floats, stride: int, window: int, cutoff: float, median: bool, out: Floats) -> None:
    """See `kernels.denoise.hampel`, or the median alone; the value before `line[i]` in its series is `line[i - stride]`."""
    layers, ranked = np.empty((window, SPAN)), np.empty((window, SPAN))
    middle, spread, count = np.empty(SPAN), np.empty(SPAN), np.empty(SPAN, np.int64)
    for start in range(0, len(out), SPAN):
        size = min(SPAN, len(out) - start)
        for k in range(window):
            layers[k, :size] = line[start + k * stride : start + k * stride + size]
        _medians(layers, ranked, size, count, middle)
        if median:
            out[start : start + size] = middle[:size]
            continue
        own = out[start : start + size]
        own[:] = layers[window - 1, :size]
        for k in range(window):
            for s in range(size):
                layers[k, s] = abs(layers[k, s] - middle[s])
        _medians(layers, ranked, size, count, spread)
        for s in range(size):
            far = abs(own[s] - middle[s]) > cutoff * (MAD_TO_SIGMA * spread[s])
            own[s] = middle[s] if far else own[s]


@numba.njit(cache=True, error_model="numpy", nogil=True, inline="always")
def exchange(ranked: Matrix, size: int) -> None:
    """Sort the first `size` columns, all together: odd-even transpositions, compare and exchange without a branch."""
    for turn in range(len(ranked)):
        for k in range(turn % 2, len(ranked) - 1, 2):
            upper, lower = ranked[k], ranked[k + 1]
            for s in range(size):
                a, b = upper[s], lower[s]
                upper[s] = a if a < b else b
                lower[s] = b if a < b else a


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _medians(layers: Matrix, ranked: Matrix, size: int, count: Ints, medians: Floats) -> None:
    """The median over the layers at each of the first places, without missing values; NaN without any."""
    window = len(layers)
    count[:] = 0
    for k in range(window):
        for s in range(size):
            x = layers[k, s]
            ranked[k, s] = x if x == x else np.inf
            count[s] += x == x
    exchange(ranked, size)
    if count[:size].min() == window:
        for s in range(size):
            medians[s] = 0.5 * ranked[(window - 1) // 2, s] + 0.5 * ranked[window // 2, s]
        return
    for s in range(size):
        n = count[s]
        medians[s] = 0.5 * ranked[(n - 1) // 2, s] + 0.5 * ranked[n // 2, s] if n else np.nan

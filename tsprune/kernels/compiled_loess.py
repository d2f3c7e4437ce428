"""The hot loops of loess as machine code: the same sums as `kernels.filters`, without passes over memory between them.

Loaded only where there is enough work to pay for loading numba (see `kernels.stl`); results agree to rounding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from tsprune.types import Floats, Matrix

#: Sums may be reordered and divisions turned into products; NaN and infinity keep their meaning.
FAST = {"contract", "reassoc", "nsz", "arcp"}
#: Samples whose running sums stay in the first-level cache.
BLOCK = 512


@numba.njit(cache=True, fastmath=FAST, error_model="numpy", nogil=True)
def smooth(values: Matrix, half: Floats, reach: int, stride: int, out: Matrix, at: int) -> None:
    """Symmetric filter: `half[j]` weighs the samples j strides before and after; `reach` strides into the series is `at` in `out`."""
    length = values.shape[1] - 2 * reach * stride
    for d in range(len(values)):
        for begin in range(0, length, BLOCK):
            total = out[d, at + begin : at + min(begin + BLOCK, length)]
            _even(values[d], half, stride, begin + reach * stride, total)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy", nogil=True)
def weigh(
    weights: Matrix, half: Floats, reach: int, stride: int, limits: Floats, floor: float, level: Matrix, slope: Matrix | None
) -> None:
    """What `edges.tilt` makes of the moments of the weights around each interior sample; no slope for local constants."""
    moment = np.arange(len(half)) / reach
    first, second = half * moment, half * moment * moment
    s0, s1, s2 = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    for d in range(len(weights)):
        for begin in range(0, len(limits), BLOCK):
            size = min(BLOCK, len(limits) - begin)
            centre = begin + reach * stride
            inside = slice(begin, begin + size)
            _even(weights[d], half, stride, centre, s0[:size])
            if slope is None:
                for i in range(size):
                    level[d, begin + i] = 1.0 / s0[i] if s0[i] > floor else np.nan
            else:
                _odd(weights[d], first, stride, centre, s1[:size])
                _even(weights[d], second, stride, centre, s2[:size])
                _tilt(s0, s1, s2, limits[inside], floor, level[d, inside], slope[d, inside])


@numba.njit(cache=True, fastmath=FAST, error_model="numpy", nogil=True)
def fit(
    values: Matrix, weights: Matrix, level: Matrix, slope: Matrix | None, half: Floats, reach: int, stride: int, out: Matrix, at: int
) -> None:
    """Weighted local constants or lines, from what `weigh` prepared."""
    length = level.shape[1]
    first = half * np.arange(len(half)) / reach
    weighted, t1 = np.empty(values.shape[1]), np.empty(BLOCK)
    for d in range(len(values)):
        weighted[:] = weights[d] * values[d]
        for begin in range(0, length, BLOCK):
            centre = begin + reach * stride
            t0 = out[d, at + begin : at + min(begin + BLOCK, length)]
            _even(weighted, half, stride, centre, t0)
            if slope is None:
                for i in range(len(t0)):
                    t0[i] *= level[d, begin + i]
            else:
                _odd(weighted, first, stride, centre, t1[: len(t0)])
                for i in range(len(t0)):
                    t0[i] = level[d, begin + i] * t0[i] + slope[d, begin + i] * t1[i]


@numba.njit(cache=True, fastmath=FAST, error_model="numpy", nogil=True)
def _even(x: Floats, half: Floats, stride: int, centre: int, total: Floats) -> None:
    for i in range(len(total)):
        total[i] = half[0] * x[centre + i]
    for j in range(1, len(half)):
        before, after = x[centre - j * stride :], x[centre + j * stride :]
        for i in range(len(total)):
            total[i] += half[j] * (before[i] + after[i])


@numba.njit(cache=True, fastmath=FAST, error_model="numpy", nogil=True)
def _odd(x: Floats, half: Floats, stride: int, centre: int, total: Floats) -> None:
    total[:] = 0.0
    for j in range(1, len(half)):
        before, after = x[centre - j * stride :], x[centre + j * stride :]
        for i in range(len(total)):
            total[i] += half[j] * (after[i] - before[i])


@numba.njit(cache=True, fastmath=FAST, error_model="numpy", nogil=True)
def _tilt(s0: Floats, s1: Floats, s2: Floats, limits: Floats, floor: float, level: Floats, slope: Floats) -> None:
    for i in range(len(level)):
        share = 1.0 / s0[i] if s0[i] > floor else np.nan
        mean = s1[i] * share
        spread = s2[i] * share - mean * mean
        lean = -mean / spread if spread > limits[i] * limits[i] else 0.0
        level[i] = (1.0 - lean * mean) * share
        slope[i] = lean * share

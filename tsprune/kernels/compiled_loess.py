"""The two hot loops of loess as machine code: the same sums as `kernels.filters`, without passes over memory between them.

Loaded only where there is enough work to pay for loading numba (see `kernels.loess`); results agree to rounding.
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
        x = values[d]
        for begin in range(0, length, BLOCK):
            total = out[d, at + begin : at + min(begin + BLOCK, length)]
            centre = begin + reach * stride
            for i in range(len(total)):
                total[i] = half[0] * x[centre + i]
            for j in range(1, len(half)):
                before, after = x[centre - j * stride :], x[centre + j * stride :]
                for i in range(len(total)):
                    total[i] += half[j] * (before[i] + after[i])


@numba.njit(cache=True, fastmath=FAST, error_model="numpy", nogil=True)
def fit(
    values: Matrix, weights: Matrix, half: Floats, reach: int, stride: int, limits: Floats, degree: int, floor: float, out: Matrix, at: int
) -> None:
    """Weighted local constants or lines; NaN where the weights of a fit sum to no more than `floor`."""
    weighted = np.empty(values.shape[1])
    sums = np.empty((5, BLOCK))
    for d in range(len(values)):
        w = weights[d]
        weighted[:] = w * values[d]
        for begin in range(0, len(limits), BLOCK):
            fits = out[d, at + begin : at + min(begin + BLOCK, len(limits))]
            _moments(w, weighted, half, reach, stride, begin + reach * stride, len(fits), sums)
            _line(sums, limits[begin : begin + BLOCK], degree, floor, fits)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy", nogil=True, inline="always")
def _moments(w: Floats, wy: Floats, half: Floats, reach: int, stride: int, centre: int, size: int, sums: Matrix) -> None:
    s0, s1, s2, t0, t1 = sums[0], sums[1], sums[2], sums[3], sums[4]
    for i in range(size):
        s0[i], t0[i] = half[0] * w[centre + i], half[0] * wy[centre + i]
        s1[i] = s2[i] = t1[i] = 0.0
    for j in range(1, len(half)):
        u = j / reach
        k0, k1, k2 = half[j], half[j] * u, half[j] * u * u
        wa, wb = w[centre - j * stride :], w[centre + j * stride :]
        ya, yb = wy[centre - j * stride :], wy[centre + j * stride :]
        for i in range(size):
            both = wa[i] + wb[i]
            s0[i] += k0 * both
            s2[i] += k2 * both
            s1[i] += k1 * (wb[i] - wa[i])
            t0[i] += k0 * (ya[i] + yb[i])
            t1[i] += k1 * (yb[i] - ya[i])


@numba.njit(cache=True, fastmath=FAST, error_model="numpy", nogil=True, inline="always")
def _line(sums: Matrix, limits: Floats, degree: int, floor: float, out: Floats) -> None:
    for i in range(len(out)):
        s0 = sums[0, i]
        inverse = 1.0 / s0
        mean, value = sums[1, i] * inverse, sums[3, i] * inverse
        spread = sums[2, i] * inverse - mean * mean
        if degree and spread > limits[i] * limits[i]:
            value -= mean * (sums[4, i] * inverse - mean * value) / spread
        out[i] = value if s0 > floor else np.nan

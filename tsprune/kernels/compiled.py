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


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def smooth(values: Matrix, half: Floats, stride: int, out: Matrix) -> None:
    """Symmetric filter: `half[j]` weighs the samples j strides before and after; ends of `out` stay as they are."""
    n, reach = values.shape[1], (len(half) - 1) * stride
    for d in range(len(values)):
        x, o = values[d], out[d]
        for begin in range(reach, n - reach, BLOCK):
            size = min(BLOCK, n - reach - begin)
            total = o[begin : begin + size]
            total[:] = half[0] * x[begin : begin + size]
            for j in range(1, len(half)):
                before, after = x[begin - j * stride :], x[begin + j * stride :]
                for i in range(size):
                    total[i] += half[j] * (before[i] + after[i])


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def fit(values: Matrix, weights: Matrix, half: Floats, stride: int, limit: float, degree: int, floor: float, out: Matrix) -> None:
    """Weighted local constants or lines; NaN where the weights of a fit sum to no more than `floor`."""
    n, m = values.shape[1], len(half) - 1
    reach = m * stride
    weighted = np.empty(n)
    sums = np.empty((5, BLOCK))
    for d in range(len(values)):
        w = weights[d]
        weighted[:] = w * values[d]
        for begin in range(reach, n - reach, BLOCK):
            size = min(BLOCK, n - reach - begin)
            _moments(w, weighted, half, stride, begin, size, sums)
            _line(sums, size, limit, degree, floor, out[d, begin : begin + size])


@numba.njit(cache=True, fastmath=FAST, error_model="numpy", inline="always")
def _moments(w: Floats, wy: Floats, half: Floats, stride: int, begin: int, size: int, sums: Matrix) -> None:
    s0, s1, s2, t0, t1 = sums[0], sums[1], sums[2], sums[3], sums[4]
    for i in range(size):
        s0[i], t0[i] = half[0] * w[begin + i], half[0] * wy[begin + i]
        s1[i] = s2[i] = t1[i] = 0.0
    for j in range(1, len(half)):
        u = j / (len(half) - 1)
        k0, k1, k2 = half[j], half[j] * u, half[j] * u * u
        wa, wb = w[begin - j * stride :], w[begin + j * stride :]
        ya, yb = wy[begin - j * stride :], wy[begin + j * stride :]
        for i in range(size):
            both = wa[i] + wb[i]
            s0[i] += k0 * both
            s2[i] += k2 * both
            s1[i] += k1 * (wb[i] - wa[i])
            t0[i] += k0 * (ya[i] + yb[i])
            t1[i] += k1 * (yb[i] - ya[i])


@numba.njit(cache=True, fastmath=FAST, error_model="numpy", inline="always")
def _line(sums: Matrix, size: int, limit: float, degree: int, floor: float, out: Floats) -> None:
    for i in range(size):
        s0 = sums[0, i]
        inverse = 1.0 / s0
        mean, value = sums[1, i] * inverse, sums[3, i] * inverse
        spread = sums[2, i] * inverse - mean * mean
        if degree and spread > limit * limit:
            value -= mean * (sums[4, i] * inverse - mean * value) / spread
        out[i] = value if s0 > floor else np.nan

"""Sums of Gaussian bumps as machine code: bit by bit what `kernels.boundary` gives, 64 rows side by side.

Loaded only where there is enough work to pay for loading numba.  No fast-math flag is set: a fused multiply-add or another
order of summing would change the last bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

from tsprune.kernels.boundary import FAR, LEAST, PAD, ROUND

if TYPE_CHECKING:
    from tsprune.types import Floats, Ints, Matrix

#: Rows side by side; with PAD vectors their exponents fill a quarter of a first-level cache.
LANES = 64


@numba.njit(cache=True, error_model="numpy", nogil=True)
def bump_sum(
    X: Matrix, origin: Floats, columns: Matrix, squares: Floats, weights: Floats, rate: float, powers: tuple[float, ...], total: Floats
) -> None:
    """Write the weighted sum of all bumps at each row to `total`; the number of bumps is a multiple of four."""
    n, width = X.shape
    lanes = np.zeros((width, LANES + PAD))  # the gap keeps lanes of neighbouring features in different cache sets
    terms, shifted = np.empty(PAD * LANES), np.empty(PAD * LANES)
    bits = shifted.view(np.int64)
    own, sums = np.empty(LANES), np.empty(LANES)
    for start in range(0, n, LANES):
        used = min(LANES, n - start)
        for t in range(used):
            for j in range(width):
                lanes[j, t] = min(max(X[start + t, j], -FAR), FAR) - origin[j]
        own[:] = 0.0
        sums[:] = 0.0
        for j in range(width):
            for t in range(LANES):
                own[t] += lanes[j, t] * lanes[j, t]
        for i in range(0, len(weights), PAD):
            _products(lanes, columns, i, terms)
            _exponents(terms, own, squares[i : i + PAD], rate)
            _exp2(terms, powers, shifted, bits)
            for h in range(PAD):
                weight = weights[i + h]
                for t in range(LANES):
                    sums[t] += terms[h * LANES + t] * weight
        total[start : start + used] = sums[:used]


@numba.njit(cache=True, error_model="numpy", nogil=True, inline="always")
def _products(lanes: Matrix, columns: Matrix, i: int, terms: Floats) -> None:
    """Inner products of all lanes with four centres: two centres and four features at a time share what is read."""
    terms[:] = 0.0
    for c in range(i, i + PAD, 2):
        a, b = terms[(c - i) * LANES : (c - i + 1) * LANES], terms[(c - i + 1) * LANES : (c - i + 2) * LANES]
        j = 0
        while j + 4 <= len(lanes):
            a0, a1, a2, a3 = columns[j, c], columns[j + 1, c], columns[j + 2, c], columns[j + 3, c]
            b0, b1, b2, b3 = columns[j, c + 1], columns[j + 1, c + 1], columns[j + 2, c + 1], columns[j + 3, c + 1]
            for t in range(LANES):
                x0, x1, x2, x3 = lanes[j, t], lanes[j + 1, t], lanes[j + 2, t], lanes[j + 3, t]
                a[t] = (((a[t] + x0 * a0) + x1 * a1) + x2 * a2) + x3 * a3
                b[t] = (((b[t] + x0 * b0) + x1 * b1) + x2 * b2) + x3 * b3
            j += 4
        for last in range(j, len(lanes)):
            for t in range(LANES):
                a[t] += lanes[last, t] * columns[last, c]
                b[t] += lanes[last, t] * columns[last, c + 1]


@numba.njit(cache=True, error_model="numpy", nogil=True, inline="always")
def _exponents(terms: Floats, own: Floats, squares: Floats, rate: float) -> None:
    for h in range(PAD):
        term, square = terms[h * LANES : (h + 1) * LANES], squares[h]
        for t in range(LANES):
            term[t] = min(max(((own[t] + square) - 2.0 * term[t]) * rate, LEAST), 0.0)


@numba.njit(cache=True, error_model="numpy", nogil=True, inline="always")
def _exp2(x: Floats, powers: tuple[float, ...], shifted: Floats, bits: Ints) -> None:
    """`kernels.boundary.exp2` in place; `bits` is `shifted` seen as whole numbers."""
    power = bits.view(np.float64)
    c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10 = powers
    for t in range(len(x)):
        shifted[t] = x[t] + ROUND
        x[t] -= shifted[t] - ROUND
    for t in range(len(x)):
        bits[t] = (bits[t] + 1023) << 52
    for t in range(len(x)):
        f = x[t]
        s = f * f
        even = ((((c10 * s + c8) * s + c6) * s + c4) * s + c2) * s + c0
        odd = (((c9 * s + c7) * s + c5) * s + c3) * s + c1
        x[t] = (even + f * odd) * power[t]

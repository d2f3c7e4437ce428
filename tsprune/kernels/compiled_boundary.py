"""Sums of Gaussian bumps as machine code: bit by bit what `kernels.boundary` gives, 64 rows side by side.

Loaded only where there is enough work to pay for loading numba.  No fast-math flag is set: a fused multiply-add or another
order of summing would change the last bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

from tsprune.kernels.boundary import EXP2, LEAST, PAD, ROUND

if TYPE_CHECKING:
    from tsprune.types import Floats, Ints, Matrix

#: Rows side by side; with PAD vectors their exponents fill a quarter of a first-level cache.
LANES = 64
C0, C1, C2, C3, C4, C5, C6, C7, C8, C9, C10 = EXP2


@numba.njit(cache=True, error_model="numpy", nogil=True)
def bump_sum(rows: Matrix, centres: Matrix, squares: Floats, weights: Floats, rate: float, total: Floats) -> None:
    """Write the weighted sum of all bumps at each row to `total`; the number of bumps is a multiple of four."""
    n, width = rows.shape
    lanes = np.zeros((width, LANES + PAD))  # the gap keeps lanes of neighbouring features in different cache sets
    terms, shifted = np.empty(PAD * LANES), np.empty(PAD * LANES)
    bits = shifted.view(np.int64)
    own, sums = np.empty(LANES), np.empty(LANES)
    for start in range(0, n, LANES):
        used = min(LANES, n - start)
        for t in range(used):
            for j in range(width):
                lanes[j, t] = rows[start + t, j]
        own[:] = 0.0
        sums[:] = 0.0
        for j in range(width):
            for t in range(LANES):
                own[t] += lanes[j, t] * lanes[j, t]
        for i in range(0, len(weights), PAD):
            _products(lanes, centres, i, terms)
            _exponents(terms, own, squares[i : i + PAD], rate)
            _exp2(terms, shifted, bits)
            for h in range(PAD):
                weight = weights[i + h]
                for t in range(LANES):
                    sums[t] += terms[h * LANES + t] * weight
        total[start : start + used] = sums[:used]


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _products(lanes: Matrix, centres: Matrix, i: int, terms: Floats) -> None:
    """Inner products of all lanes with four centres; four features at a time stay in registers."""
    width = len(lanes)
    terms[:] = 0.0
    for h in range(PAD):
        term, centre = terms[h * LANES : (h + 1) * LANES], centres[i + h]
        j = 0
        while j + 4 <= width:
            v0, v1, v2, v3 = centre[j], centre[j + 1], centre[j + 2], centre[j + 3]
            for t in range(LANES):
                term[t] = (((term[t] + lanes[j, t] * v0) + lanes[j + 1, t] * v1) + lanes[j + 2, t] * v2) + lanes[j + 3, t] * v3
            j += 4
        for last in range(j, width):
            v0 = centre[last]
            for t in range(LANES):
                term[t] += lanes[last, t] * v0


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _exponents(terms: Floats, own: Floats, squares: Floats, rate: float) -> None:
    for h in range(PAD):
        term, square = terms[h * LANES : (h + 1) * LANES], squares[h]
        for t in range(LANES):
            term[t] = min(max(((own[t] + square) - 2.0 * term[t]) * rate, LEAST), 0.0)


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _exp2(x: Floats, shifted: Floats, bits: Ints) -> None:
    """`kernels.boundary.exp2` in place; `bits` is `shifted` seen as whole numbers."""
    power = bits.view(np.float64)
    for t in range(len(x)):
        shifted[t] = x[t] + ROUND
        x[t] -= shifted[t] - ROUND
    for t in range(len(x)):
        bits[t] = (bits[t] + 1023) << 52
    for t in range(len(x)):
        f = x[t]
        s = f * f
        even = ((((C10 * s + C8) * s + C6) * s + C4) * s + C2) * s + C0
        odd = (((C9 * s + C7) * s + C5) * s + C3) * s + C1
        x[t] = (even + f * odd) * power[t]

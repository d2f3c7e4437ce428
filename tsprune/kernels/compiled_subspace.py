"""Weighted sums of squares along directions as machine code: the bits of `model.subspace`.  fastmath is off.

Loaded only where there is enough work, or numba is there already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from tsprune.types import Floats, Matrix

#: Rows that stay in registers and the first-level cache while one direction is summed.
SPAN = 64


@numba.njit(cache=True, error_model="numpy", nogil=True)
def add_squares(columns: Matrix, directions: Matrix, weights: Floats, total: Floats) -> None:
    """Add the squares along each direction to `total`, shape (n,); `columns` has shape (n_features, n)."""
    along = np.empty(SPAN)
    for start in range(0, len(total), SPAN):
        size = min(SPAN, len(total) - start)
        for part in range(len(weights)):
            along[:] = 0.0
            for feature in range(len(directions)):
                share, values = directions[feature, part], columns[feature, start : start + size]
                for s in range(size):
                    along[s] += share * values[s]
            for s in range(size):
                total[start + s] += along[s] * along[s] * weights[part]

"""Points in leaves of neighbours, for `kernels.compiled_neighbours`.

Loaded only where there is enough work to pay for loading numba.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tsprune.types import Floats, Ints, Matrix

    Singles = NDArray[np.float32]

#: Queries side by side, and reference points per leaf.
LANES, LEAF = 64, 128


@dataclass(frozen=True)
class Leaves:
    """Reference points in the order of their leaves, shape (n_points, n_features), and a smaller copy of them.

    `low` and `high` are the boxes of the leaves, shape (n_features, n_leaves).  `singles` has its origin at the mean of the points
    and a power of two as its unit, such that nothing is above 1; it is padded by infinity to full leaves.  `radius` is the
    length of its longest point.
    """

    points: Matrix
    order: Ints
    low: Matrix
    high: Matrix
    singles: Singles
    origin: Floats
    unit: float
    radius: float

    @classmethod
    def of(cls, points: Matrix) -> Leaves:
        n, width = points.shape
        order = np.arange(n)
        arrange(points, LEAF, order)
        points = points[order]
        starts = np.arange(0, n, LEAF)
        origin = points.mean(axis=0)
        centred = points - origin
        largest = float(np.abs(centred).max())
        unit = 2.0 ** np.ceil(np.log2(largest)) if largest > 0 else 1.0
        centred /= unit
        singles = np.full((len(starts) * LEAF, width), np.inf, dtype=np.float32)
        singles[:n] = centred
        radius = float(np.sqrt(np.square(centred).sum(axis=1).max()))
        low, high = (np.ascontiguousarray(edge.reduceat(points, starts).T) for edge in (np.minimum, np.maximum))
        return cls(points, order, low, high, singles, origin, unit, radius)


@numba.njit(cache=True, error_model="numpy", nogil=True)
def arrange(points: Matrix, size: int, order: Ints) -> None:
    """Order points such that each `size` of them lie close together: halve the widest feature, again and again."""
    keys = np.empty(len(order))
    todo = [(0, len(order))]
    while len(todo):
        start, stop = todo.pop()
        if stop - start <= size:
            continue
        middle = start + size * ((-(-(stop - start) // size) + 1) // 2)
        feature = _widest(points, order, start, stop)
        for i in range(start, stop):
            keys[i] = points[order[i], feature]
        _select(keys, order, start, stop - 1, middle)
        todo.append((start, middle))
        todo.append((middle, stop))


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _widest(points: Matrix, order: Ints, start: int, stop: int) -> int:
    """The feature with the largest range among some of the points."""
    best, widest = 0, -1.0
    for j in range(points.shape[1]):
        low, high = np.inf, -np.inf
        for i in range(start, stop):
            x = points[order[i], j]
            low, high = min(low, x), max(high, x)
        if high - low > widest:
            best, widest = j, high - low
    return best


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _select(keys: Floats, order: Ints, left: int, right: int, middle: int) -> None:
    """Quickselect: whatever stands before `middle` is not larger than what stands from there on."""
    while left < right:
        pivot = keys[(left + right) // 2]
        i, j = left, right
        while i <= j:
            while keys[i] < pivot:
                i += 1
            while keys[j] > pivot:
                j -= 1
            if i <= j:
                keys[i], keys[j] = keys[j], keys[i]
                order[i], order[j] = order[j], order[i]
                i += 1
                j -= 1
        if middle <= j:
            right = j
        elif middle >= i:
            left = i
        else:
            return

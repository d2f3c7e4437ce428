"""Isolation trees grown node by node in machine code: the bits of `forest_grow`, where the random numbers are explained.  fastmath is off.

Loaded only where there is enough work, or numba is there already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

from tsprune.kernels.forest_grow import AGAIN, COLUMN, CUT, FIRST, PER_NODE, ROWS, SECOND, STEP

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tsprune.types import Ints

_STEP, _FIRST, _SECOND = np.uint64(STEP), np.uint64(FIRST), np.uint64(SECOND)


def grow(rows: NDArray[np.float32], seeds: NDArray[np.uint64], n_drawn: int, limit: int) -> tuple[Ints, NDArray[np.float32], Ints]:
    """Feature, threshold and count of whole trees in pre-order."""
    most = len(seeds) * (2 * n_drawn - 1)
    feature, threshold, count = np.empty(most, np.int64), np.empty(most, np.float32), np.empty(most, np.int64)
    n = _grow(rows, seeds, n_drawn, limit, feature, threshold, count)
    return feature[:n].copy(), threshold[:n].copy(), count[:n].copy()


@numba.njit(inline="always")
def _uniform(seed: np.uint64, number: int) -> float:
    bits = seed + (np.uint64(number) + np.uint64(1)) * _STEP
    bits = (bits ^ (bits >> np.uint64(30))) * _FIRST
    bits = (bits ^ (bits >> np.uint64(27))) * _SECOND
    bits ^= bits >> np.uint64(31)
    return np.float64(bits >> np.uint64(11)) * 2.0**-53


@numba.njit(cache=True)
def _draw(seed: np.uint64, n: int, sample: Ints, taken: Ints, mark: int) -> None:
    """Different row numbers in the order in which they come up first."""
    if len(sample) >= n:
        sample[:] = np.arange(n)
        return
    found, number = 0, ROWS
    while found < len(sample):
        row = np.int64(_uniform(seed, number) * n)
        number += 1
        if taken[row] != mark:
            taken[row] = mark
            sample[found] = row
            found += 1


@numba.njit(cache=True)
def _range(rows: NDArray[np.float32], sample: Ints, start: int, stop: int, column: int) -> tuple[np.float32, np.float32]:
    low = high = rows[sample[start], column]
    for i in range(start + 1, stop):
        value = rows[sample[i], column]
        low = min(low, value)
        high = max(high, value)
    return low, high


@numba.njit(cache=True)
def _that_varies(rows: NDArray[np.float32], sample: Ints, start: int, stop: int, at: float, varying: Ints) -> int:
    """One of the columns that vary among some rows; the first one where none does."""
    found = 0
    for column in range(rows.shape[1]):
        low, high = _range(rows, sample, start, stop, column)
        if low < high:
            varying[found] = column
            found += 1
    return varying[np.int64(at * found)] if found else 0


@numba.njit(cache=True)
def _part(rows: NDArray[np.float32], sample: Ints, start: int, stop: int, column: int, cut: np.float32) -> int:
    """Rows at or below the cut come first; where the others begin."""
    left, right = start, stop - 1
    while left <= right:
        if rows[sample[left], column] > cut:
            sample[left], sample[right] = sample[right], sample[left]
            right -= 1
        else:
            left += 1
    return left


@numba.njit(cache=True, nogil=True)
def _grow(
    rows: NDArray[np.float32],
    seeds: NDArray[np.uint64],
    n_drawn: int,
    limit: int,
    feature: Ints,
    threshold: NDArray[np.float32],
    count: Ints,
) -> int:
    sample, taken, varying = np.empty(n_drawn, np.int64), np.full(len(rows), -1), np.empty(rows.shape[1], np.int64)
    stack = np.empty((limit + 2, 4), np.int64)  # first row, last row, place in the heap and depth of nodes that wait
    n = 0
    for tree in range(len(seeds)):
        seed = seeds[tree]
        _draw(seed, len(rows), sample, taken, tree)
        stack[0] = (0, n_drawn, 1, 0)
        waiting = 1
        while waiting:
            waiting -= 1
            start, stop, heap, depth = stack[waiting]
            feature[n], threshold[n], count[n] = -1, np.float32(0), stop - start
            n += 1
            if depth == limit or stop - start < 2:
                continue
            number = PER_NODE * heap
            column = np.int64(_uniform(seed, number + COLUMN) * rows.shape[1])
            low, high = _range(rows, sample, start, stop, column)
            if low == high:
                column = _that_varies(rows, sample, start, stop, _uniform(seed, number + AGAIN), varying)
                low, high = _range(rows, sample, start, stop, column)
                if low == high:
                    continue
            cut = np.float32(low + _uniform(seed, number + CUT) * (np.float64(high) - low))
            if cut >= high:
                cut = low
            feature[n - 1], threshold[n - 1], count[n - 1] = column, cut, 0
            middle = _part(rows, sample, start, stop, column, cut)
            stack[waiting] = (middle, stop, 2 * heap + 1, depth + 1)
            stack[waiting + 1] = (start, middle, 2 * heap, depth + 1)
            waiting += 2
    return n

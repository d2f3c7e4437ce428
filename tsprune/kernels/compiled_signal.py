"""The run path of the signal stages as machine code: the bits of `kernels.trend` and `kernels.denoise`, without passes over memory.

Loaded only where there are many rows.  No sum is reordered and no product is fused (fastmath is off): a twin that differs from
numpy in the last bit would let a score depend on the size of the batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from tsprune.types import Floats, Ints, Matrix

#: Values up to which a selection ends by insertion.
SHORT = 24
#: Rows that are worked on together where none is missing.
SPAN = 256


@numba.njit(cache=True, error_model="numpy", nogil=True)
def above_trend(columns: Matrix, slots: Ints, block: int, blocks: int, start: Floats, level: Matrix) -> None:
    """See `kernels.trend.above_trend`, for several series (d, n); the result goes into `level`."""
    line, held, memory = np.empty(blocks), np.empty(block), np.empty(max(block, blocks))
    for j in range(len(columns)):
        _above_trend(columns[j], slots, block, start[j], level[j], line, held, memory)


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _above_trend(values: Floats, slots: Ints, block: int, start: float, level: Floats, line: Floats, held: Floats, memory: Floats) -> None:
    blocks = len(line)
    line[:] = np.nan  # medians of the last blocks, as a ring
    at, row, number = 0, 0, slots[0] // block - 1
    while row < len(values):
        here = slots[row] // block
        for _ in range(min(here - number - 1, blocks)):  # a block without rows
            line[at] = np.nan
            at = at + 1 if at + 1 < blocks else 0
        number = here
        known = _present(line, blocks, memory)
        trend = _median(memory, known) if known >= (blocks + 1) // 2 else start
        begin = row
        row, count = _block(values, slots, row, (number + 1) * block, held)
        for i in range(begin, row):
            level[i] = values[i] - trend
        line[at] = _median(memory, _present(held, count, memory))
        at = at + 1 if at + 1 < blocks else 0


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _block(values: Floats, slots: Ints, row: int, end: int, held: Floats) -> tuple[int, int]:
    """Copy the values of the slots before `end`; returns the row behind them and their number."""
    size = min(len(held), len(values) - row)
    after = row + size
    alone = slots[after - 1] < end and (after == len(values) or slots[after] >= end)
    if alone and slots[after - 1] - slots[row] == size - 1 and _steady(slots, row, size):
        held[:size] = values[row : row + size]
        return row + size, size
    count, last = 0, slots[row] - 1
    while row < len(values) and slots[row] < end:
        count += slots[row] != last  # of several rows in one slot the last one counts
        held[count - 1] = values[row]
        last = slots[row]
        row += 1
    return row, count


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _steady(slots: Ints, row: int, size: int) -> bool:
    jumps = 0
    for i in range(row + 1, row + size):
        jumps += slots[i] - slots[i - 1] != 1
    return jumps == 0


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _run(slots: Ints, row: int, most: int) -> int:
    """Rows from this one on that stand one slot after the other, at most so many."""
    if slots[row + most - 1] - slots[row] == most - 1 and _steady(slots, row, most):
        return most
    size = 1
    while size < most and slots[row + size] - slots[row + size - 1] == 1:
        size += 1
    return size


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _present(values: Floats, n: int, memory: Floats) -> int:
    """Copy the values that are there to the memory; returns their number."""
    count = 0
    for i in range(n):
        memory[count] = values[i]
        count += values[i] == values[i]
    return count


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _median(values: Floats, n: int) -> float:
    """Median of the first n values, which change places; NaN without any."""
    if n == 0:
        return np.nan
    middle = n // 2
    high = _select(values, n, middle)
    if n % 2:
        return high
    low = values[0]
    for i in range(1, middle):
        low = max(low, values[i])
    return 0.5 * low + 0.5 * high


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _select(values: Floats, n: int, k: int) -> float:
    """The k-th smallest of the first n values; the smaller ones stand before it then."""
    low, high = 0, n - 1
    while high - low > SHORT:
        pivot = _pivot(values, low, high)
        edge = low
        for i in range(low, high + 1):  # smaller ones to the front, without a branch
            value = values[i]
            values[i] = values[edge]
            values[edge] = value
            edge += value < pivot
        if k < edge:
            high = edge - 1
        elif edge > low:
            low = edge
        else:  # the pivot is the smallest: pass by all that equal it
            for i in range(low, high + 1):
                value = values[i]
                values[i] = values[edge]
                values[edge] = value
                edge += value == pivot
            if k < edge:
                return pivot
            low = edge
    for i in range(low + 1, high + 1):
        value, j = values[i], i
        while j > low and values[j - 1] > value:
            values[j] = values[j - 1]
            j -= 1
        values[j] = value
    return values[k]


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _pivot(values: Floats, low: int, high: int) -> float:
    """Median of three medians of three."""
    step = (high - low) // 8
    return _of_three(
        _of_three(values[low], values[low + step], values[low + 2 * step]),
        _of_three(values[low + 3 * step], values[low + 4 * step], values[low + 5 * step]),
        _of_three(values[low + 6 * step], values[low + 7 * step], values[low + 8 * step]),
    )


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _of_three(a: float, b: float, c: float) -> float:
    return max(min(a, b), min(max(a, b), c))


@numba.njit(cache=True, error_model="numpy", nogil=True)
def innovation(columns: Matrix, slots: Ints, weights: Matrix, clip: Floats, scale: Floats, out: Matrix) -> None:
    """See `kernels.trend.innovation`, for several series (d, n); the result goes into `out`."""
    total, past = np.empty(SPAN), np.empty(weights.shape[1] + SPAN)
    for j in range(len(columns)):
        _innovation(columns[j], slots, weights[j], clip[j], scale[j], out[j], total, past)


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _innovation(values: Floats, slots: Ints, weights: Floats, clip: float, scale: float, out: Floats, total: Floats, past: Floats) -> None:
    order = len(weights)
    past[:] = 0.0  # clipped values, from `order` slots before the rows at work
    row = 0
    while row < len(values):
        if row:
            _shift(past, order, slots[row] - slots[row - 1])
        size = _run(slots, row, min(SPAN, len(values) - row))
        _clipped(values[row : row + size], clip, past[order:])
        total[:size] = values[row : row + size]
        for j in range(order):
            before, weight = past[order - 1 - j :], weights[j]
            for i in range(size):
                total[i] -= weight * before[i]
        for i in range(size):
            out[row + i] = total[i] / scale
        for j in range(order + 1):
            past[j] = past[size - 1 + j]
        row += size


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _shift(past: Floats, order: int, steps: int) -> None:
    """Make the slot at `order` history, so many steps back; of two rows in one slot the second takes its place."""
    for j in range(order):
        if steps > 0:
            past[j] = past[j + steps] if j + steps <= order else 0.0


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _clipped(values: Floats, clip: float, out: Floats) -> None:
    for i in range(len(values)):
        value = values[i] if values[i] == values[i] else 0.0
        out[i] = min(max(value, -clip), clip)


@numba.njit(cache=True, error_model="numpy", nogil=True)
def subtract_profile(values: Floats, slots: Ints, profile: Floats) -> None:
    """See `kernels.season.subtract_profile`."""
    bins = len(profile)
    row = 0
    while row < len(values):
        at = slots[row] % bins
        size = _run(slots, row, min(bins - at, len(values) - row))
        for i in range(size):
            values[row + i] -= profile[at + i]
        row += size

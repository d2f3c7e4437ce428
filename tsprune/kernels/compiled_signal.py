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

#: Values whose median is found by counting, of each, those that are smaller.
SHORT = 24
#: Pairs of bounds about a median that are tried before the values between them are taken out.
TRIED = 4
#: Rows that are worked on together where none is missing.
SPAN = 256


@numba.njit(cache=True, error_model="numpy", nogil=True)
def above_trend(columns: Matrix, slots: Ints, block: int, blocks: int, start: Floats, level: Matrix) -> None:
    """See `kernels.trend.above_trend`, for several series (d, n); the result goes into `level`."""
    line, ranked, held, memory = np.empty(blocks), np.empty(blocks), np.empty(block), np.empty(block)
    smaller = np.empty(SHORT, np.int64)
    for j in range(len(columns)):
        _above_trend(columns[j], slots, block, start[j], level[j], line, ranked, held, memory, smaller)


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _above_trend(
    values: Floats,
    slots: Ints,
    block: int,
    start: float,
    level: Floats,
    line: Floats,
    ranked: Floats,
    held: Floats,
    memory: Floats,
    smaller: Ints,
) -> None:
    blocks = len(line)
    line[:] = np.nan  # medians of the last blocks, as a ring; those that are there stand in `ranked`, too
    at, known, row, number = 0, 0, 0, slots[0] // block - 1
    while row < len(values):
        here = slots[row] // block
        for _ in range(min(here - number - 1, blocks)):  # a block without rows
            known = _replaced(line, at, np.nan, ranked, known)
            at = at + 1 if at + 1 < blocks else 0
        number = here
        trend = 0.5 * ranked[(known - 1) // 2] + 0.5 * ranked[known // 2] if known >= (blocks + 1) // 2 else start
        begin = row
        row, own = _block(values, slots, row, (number + 1) * block, held)
        _minus(values[begin:row], trend, level[begin:row])
        known = _replaced(line, at, _median(own, memory, smaller), ranked, known)
        at = at + 1 if at + 1 < blocks else 0


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _replaced(line: Floats, at: int, new: float, ranked: Floats, known: int) -> int:
    """Put a value in another one's place on the line, and among the ranked ones; returns how many of these there are."""
    old = line[at]
    line[at] = new
    if old == old:
        known -= 1
        k = 0
        while ranked[k] != old:
            k += 1
        for i in range(k, known):
            ranked[i] = ranked[i + 1]
    if new == new:
        k = known
        while k > 0 and ranked[k - 1] > new:
            ranked[k] = ranked[k - 1]
            k -= 1
        ranked[k] = new
        known += 1
    return known


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _minus(values: Floats, trend: float, out: Floats) -> None:
    for i in range(len(values)):
        out[i] = values[i] - trend


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _block(values: Floats, slots: Ints, row: int, end: int, held: Floats) -> tuple[int, Floats]:
    """The row behind the slots before `end`, and their values: as they stand where every slot has one row, else copied."""
    size = min(len(held), len(values) - row)
    after = row + size
    alone = slots[after - 1] < end and (after == len(values) or slots[after] >= end)
    if alone and slots[after - 1] - slots[row] == size - 1 and _steady(slots[row:after]):
        return after, values[row:after]
    count, last = 0, slots[row] - 1
    while row < len(values) and slots[row] < end:
        count += slots[row] != last  # of several rows in one slot the last one counts
        held[count - 1] = values[row]
        last = slots[row]
        row += 1
    return row, held[:count]


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _steady(slots: Ints) -> bool:
    before, after, jumps = slots[:-1], slots[1:], 0  # two views: an index minus one keeps a loop from being vectorised
    for i in range(len(before)):
        jumps += after[i] - before[i] != 1
    return jumps == 0


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _run(slots: Ints, row: int, most: int) -> int:
    """Rows from this one on that stand one slot after the other, at most so many."""
    if slots[row + most - 1] - slots[row] == most - 1 and _steady(slots[row : row + most]):
        return most
    size = 1
    while size < most and slots[row + size] - slots[row + size - 1] == 1:
        size += 1
    return size


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _median(values: Floats, memory: Floats, smaller: Ints) -> float:
    """Median of the values that are there; NaN without any.

    Bounds about it come from a sample, then from the ranks that they turn out to have: counting costs a tenth of moving values.
    """
    n = _there(values)
    if n < len(values):
        values = memory[: _between(values, -np.inf, np.nan, memory)]
    if n == 0:
        return np.nan
    first, last = (n - 1) // 2, n // 2  # the ranks that are looked for
    low, high, below, upto = -np.inf, np.nan, 0, n  # so many values are below low, and below high
    if n > SHORT:
        one, two = _guess(values)
        for _ in range(TRIED):
            below_one, below_two = _below(values, one, two)
            if below <= below_one <= first:
                low, below = one, below_one
            elif last < below_one <= upto:
                high, upto = one, below_one
            if below <= below_two <= first:
                low, below = two, below_two
            elif last < below_two <= upto:
                high, upto = two, below_two
            if upto - below <= SHORT or not high - low < np.inf:
                break
            share = (0.5 * (first + last + 1) - below) / (upto - below)
            middle, half = low + (high - low) * share, (high - low) / np.sqrt(upto - below)
            one, two = middle - half, middle + half
    return _of_ranks(memory, _between(values, low, high, memory), first - below, last - below, smaller)


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _there(values: Floats) -> int:
    count = 0
    for i in range(len(values)):
        count += values[i] == values[i]
    return count


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _below(values: Floats, one: float, two: float) -> tuple[int, int]:
    below_one, below_two = 0, 0
    for i in range(len(values)):
        below_one += values[i] < one
        below_two += values[i] < two
    return below_one, below_two


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _between(values: Floats, low: float, high: float, memory: Floats) -> int:
    """Copy the values from low on and below high to the memory, all from low on where high is NaN; returns their number."""
    count = 0
    for i in range(len(values)):
        memory[count] = values[i]
        count += (values[i] >= low) & (not values[i] >= high)
    return count


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _guess(values: Floats) -> tuple[float, float]:
    """Two values with the median between them, as a rule: of three groups of three, the median of the smallest and of the largest."""
    step = (len(values) - 1) // 8
    a, b, c = values[0], values[step], values[2 * step]
    d, e, f = values[3 * step], values[4 * step], values[5 * step]
    g, h, i = values[6 * step], values[7 * step], values[8 * step]
    return _of_three(min(a, b, c), min(d, e, f), min(g, h, i)), _of_three(max(a, b, c), max(d, e, f), max(g, h, i))


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _of_three(a: float, b: float, c: float) -> float:
    return max(min(a, b), min(max(a, b), c))


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _of_ranks(values: Floats, n: int, first: int, last: int, smaller: Ints) -> float:
    """The middle between two ranks, which are equal or neighbours, of the first n values; they change places."""
    if n > SHORT:
        high = _select(values, n, last)
        low = high if first == last else np.max(values[:last])
        return 0.5 * low + 0.5 * high
    values, smaller = values[:n], smaller[:n]
    smaller[:] = 0
    whole = n // 4 * 4
    for k in range(0, whole, 4):
        a, b, c, d = values[k], values[k + 1], values[k + 2], values[k + 3]
        for i in range(n):
            smaller[i] += int(values[i] > a) + int(values[i] > b) + int(values[i] > c) + int(values[i] > d)
    for k in range(whole, n):
        for i in range(n):
            smaller[i] += values[i] > values[k]
    low, high = -np.inf, -np.inf
    for i in range(n):  # what has rank k is the largest of those with at most k smaller ones
        low = values[i] if smaller[i] <= first and values[i] > low else low
        high = values[i] if smaller[i] <= last and values[i] > high else high
    return 0.5 * low + 0.5 * high


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _select(values: Floats, n: int, k: int) -> float:
    """The k-th smallest of the first n values; the smaller ones stand before it then."""
    low, high = 0, n - 1
    while low < high:
        pivot = _of_three(values[low], values[(low + high) // 2], values[high])
        edge = low
        for i in range(low, high + 1):  # smaller ones to the front, without a branch
            value = values[i]
            values[i] = values[edge]
            values[edge] = value
            edge += value < pivot
        if k < edge:
            high = edge - 1
            continue
        low = edge
        for i in range(low, high + 1):  # all that equal the pivot behind them
            value = values[i]
            values[i] = values[edge]
            values[edge] = value
            edge += value == pivot
        if k < edge:
            return pivot
        low = edge
    return values[k]


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
        _less(values[row : row + size], profile[at : at + size])
        row += size


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _less(values: Floats, season: Floats) -> None:
    for i in range(len(values)):
        values[i] -= season[i]

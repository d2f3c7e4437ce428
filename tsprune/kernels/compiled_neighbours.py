"""Nearest neighbours as machine code: exactly those of `kernels.density`, with the same bits.

Reference points lie in leaves of 128 neighbours each, queries in tiles of 64, one lane per query.  A tile visits the leaves
from near to far and stops where no leaf can hold a neighbour.  Single-precision distances choose a few candidates more
than asked for; double-precision distances, summed feature by feature, decide.  A margin says whether rounding can have
hidden a neighbour; where it can (ties, outliers of astronomic size), the query is searched again in double precision.

Rounding is monotone: a bound that is computed from boxes by the same steps as a distance is never above it.

Loaded only where there is enough work to pay for loading numba.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

from tsprune.kernels.compiled_leaves import LANES, LEAF, Leaves, arrange

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tsprune.types import Floats, Ints, Matrix

    Singles = NDArray[np.float32]
    Integers = NDArray[np.int32]

#: Leaves whose distances are held at once, to begin with a good threshold: 128 kB, a quarter of a second-level cache.
FIRST = 4
#: Up to so many features a row needs few leaves, and other leaves than the rows beside it: rows are searched one by one.
FLAT = 4
#: Candidates beyond the neighbours asked for: without ties, single precision then hides none.
SPARE = 8
#: Halvings of the interval that holds the first threshold: of two octaves, less than a percent is left.
HALVINGS = 9
#: Half a unit in the last place of single precision, relative to 1.
UNIT = 2.0**-24
#: Bits of the largest finite single.
LARGEST = 0x7F7FFFFF
#: Margin for what double precision rounds.
WIDE = 1.0 + 1e-12


def nearest(X: Matrix, leaves: Leaves, k: int) -> tuple[Matrix, Ints]:
    """Squared distances and indices of the `k` nearest points of each row; see `kernels.density.nearest`."""
    squares, indices = np.empty((len(X), k)), np.empty((len(X), k), dtype=np.int64)
    sought = (leaves.points, leaves.order, leaves.low, leaves.high)
    if X.shape[1] <= FLAT:
        _search_each(X, *sought, squares, indices)
        return squares, indices
    order = np.arange(len(X))
    if leaves.low.shape[1] > 1:
        arrange(X, LANES, order)
    rows = X[order]
    with np.errstate(over="ignore"):  # a query beyond single precision is searched in double precision
        singles = ((rows - leaves.origin) / leaves.unit).astype(np.float32)
    _search_tiles(rows, singles, order, *sought, leaves.singles, leaves.unit, leaves.radius, squares, indices)
    return squares, indices


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _search_each(X: Matrix, points: Matrix, order: Ints, low: Matrix, high: Matrix, squares: Matrix, indices: Ints) -> None:
    """Write the neighbours of each row, row by row."""
    bounds, visit = np.empty(low.shape[1]), np.empty(low.shape[1], dtype=np.int64)
    for i in range(len(X)):
        _search_alone(X, i, points, order, low, high, np.inf, bounds, visit, squares, indices, i)


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _search_tiles(
    rows: Matrix,
    singles: Singles,
    own_order: Ints,
    points: Matrix,
    order: Ints,
    low: Matrix,
    high: Matrix,
    others: Singles,
    unit: float,
    radius: float,
    squares: Matrix,
    indices: Ints,
) -> None:
    """Write the neighbours of `rows`, which stand in the order `own_order`, tile by tile."""
    (n, width), k, n_leaves = points.shape, squares.shape[1], low.shape[1]
    size = min(n, k + SPARE)
    lanes = np.zeros((width, LANES + 8), dtype=np.float32)  # the gap keeps lanes of neighbouring features in different cache sets
    held = np.empty((FIRST * LEAF, LANES), dtype=np.float32)
    values, places = np.empty((LANES, 2 * size), dtype=np.float32), np.empty((LANES, 2 * size), dtype=np.int64)
    limits, margins, counts = np.empty(LANES, dtype=np.float32), np.empty(LANES), np.empty(LANES, dtype=np.int64)
    bounds, visit = np.empty(n_leaves), np.empty(n_leaves, dtype=np.int64)
    first = min(FIRST, n_leaves)
    for start in range(0, len(rows), LANES):
        used = min(LANES, len(rows) - start)
        _load(singles, start, used, radius, lanes, margins)
        _bound(rows, start, used, low, high, bounds)
        for t in range(LANES):
            counts[t], limits[t] = 0, np.inf if t < used else -1.0
        for h in range(first):
            leaf = _next_nearest(bounds, h, visit)
            _distances(lanes, others, leaf * LEAF, held, h * LEAF)
        if min(n, first * LEAF) >= 2 * size:
            _threshold(held, first * LEAF, size, used, limits)
        for h in range(n_leaves):
            leaf = visit[h] if h < first else _next_nearest(bounds, h, visit)
            if h >= first:
                if bounds[leaf] > _reach(limits, margins, used, width, unit):
                    break
                _distances(lanes, others, leaf * LEAF, held, 0)
            _collect(held, h * LEAF if h < first else 0, leaf * LEAF, limits, counts, values, places)
        for t in range(used):
            own, at = start + t, own_order[start + t]
            _decide(rows, own, points, order, places, t, counts[t], squares, indices, at)
            hidden = (np.sqrt(np.float64(limits[t])) * (1.0 - (width + 3) * UNIT) - margins[t]) * unit
            if counts[t] < n and not (hidden > 0.0 and hidden * hidden > squares[at, k - 1] * WIDE):
                _search_alone(rows, own, points, order, low, high, squares[at, k - 1], bounds, visit, squares, indices, at)


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _load(singles: Singles, start: int, used: int, radius: float, lanes: Singles, margins: Floats) -> None:
    """One query per lane; its margin is what single precision may have moved it and the farthest point."""
    for t in range(used):
        total = 0.0
        for j in range(len(lanes)):
            x = singles[start + t, j]
            lanes[j, t] = x
            total += np.float64(x) * np.float64(x)
        margins[t] = 1.01 * UNIT * (np.sqrt(total) + radius)


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _bound(rows: Matrix, start: int, used: int, low: Matrix, high: Matrix, bounds: Floats) -> None:
    """Squared distance from the box of a tile to the box of each leaf."""
    for leaf in range(len(bounds)):
        bounds[leaf] = 0.0
    for j in range(rows.shape[1]):
        first, last = np.inf, -np.inf
        for i in range(start, start + used):
            first, last = min(first, rows[i, j]), max(last, rows[i, j])
        for leaf in range(len(bounds)):
            gap = max(max(low[j, leaf] - last, first - high[j, leaf]), 0.0)
            bounds[leaf] += gap * gap


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _next_nearest(bounds: Floats, h: int, visit: Ints) -> int:
    """Swap the nearest leaf of `visit[h:]` to place `h` and return it; `visit` begins anew at 0."""
    if h == 0:
        for leaf in range(len(visit)):
            visit[leaf] = leaf
    best = h
    for i in range(h + 1, len(visit)):
        if bounds[visit[i]] < bounds[visit[best]]:
            best = i
    visit[h], visit[best] = visit[best], visit[h]
    return visit[h]


@numba.njit(cache=True, error_model="numpy", nogil=True, fastmath={"contract"})
def _distances(lanes: Singles, others: Singles, at: int, held: Singles, to: int) -> None:
    """Squared distances of all lanes to the points of a leaf: four points and two features at a time share what is read."""
    width = len(lanes)
    for i in range(0, LEAF, 4):
        a, b, c, d = held[to + i], held[to + i + 1], held[to + i + 2], held[to + i + 3]
        a[:], b[:], c[:], d[:] = 0.0, 0.0, 0.0, 0.0
        p, q, r, s = others[at + i], others[at + i + 1], others[at + i + 2], others[at + i + 3]
        for j in range(0, width - 1, 2):
            p0, p1, q0, q1, r0, r1, s0, s1 = p[j], p[j + 1], q[j], q[j + 1], r[j], r[j + 1], s[j], s[j + 1]
            for t in range(LANES):
                x, y = lanes[j, t], lanes[j + 1, t]
                a[t] = (a[t] + (x - p0) * (x - p0)) + (y - p1) * (y - p1)
                b[t] = (b[t] + (x - q0) * (x - q0)) + (y - q1) * (y - q1)
                c[t] = (c[t] + (x - r0) * (x - r0)) + (y - r1) * (y - r1)
                d[t] = (d[t] + (x - s0) * (x - s0)) + (y - s1) * (y - s1)
        if width % 2:
            for t in range(LANES):
                x = lanes[width - 1, t]
                a[t] += (x - p[width - 1]) ** 2
                b[t] += (x - q[width - 1]) ** 2
                c[t] += (x - r[width - 1]) ** 2
                d[t] += (x - s[width - 1]) ** 2


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _threshold(held: Singles, n: int, size: int, used: int, limits: Singles) -> None:
    """Set a limit for each lane that few more than `size` of the held distances stay below.

    Bits of positive floats are ordered like the floats: halving an interval of bits is halving on a logarithmic scale.
    """
    bits, limit_bits = held.view(np.int32), limits.view(np.int32)
    low, high = np.empty(LANES, dtype=np.int32), np.empty(LANES, dtype=np.int32)
    middle, count = np.empty(LANES, dtype=np.int32), np.empty(LANES, dtype=np.int32)
    _extremes(bits, n, low, high)
    for _ in range(HALVINGS):
        for t in range(LANES):
            middle[t], count[t] = low[t] + (high[t] - low[t]) // 2, 0
        for i in range(n):
            for t in range(LANES):
                count[t] += bits[i, t] <= middle[t]
        for t in range(LANES):
            low[t], high[t] = (low[t], middle[t]) if count[t] >= size else (middle[t], high[t])
    for t in range(used):
        limit_bits[t] = min(high[t], LARGEST) + 1


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _extremes(bits: Integers, n: int, low: Integers, high: Integers) -> None:
    """Of each lane, one below the smallest value, and the largest."""
    for t in range(LANES):
        low[t] = high[t] = bits[0, t]
    for i in range(1, n):
        for t in range(LANES):
            low[t], high[t] = min(low[t], bits[i, t]), max(high[t], bits[i, t])
    for t in range(LANES):
        low[t] -= 1


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _collect(held: Singles, at: int, place: int, limits: Singles, counts: Ints, values: Singles, places: Ints) -> None:
    """Append each held distance below its lane's limit to the lane's candidates; a full list is thinned to its better half."""
    below = np.zeros(LANES, dtype=np.bool_)
    bits, words = values.view(np.int32), below.view(np.uint64)  # eight lanes at a time: most have nothing new
    for i in range(LEAF):
        for t in range(LANES):
            below[t] = held[at + i, t] < limits[t]
        for word in range(len(words)):
            if words[word] != 0:
                for t in range(8 * word, 8 * word + 8):
                    if below[t]:
                        count = counts[t]
                        values[t, count], places[t, count] = held[at + i, t], place + i
                        counts[t] = count + 1
                        if count + 1 == values.shape[1]:
                            limits[t] = _thin(values, bits, places, t)
                            counts[t] = values.shape[1] // 2


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _thin(values: Singles, bits: Integers, places: Ints, t: int) -> np.float32:
    """Move the smaller half of a lane's values, ties as they come, to the front; return the largest of them."""
    length = values.shape[1]
    low, high = -1, LARGEST + 1
    while high - low > 1:
        middle, count = (low + high) // 2, 0
        for i in range(length):
            count += bits[t, i] <= middle
        if 2 * count >= length:
            high = middle
        else:
            low = middle
    to, smaller, largest = 0, 0, np.float32(0.0)
    for i in range(length):
        smaller += bits[t, i] < high
    ties = length // 2 - smaller
    for i in range(length):
        tie = bits[t, i] == high and ties > 0
        if bits[t, i] < high or tie:
            largest = max(largest, values[t, i])
            values[t, to], places[t, to] = values[t, i], places[t, i]
            to, ties = to + 1, ties - tie
    return largest


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _reach(limits: Singles, margins: Floats, used: int, width: int, unit: float) -> float:
    """Squared distance beyond which no lane looks for neighbours."""
    reach = 0.0
    for t in range(used):
        reach = max(reach, (np.sqrt(np.float64(limits[t])) * (1.0 + (width + 3) * UNIT) + margins[t]) * unit)
    return reach * reach * WIDE


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _decide(
    rows: Matrix, own: int, points: Matrix, order: Ints, places: Ints, t: int, count: int, squares: Matrix, indices: Ints, at: int
) -> None:
    """Sort a lane's candidates by their distances in double precision, four at a time so that sums need not wait for each other."""
    for i in range(squares.shape[1]):
        squares[at, i], indices[at, i] = np.inf, len(points)
    for c in range(0, count, 4):
        p, q = places[t, c], places[t, min(c + 1, count - 1)]
        r, s = places[t, min(c + 2, count - 1)], places[t, min(c + 3, count - 1)]
        a, b, e, f = 0.0, 0.0, 0.0, 0.0
        for j in range(rows.shape[1]):
            x = rows[own, j]
            u, v, w, z = x - points[p, j], x - points[q, j], x - points[r, j], x - points[s, j]
            a, b, e, f = a + u * u, b + v * v, e + w * w, f + z * z
        _insert(a, order[p], squares, indices, at)
        if c + 1 < count:
            _insert(b, order[q], squares, indices, at)
        if c + 2 < count:
            _insert(e, order[r], squares, indices, at)
        if c + 3 < count:
            _insert(f, order[s], squares, indices, at)


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _search_alone(
    rows: Matrix,
    own: int,
    points: Matrix,
    order: Ints,
    low: Matrix,
    high: Matrix,
    limit: float,
    bounds: Floats,
    visit: Ints,
    squares: Matrix,
    indices: Ints,
    at: int,
) -> None:
    """Search the neighbours of one row, none farther than the square root of `limit`, in double precision."""
    last = squares.shape[1] - 1
    for i in range(last + 1):
        squares[at, i], indices[at, i] = np.inf, len(points)
    _bound(rows, own, 1, low, high, bounds)
    _next_nearest(bounds, 0, visit)
    for leaf in visit:
        if bounds[leaf] > limit:
            continue
        for i in range(leaf * LEAF, min(leaf * LEAF + LEAF, len(points))):
            total = 0.0
            for j in range(rows.shape[1]):
                total += (rows[own, j] - points[i, j]) * (rows[own, j] - points[i, j])
                if total > limit:
                    break
            if total <= limit:
                _insert(total, order[i], squares, indices, at)
                limit = min(limit, squares[at, last])


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _insert(square: float, index: int, squares: Matrix, indices: Ints, at: int) -> None:
    """Insert a neighbour into the sorted list if it is nearer than the last one, or as near with a smaller index."""
    p = squares.shape[1] - 1
    if square > squares[at, p] or (square == squares[at, p] and index > indices[at, p]):
        return
    while p > 0 and (squares[at, p - 1] > square or (squares[at, p - 1] == square and indices[at, p - 1] > index)):
        squares[at, p], indices[at, p] = squares[at, p - 1], indices[at, p - 1]
        p -= 1
    squares[at, p], indices[at, p] = square, index

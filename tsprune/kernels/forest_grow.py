"""Grow isolation trees: a level of all trees at a time, or node by node in machine code; the same bits.

Every random number follows from the seed of its tree, the place of its node and what it is for, and not from the order in which nodes are
visited: so trees can be grown in any order, in any blocks, and in either way.

Source: Liu, Ting & Zhou, Isolation Forest, ICDM 2008.  As in scikit-learn a split takes one of the columns that vary in the node, and a
threshold evenly between the smallest and the largest value there; its numbers are other ones.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tsprune.types import Floats, Ints

#: What the n-th random number of a tree adds to its seed, and the factors that spread its bits: splitmix64 (Steele, Lea & Flood, Fast
#: splittable pseudorandom number generators, OOPSLA 2014).
STEP, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
#: Numbers of a node, which are for: its column, its threshold, and its column again where the first one does not vary.
COLUMN, CUT, AGAIN, PER_NODE = 0, 1, 2, 4
#: Where the numbers begin that draw rows.
ROWS = 1 << 40
#: Training rows of all trees together from which machine code pays, where numba is loaded already, and from which loading it does.
COMPILED_FROM, LOADED_FROM = 1 << 13, 1 << 20


class Grown(NamedTuple):
    """Whole trees in pre-order."""

    feature: Ints  #: (n_nodes,); -1 at a leaf
    threshold: NDArray[np.float32]  #: (n_nodes,); 0 at a leaf
    leaf: Ints  #: (n_nodes,) training rows in a leaf; 0 at an inner node


def grow(rows: NDArray[np.float32], seeds: NDArray[np.uint64], n_drawn: int) -> Grown:
    """One tree for each seed, each on so many of the rows, drawn without replacement.

    Parameters
    ----------
    rows : float32 ndarray, shape (n, d)
        Finite.
    seeds : uint64 ndarray, shape (n_trees,)
    n_drawn : int
        At most n.

    Examples
    --------
    Two rows are parted once, in the column that varies:

    >>> import numpy as np
    >>> from tsprune.kernels.forest_grow import grow
    >>> trees = grow(np.array([[5, 0], [5, 1]], dtype=np.float32), np.array([7], dtype=np.uint64), 2)
    >>> trees.feature, trees.leaf, bool(0 <= trees.threshold[0] < 1)
    (array([ 1, -1, -1]), array([0, 1, 1]), True)
    """
    limit = max(1, n_drawn - 1).bit_length()  # the depth at which a tree that is even has one row in each leaf
    if len(seeds) * n_drawn >= (COMPILED_FROM if "numba" in sys.modules else LOADED_FROM):
        from tsprune.kernels import compiled_grow

        return Grown(*compiled_grow.grow(rows, seeds, n_drawn, limit))
    return _by_level(rows, seeds, n_drawn, limit)


def uniform(seeds: NDArray[np.uint64], number: Ints) -> Floats:
    """Random numbers in [0, 1): the given ones of each seed's own sequence.

    >>> import numpy as np
    >>> from tsprune.kernels.forest_grow import uniform
    >>> uniform(np.array([1, 1, 2], dtype=np.uint64), np.array([0, 1, 0])).round(3)
    array([0.567, 0.746, 0.591])
    """
    bits = seeds + (number.astype(np.uint64) + np.uint64(1)) * np.uint64(STEP)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(FIRST)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(SECOND)
    bits ^= bits >> np.uint64(31)
    return (bits >> np.uint64(11)) * 2.0**-53


def drawn(seed: np.uint64, n: int, n_drawn: int) -> Ints:
    """Different row numbers below n in the order in which they come up first; all rows where as many are asked for.

    >>> import numpy as np
    >>> from tsprune.kernels.forest_grow import drawn
    >>> drawn(np.uint64(1), 100, 4), drawn(np.uint64(1), 4, 4)
    (array([29,  2, 81, 39]), array([0, 1, 2, 3]))
    """
    if n_drawn >= n:
        return np.arange(n)
    size = 2 * n_drawn
    while True:
        several = (uniform(np.full(size, seed), ROWS + np.arange(size)) * n).astype(np.int64)
        first = np.sort(np.unique(several, return_index=True)[1])[:n_drawn]
        if len(first) == n_drawn:
            return several[first]
        size *= 2


class _Level(NamedTuple):
    """Nodes of one depth, and the rows in them, node after node."""

    tree: Ints  #: (n_nodes,)
    heap: Ints  #: (n_nodes,) 1 at a root, 2 h and 2 h + 1 for the children of h
    size: Ints  #: (n_nodes,)
    place: Ints  #: (n_rows,)


def _by_level(rows: NDArray[np.float32], seeds: NDArray[np.uint64], n_drawn: int, limit: int) -> Grown:
    sample = np.concatenate([drawn(seed, len(rows), n_drawn) for seed in seeds])
    values, n_trees = rows[sample], len(seeds)
    level = _Level(np.arange(n_trees), np.ones(n_trees, np.int64), np.full(n_trees, n_drawn), np.arange(len(sample)))
    found = []
    for depth in range(limit + 1):
        feature, threshold, goes_right = _splits(values, level, seeds, last=depth == limit)
        place = level.heap << (limit - depth)
        found.append((level.tree, place, np.full(len(feature), depth), feature, threshold, np.where(feature < 0, level.size, 0)))
        level = _below(level, feature >= 0, goes_right)
        if not len(level.size):
            break
    tree, place, depth_of, feature, threshold, count = (np.concatenate(own) for own in zip(*found, strict=True))
    order = np.lexsort((depth_of, place, tree))
    return Grown(feature[order], threshold[order], count[order])


def _splits(
    values: NDArray[np.float32], level: _Level, seeds: NDArray[np.uint64], *, last: bool
) -> tuple[Ints, NDArray[np.float32], NDArray[np.bool_]]:
    """Column (-1: a leaf) and threshold of each node, and which of the rows go right."""
    n, starts = len(level.size), np.cumsum(level.size) - level.size
    if last:
        return np.full(n, -1), np.zeros(n, np.float32), np.zeros(len(level.place), bool)
    node = np.repeat(np.arange(n), level.size)
    own, number = seeds[level.tree], PER_NODE * level.heap
    feature = (uniform(own, number + COLUMN) * values.shape[1]).astype(np.int64)
    low, high = _ranges(values[level.place, feature[node]], starts)
    flat = np.flatnonzero((low == high) & (level.size > 1))
    if len(flat):
        feature[flat] = _that_vary(values, level, flat, starts, uniform(own[flat], number[flat] + AGAIN))
    here = values[level.place, feature[node]]
    low, high = _ranges(here, starts)
    cut = (low + uniform(own, number + CUT) * (high.astype(np.float64) - low)).astype(np.float32)
    cut = np.where(cut >= high, low, cut)  # rounded up: as in scikit-learn
    leaf = low == high
    return np.where(leaf, -1, feature), np.where(leaf, np.float32(0), cut), here > cut[node]


def _ranges(values: NDArray[np.float32], starts: Ints) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)


def _that_vary(values: NDArray[np.float32], level: _Level, flat: Ints, starts: Ints, at: Floats) -> Ints:
    """For each of some nodes one of the columns that vary in it; the first one where none does."""
    size = level.size[flat]
    within = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
    rows = values[level.place[np.repeat(starts[flat], size) + within]]
    begins = np.cumsum(size) - size
    varies = np.minimum.reduceat(rows, begins, axis=0) < np.maximum.reduceat(rows, begins, axis=0)
    wanted = (at * varies.sum(axis=1)).astype(np.int64)
    return np.asarray(np.argmax(np.cumsum(varies, axis=1) > wanted[:, None], axis=1))


def _below(level: _Level, inner: NDArray[np.bool_], goes_right: NDArray[np.bool_]) -> _Level:
    """The children of the inner nodes, left before right; rows keep their order within them."""
    kept = np.repeat(inner, level.size)
    child = 2 * np.repeat(np.arange(inner.sum()), level.size[inner]) + goes_right[kept]
    place = level.place[kept][np.argsort(child, kind="stable")]
    heap = (2 * level.heap[inner])[:, None] + np.arange(2)
    return _Level(level.tree[inner].repeat(2), heap.ravel(), np.bincount(child, minlength=heap.size), place)

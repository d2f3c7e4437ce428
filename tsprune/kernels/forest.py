"""Isolation trees as flat arrays: their shape, how rows walk down them, what their leaves are worth.

A forest is one list of nodes in pre-order, tree after tree: a node, its left subtree, its right subtree.  Which nodes are
leaves is then all there is to know about its shape, and no list of nodes can hold a cycle.  Path lengths are whole numbers
of a small unit: sums of whole numbers are exact in any order, so one row, a batch and any chunks of it give the same bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tsprune.types import Floats, Ints, Mask

#: Rows times trees that walk together: their node numbers stay in the second-level cache.
TOGETHER = 2**15


class Walk(NamedTuple):
    """What is needed to send rows down the trees: nodes stand at twice their position, so that adding 0 or 1 picks a child."""

    roots: Ints  #: (n_trees,)
    feature: Ints  #: (2 * n_nodes,), each twice; any column at a leaf
    threshold: NDArray[np.float32]  #: (2 * n_nodes,), each twice; infinite at a leaf
    child: Ints  #: (2 * n_nodes,): left and right child of each node; a leaf is its own child
    depth: int  #: of the deepest leaf


def subtree_ends(inner: Mask) -> Ints:
    """Position behind the last node of each node's subtree, from which nodes of a pre-order are inner nodes.

    Parameters
    ----------
    inner : bool ndarray, shape (n_nodes,)
        Whole trees, one after the other.

    Returns
    -------
    ndarray of int64, shape (n_nodes,)
        A leaf at position i ends at i + 1; the right child of an inner node i stands where its left child's subtree ends.

    Raises
    ------
    ValueError
        If the nodes are not whole trees.

    Examples
    --------
    A root with a leaf to its left and a pair of leaves to its right, then a tree that is one leaf:

    >>> import numpy as np
    >>> subtree_ends(np.array([True, False, True, False, False, False]))
    array([5, 2, 5, 4, 5, 6])
    """
    n = len(inner)
    level = np.cumsum(np.where(inner, 1, -1))  # subtrees still owed, after each node
    before = np.concatenate([[0], level[:-1]])
    if n == 0 or level[-1] >= min(0, int(before.min())):
        raise ValueError("the nodes are not whole trees in pre-order")
    lowest = int(level.min())
    places = np.sort((level - lowest) * n + np.arange(n))  # nodes sorted by level, then position
    owed = (before - 1 - lowest) * n + np.arange(n)
    return places[np.searchsorted(places, owed)] % n + 1


def depths(inner: Mask, ends: Ints) -> Ints:
    """Number of splits above each node, shape (n_nodes,)."""
    change = np.zeros(len(inner) + 1, dtype=np.int64)
    at = np.flatnonzero(inner)
    change[at + 1] += 1
    np.subtract.at(change, ends[at], 1)
    return np.cumsum(change[:-1])


def roots(ends: Ints) -> Ints:
    """Position of each tree's root, shape (n_trees,)."""
    furthest = np.maximum.accumulate(ends)
    return np.flatnonzero(np.concatenate([[0], furthest[:-1]]) == np.arange(len(ends)))


def average_path_length(count: Ints) -> Floats:
    """Splits that an isolation tree would need, on average, to isolate a row among `count` rows.

    Source
    ------
    Liu, Ting & Zhou, Isolation Forest, ICDM 2008, equation 1.

    Examples
    --------
    >>> import numpy as np
    >>> average_path_length(np.array([1, 2, 256])).round(4)
    array([ 0.    ,  1.    , 10.2448])
    """
    n = np.maximum(np.asarray(count, dtype=np.float64), 2.0)
    lengths = 2.0 * (np.log(n - 1.0) + np.euler_gamma) - 2.0 * (n - 1.0) / n
    return np.where(count <= 1, 0.0, np.where(count == 2, 1.0, lengths))


def walk_of(feature: Ints, threshold: NDArray[np.float32]) -> Walk:
    """Prepare the walk down trees whose leaves have a negative feature."""
    inner = feature >= 0
    ends = subtree_ends(inner)
    at = np.arange(len(feature))
    left = np.where(inner, at + 1, at)
    right = np.where(inner, ends[left], at)
    child = 2 * np.column_stack([left, right]).ravel()
    reach = np.where(inner, threshold, np.float32(np.inf)).astype(np.float32)
    return Walk(2 * roots(ends), np.repeat(np.maximum(feature, 0), 2), np.repeat(reach, 2), child, int(depths(inner, ends).max()))


def leaves(rows: NDArray[np.float32], walk: Walk) -> Ints:
    """Position of the leaf in which each row ends, for each tree.

    Parameters
    ----------
    rows : float32 ndarray, shape (n_samples, n_features)
        A row goes right where its value is above the threshold.
    walk : Walk

    Returns
    -------
    ndarray of int64, shape (n_samples, n_trees)
    """
    n, n_trees = len(rows), len(walk.roots)
    step = max(1, TOGETHER // n_trees)
    if n > step:
        return np.concatenate([leaves(rows[start : start + step], walk) for start in range(0, n, step)])
    values = rows.ravel()
    offset = np.repeat(np.arange(0, rows.size, rows.shape[1]), n_trees)
    place = np.tile(walk.roots, n)  # twice the position of a node: its two children are child[place] and child[place + 1]
    for _ in range(walk.depth):
        place = walk.child[place + (values[walk.feature[place] + offset] > walk.threshold[place])]
    return (place // 2).reshape(n, n_trees)

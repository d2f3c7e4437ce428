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
#: Nodes that are looked at together where memory counts; a multiple of 8.
BLOCK = 2**11


class Walk(NamedTuple):
    """What is needed to send rows down the trees.  Nodes stand as siblings: roots first, then each pair of children."""

    n_trees: int
    feature: Ints  #: (n_nodes,); any column at a leaf
    threshold: NDArray[np.float32]  #: (n_nodes,); infinite at a leaf
    child: Ints  #: (n_nodes,) place of the left child, the right one stands behind it; a leaf is its own child
    origin: Ints  #: (n_nodes,) position of each node in pre-order
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


def count_trees(feature: Ints) -> int:
    """Number of trees in pre-order whose leaves have a negative feature, without arrays of their length.

    Raises
    ------
    ValueError
        If the nodes are not whole trees.

    Examples
    --------
    >>> import numpy as np
    >>> count_trees(np.array([3, -1, 0, -1, -1, -1]))
    2
    """
    owed = lowest = 0  # subtrees still owed after a node, and the fewest so far
    for start in range(0, len(feature) - 1, BLOCK):
        level = owed + np.cumsum(np.where(feature[start : min(start + BLOCK, len(feature) - 1)] >= 0, 1, -1))
        owed, lowest = int(level[-1]), min(lowest, int(level.min()))
    if len(feature) == 0 or feature[-1] >= 0 or owed > lowest:
        raise ValueError("the nodes are not whole trees in pre-order")
    return 1 - owed


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
    """Prepare the walk down trees in pre-order whose leaves have a negative feature."""
    inner = feature >= 0
    ends = subtree_ends(inner)
    begins, splits = roots(ends), np.flatnonzero(inner)
    pairs = np.column_stack([splits + 1, ends[splits + 1]])
    origin = np.concatenate([begins, pairs.ravel()])
    at = np.arange(len(feature))
    child = np.empty_like(at)
    child[splits] = len(begins) + 2 * np.arange(len(splits))
    goes_on = inner[origin]
    return Walk(
        n_trees=len(begins),
        feature=np.maximum(feature, 0)[origin].astype(np.int64, copy=False),
        threshold=np.where(goes_on, threshold[origin], np.float32(np.inf)).astype(np.float32),
        child=np.where(goes_on, child[origin], at),
        origin=origin,
        depth=int(depths(inner, ends).max()),
    )


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
    n, n_trees = len(rows), walk.n_trees
    step = max(1, TOGETHER // n_trees)
    if n > step:
        return np.concatenate([leaves(rows[start : start + step], walk) for start in range(0, n, step)])
    values = rows.ravel()
    place = np.arange(n_trees)
    offset = None  # where a row begins; a single one is in a hurry
    if n > 1:
        place, offset = np.tile(place, n), np.repeat(np.arange(0, rows.size, rows.shape[1]), n_trees)
    for _ in range(walk.depth):
        at = walk.feature[place]
        place = walk.child[place] + (values[at if offset is None else at + offset] > walk.threshold[place])
    return walk.origin[place].reshape(n, n_trees)

"""A forest in the order in which the batch kernel evaluates it: all nodes, from the leaves up.

Walking a row down a tree is one unpredictable jump after another.  Bottom-up there is none: each value is coded by its rank
among the forest's thresholds of its feature; each inner node compares the codes of many rows with its own rank and picks,
for each row, what its left or its right child handed up.  The price follows the number of nodes, so pruned forests get
faster in proportion.

What a node hands up is counted from the first leaf below it, so that every leaf hands up 0 and needs no memory: the number
of a leaf among the leaves of its tree, or directly its worth in whole numbers.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tsprune.kernels.forest import depths, roots, subtree_ends

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tsprune.types import Ints

#: Cells of the grid that guesses the rank of a value.
CELLS = 1024
#: Up to so many thresholds of a column it is faster to count those below a value.
FEW = 64
#: So many thresholds in the cell of a typical value, and it is faster to count them all.
CROWD = 8
#: Thresholds of one feature that share a column of codes, where codes are wide.
SHARED = 1023


class Program(NamedTuple):
    """The arguments of the batch kernel.

    A *column* holds the codes of one feature for one *group* of trees, which together have no more thresholds of that
    feature than a code can tell apart.
    """

    features: Ints  #: (n_used,) that any node uses
    source: Ints  #: (n_columns,) place of each column's feature in `features`
    cuts: NDArray[np.float32]  #: sorted thresholds of each column, each list followed by infinity
    cut_starts: Ints  #: (n_columns + 1,)
    low: NDArray[np.float32]  #: (n_columns,) where the grid begins
    scale: NDArray[np.float32]  #: (n_columns,) cells per unit; 0: no grid
    grid: NDArray[Any]  #: (n_grids, CELLS) rank at which each cell begins
    grid_row: Ints  #: (n_columns,) of its grid; of no meaning without
    group_columns: Ints  #: (n_groups + 1,)
    group_trees: Ints  #: (n_groups + 1,)
    nodes: NDArray[np.int32]  #: (n_inner, 6): column within the group, rank, rows of the left, right and own result, what right adds
    tree_nodes: Ints  #: (n_trees + 1,)
    results: Ints  #: (n_trees,) row that holds the result of each tree
    worth: Ints  #: of each leaf, tree after tree; empty where nodes hand it up themselves
    worth_starts: Ints  #: (n_trees,)

    @property
    def bits(self) -> int:
        """Width of a code: 8 where no tree has more than 256 leaves and leaves are numbers, else 16."""
        return 8 * self.grid.itemsize

    @property
    def n_columns(self) -> int:
        """Columns of the largest group."""
        return int(np.diff(self.group_columns).max(initial=0))

    @property
    def n_rows(self) -> int:
        """Rows of results that are in use at the same time; row 0 is the leaf's."""
        return int(self.nodes[:, 4].max(initial=0)) + 1


def compile_program(feature: Ints, threshold: NDArray[np.float32], worth: Ints, *, direct: bool) -> Program:
    """Order the nodes of whole trees in pre-order for evaluation from the leaves up.

    Parameters
    ----------
    feature : ndarray, shape (n_nodes,)
        Negative at a leaf.
    threshold : float32 ndarray, shape (n_nodes,)
    worth : ndarray of int64, shape (n_nodes,)
        What a leaf adds to the sum of a row.
    direct : bool
        Whether nodes hand up the worth itself (it must fit 15 bits) and not the number of the leaf.
    """
    inner = feature >= 0
    ends = subtree_ends(inner)
    begins = roots(ends)
    tree = np.searchsorted(begins, np.arange(len(feature)), side="right") - 1
    at = np.flatnonzero(inner)
    at = at[np.lexsort((-at, tree[at]))]  # within a tree, children before parents
    n_inner = np.bincount(tree[at], minlength=len(begins))
    n_leaves = np.bincount(tree[~inner], minlength=len(begins))
    leaf_starts = np.cumsum(n_leaves) - n_leaves
    bits = 16 if direct or n_leaves.max() > 2**8 else 8

    features, used = np.unique(feature[at].astype(np.int64, copy=False), return_inverse=True)
    group = _groups(used, np.append(0, np.cumsum(n_inner)), 2**bits - 1 if bits == 8 else SHARED)
    columns, column = np.unique(group[tree[at]] * max(len(features), 1) + used, return_inverse=True)
    group_columns = np.searchsorted(columns // max(len(features), 1), np.arange(int(group.max()) + 2))
    cuts, cut_starts, rank = _ranks(column, threshold[at], len(columns))
    low, scale, grid, grid_row = _grids(cuts, cut_starts, bits)
    local = column - group_columns[group[tree[at]]]
    return Program(
        features=features,
        source=columns % max(len(features), 1),
        cuts=cuts,
        cut_starts=cut_starts,
        low=low,
        scale=scale,
        grid=grid,
        grid_row=grid_row,
        group_columns=group_columns,
        group_trees=np.searchsorted(group, np.arange(len(group_columns))),
        nodes=_instructions(inner, ends, at, local, rank - 2 ** (bits - 1), worth if direct else np.cumsum(~inner) - 1),
        tree_nodes=np.concatenate([[0], np.cumsum(n_inner)]),
        results=np.where(inner[begins], 1, 0),
        worth=np.empty(0, np.int64) if direct else worth[~inner],
        worth_starts=leaf_starts,
    )


def _groups(used: Ints, starts: Ints, limit: int) -> Ints:
    """Group of each tree: consecutive trees, as many as have no more than `limit` thresholds of any feature together."""
    group = np.zeros(len(starts) - 1, dtype=np.int64)
    total, current = np.zeros(int(used.max(initial=0)) + 1, dtype=np.int64), 0
    for t, (start, stop) in enumerate(pairwise(starts)):
        own, counts = np.unique(used[start:stop], return_counts=True)
        total[own] += counts
        if total[own].max(initial=0) > limit and t > 0:
            total[:] = 0
            total[own] = counts
            current += 1
        group[t] = current
    return group


def _ranks(column: Ints, threshold: NDArray[np.float32], n_columns: int) -> tuple[NDArray[np.float32], Ints, Ints]:
    """The sorted distinct thresholds of each column, where each list starts, and each node's place in its list."""
    order = np.lexsort((threshold, column))
    by_column, sorted_cuts = column[order], threshold[order]
    new_column = np.diff(by_column, prepend=-1) != 0
    new = new_column | (np.diff(sorted_cuts, prepend=np.float32(0)) != 0)
    number = np.cumsum(new) - 1
    first = number[new_column]
    rank = np.empty(len(column), dtype=np.int64)
    rank[order] = number - np.repeat(first, np.diff(np.append(np.flatnonzero(new_column), len(order))))
    starts = np.append(first, number[-1] + 1 if len(number) else 0) + np.arange(n_columns + 1)
    cuts = np.full(int(starts[-1]), np.inf, dtype=np.float32)
    cuts[number[new] + by_column[new]] = sorted_cuts[new]
    return cuts, starts, rank


def _grids(cuts: NDArray[np.float32], starts: Ints, bits: int) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[Any], Ints]:
    """For each column an even grid over its thresholds (all but 2 % at each end), where it guesses well."""
    n_columns = len(starts) - 1
    low, scale, row = np.zeros(n_columns, np.float32), np.zeros(n_columns, np.float32), np.zeros(n_columns, np.int64)
    grids = [np.zeros(CELLS, dtype=np.int64)]
    for j in np.flatnonzero(np.diff(starts) - 1 > FEW):
        own = cuts[starts[j] : starts[j + 1] - 1]
        left, right = own[len(own) // 50], own[-1 - len(own) // 50]
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            per_unit = np.float32(CELLS) / (right - left)
            cell = cells(own, left, per_unit)
        crowd = np.square(np.bincount(cell, minlength=CELLS)).sum() / len(own)
        if np.isfinite(per_unit) and crowd <= CROWD:
            low[j], scale[j], row[j] = left, per_unit, len(grids)
            grids.append(np.searchsorted(cell, np.arange(CELLS)).astype(np.int64))
    return low, scale, np.array(grids).astype(np.uint8 if bits == 8 else np.uint16), row


def cells(values: NDArray[np.float32], low: np.float32, scale: np.float32) -> Ints:
    """Cell of each value; the batch kernel rounds as this does, so that no threshold of a lower cell is above a value."""
    place = np.fmin(np.fmax((values - low) * scale, np.float32(0)), np.float32(CELLS - 1))
    return place.astype(np.int64)


def _instructions(inner: NDArray[np.bool_], ends: Ints, at: Ints, column: Ints, rank: Ints, worth: Ints) -> NDArray[np.int32]:
    """One line per inner node.  A result stays in the row of its depth and side until the parent has picked."""
    depth = depths(inner, ends)
    left, right = at + 1, ends[at + 1]
    is_right = np.zeros(len(inner), dtype=np.int64)
    is_right[right] = 1
    row = np.where(inner, 1 + 2 * depth + is_right, 0)
    leaf_at = np.flatnonzero(~inner)
    first = leaf_at[np.searchsorted(leaf_at, np.arange(len(inner)))]  # of the leaves below each node
    added = worth[first[right]] - worth[first[left]]
    return np.column_stack([column, rank, row[left], row[right], row[at], added]).astype(np.int32)

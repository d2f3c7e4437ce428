"""A forest on its way down: which splits can go, what each would cost, and the forest without some of them.

Two cuts take away one split each.  A *twin* is a split into two leaves: it becomes one leaf.  A *single* has one leaf only,
with few rows: its other child takes its place and those rows walk on there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels import forest as trees
from tsprune.prune.refit import membership, refit

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

    from tsprune.types import Floats, Ints, Mask

#: A leaf with more than this share of all rows is not worth trying as a single: the price follows its rows.
FEW_ROWS = 0.2


@dataclass(frozen=True)
class Task:
    """What every round works towards: the same rows, wanted sums and weights."""

    rows: NDArray[np.float32]  #: (n_features, n_rows)
    target: Floats  #: (n_rows,) sum of the path lengths in the whole forest
    weights: Floats  #: (n_rows,) how much each row matters


@dataclass(frozen=True)
class Cut:
    """A forest with learned lengths, and the leaf of each row in each tree."""

    task: Task
    feature: Ints  #: (n_nodes,) in pre-order, tree after tree; -1 at a leaf
    threshold: NDArray[np.float32]  #: (n_nodes,)
    length: Floats  #: (n_nodes,) path length of a leaf
    place: Ints  #: (n_rows, n_trees) position of the leaf
    base: float  #: path length that all rows have on top

    @cached_property
    def inner(self) -> Mask:
        return self.feature >= 0

    @cached_property
    def ends(self) -> Ints:
        return trees.subtree_ends(self.inner)

    @cached_property
    def roots(self) -> Ints:
        return trees.roots(self.ends)

    @cached_property
    def splits(self) -> Ints:
        """Positions of the inner nodes; the left child is the next node."""
        return np.flatnonzero(self.inner)

    @cached_property
    def right(self) -> Ints:
        """Position of each node's right child, shape (n_nodes,); of no meaning at a leaf."""
        return self.ends[np.minimum(np.arange(len(self.feature)) + 1, len(self.feature) - 1)]

    @cached_property
    def member(self) -> csr_array:
        """1 where a row (of the sparse array) ends in a leaf (its column)."""
        number = np.cumsum(~self.inner) - 1
        return membership(number[self.place], number[-1] + 1)

    @cached_property
    def rows_in(self) -> Floats:
        """Weight of the rows in each leaf, shape (n_nodes,)."""
        weight = np.zeros(len(self.feature))
        weight[~self.inner] = self.member.T @ self.task.weights
        return weight

    def learned(self, tolerance: float) -> Cut:
        """The same splits with all lengths learned anew."""
        task, length = self.task, self.length.copy()
        length[~self.inner] = refit(length[~self.inner], self.member, task.target - self.base, task.weights, tolerance=tolerance)
        return replace(self, length=length)

    def shorter(self, n_splits: int) -> Cut:
        """Without the `n_splits` splits that cost least (fewer where no more can go at once)."""
        cost = self.costs()
        n_splits = min(n_splits, int(np.isfinite(cost).sum()))
        return self.without(self.splits[np.argpartition(cost, n_splits - 1)[:n_splits]])

    def costs(self) -> Floats:
        """Squared error that the loss of each split adds to the sums, trees being taken one by one; infinite where it cannot go."""
        left, right = self.splits + 1, self.right[self.splits]
        bare_left, bare_right = ~self.inner[left], ~self.inner[right]
        a, b = self.rows_in[left], self.rows_in[right]
        between = a * b / np.maximum(a + b, 1e-300) * (self.length[left] - self.length[right]) ** 2
        leaf, other = np.where(bare_left, left, right), np.where(bare_left, right, left)
        single = (bare_left ^ bare_right) & (self.rows_in[leaf] <= FEW_ROWS * self.task.weights.sum())
        cost = np.where(bare_left & bare_right, between, np.inf)
        cost[single] = self._price_of_moving(leaf[single], other[single])
        return cost

    def without(self, cut: Ints) -> Cut:
        """The forest without some splits, each of which has a leaf for a child."""
        left, right = cut + 1, self.right[cut]
        twin = ~self.inner[left] & ~self.inner[right]
        leaf = np.where(self.inner[left], right, left)[~twin]
        gone, becomes = np.zeros(len(self.feature), dtype=bool), np.arange(len(self.feature))
        gone[np.concatenate([left[twin], right[twin], leaf, cut[~twin]])] = True
        becomes[left[twin]] = becomes[right[twin]] = cut[twin]
        becomes[leaf] = -1
        feature, length = self.feature.copy(), self.length.copy()
        feature[cut[twin]] = -1
        length[cut[twin]] = self._mean(left[twin], right[twin])
        place = becomes[self.place]
        moved = np.flatnonzero(place.ravel() < 0)
        place = (np.cumsum(~gone) - 1)[place]
        rest = replace(self, feature=feature[~gone], threshold=self.threshold[~gone], length=length[~gone], place=place)
        row, tree = np.divmod(moved, place.shape[1])
        place[row, tree] = rest.descend(rest.roots[tree], row)
        return rest._without_bare_trees()

    def descend(self, node: Ints, row: Ints) -> Ints:
        """The leaf below each node in which a row ends."""
        node = node.copy()
        going = np.flatnonzero(self.inner[node])
        while len(going):
            at = node[going]
            above = self.task.rows[self.feature[at], row[going]] > self.threshold[at]
            node[going] = np.where(above, self.right[at], at + 1)
            going = going[self.inner[node[going]]]
        return node

    def _mean(self, left: Ints, right: Ints) -> Floats:
        a, b = self.rows_in[left] + 1e-9, self.rows_in[right] + 1e-9
        return (a * self.length[left] + b * self.length[right]) / (a + b)

    def _price_of_moving(self, leaf: Ints, other: Ints) -> Floats:
        """Squared change of length if the rows of each leaf walked on below another node."""
        start = np.full(len(self.feature), -1)
        start[leaf] = other
        begin = start[self.place].ravel()
        moved = np.flatnonzero(begin >= 0)
        row, here = moved // self.place.shape[1], self.place.ravel()[moved]
        change = self.length[self.descend(begin[moved], row)] - self.length[here]
        return np.bincount(here, self.task.weights[row] * change**2, len(self.feature))[leaf]

    def _without_bare_trees(self) -> Cut:
        """A tree without splits gives all rows the same: its length goes into the base.  The last tree stays."""
        bare = ~self.inner[self.roots]
        if not bare.any() or len(bare) == 1:
            return self
        bare[0] &= not bare.all()
        gone = self.roots[bare]
        kept = np.ones(len(self.feature), dtype=bool)
        kept[gone] = False
        place = (np.cumsum(kept) - 1)[self.place[:, ~bare]]
        base = self.base + float(self.length[gone].sum())
        return Cut(self.task, self.feature[kept], self.threshold[kept], self.length[kept], place, base)

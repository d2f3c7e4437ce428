"""A forest on its way down: which splits can go, what each would cost, and the forest without some of them.

Two cuts take away one split each.  A *twin* is a split into two leaves: it becomes one leaf.  A *single* has one leaf only:
its other child takes its place, and the rows of the leaf walk on there.
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
    place: NDArray[np.int32]  #: (n_rows, n_trees) position of the leaf
    base: float  #: path length that all rows have on top

    @property
    def n_nodes(self) -> int:
        return len(self.feature)

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
        return self.ends[np.minimum(np.arange(self.n_nodes) + 1, self.n_nodes - 1)]

    @cached_property
    def member(self) -> csr_array:
        """1 where a row (of the sparse array) ends in a leaf (its column)."""
        number = np.cumsum(~self.inner, dtype=np.int32) - np.int32(1)
        return membership(number[self.place], int(number[-1]) + 1)

    @cached_property
    def rows_in(self) -> Floats:
        """Weight of the rows in each leaf, shape (n_nodes,); a little where there is none."""
        weight = np.zeros(self.n_nodes)
        weight[~self.inner] = self.member.T @ self.task.weights + 1e-6
        return weight

    def learned(self, tolerance: float) -> Cut:
        """The same splits with all lengths learned anew."""
        task, length = self.task, self.length.copy()
        length[~self.inner] = refit(length[~self.inner], self.member, task.target - self.base, task.weights, tolerance=tolerance)
        return replace(self, length=length)

    def of_trees(self, chosen: Ints, weight: Floats, base: float) -> Cut:
        """Some of the trees (rising numbers), their lengths times a weight each."""
        size = np.diff(np.append(self.roots, self.n_nodes))
        factor = np.zeros(len(size))
        factor[chosen] = weight
        kept = np.isin(np.arange(len(size)), chosen).repeat(size)
        place = _numbered(kept)[self.place[:, chosen]]
        return Cut(self.task, self.feature[kept], self.threshold[kept], (self.length * factor.repeat(size))[kept], place, base)

    def shorter(self, n_splits: int) -> Cut:
        """Without the `n_splits` splits that cost least (fewer where no more can go at once)."""
        cost = self.costs()
        n_splits = min(n_splits, int(np.isfinite(cost).sum()))
        return self.without(self.splits[np.argpartition(cost, n_splits - 1)[:n_splits]])

    def costs(self) -> Floats:
        """Squared error that the loss of each split adds to the sums, trees being taken one by one; infinite where it cannot go.

        The rows of a single are taken to get the mean length below its sibling.
        """
        left, right = self.splits + 1, self.right[self.splits]
        (a, length_a), (b, length_b) = self._below(left), self._below(right)
        bare_left, bare_right = ~self.inner[left], ~self.inner[right]
        moved = np.where(bare_left & bare_right, a * b / (a + b), np.where(bare_left, a, b))
        return np.where(bare_left | bare_right, moved * (length_a - length_b) ** 2, np.inf)

    def without(self, cut: Ints) -> Cut:
        """The forest without some splits, each of which has a leaf for a child."""
        left, right = cut + 1, self.right[cut]
        twin = ~self.inner[left] & ~self.inner[right]
        leaf = np.where(self.inner[left], right, left)[~twin]
        gone, becomes = np.zeros(self.n_nodes, dtype=bool), np.arange(self.n_nodes, dtype=np.int32)
        gone[np.concatenate([left[twin], right[twin], leaf, cut[~twin]])] = True
        becomes[left[twin]] = becomes[right[twin]] = cut[twin]
        becomes[leaf] = -1
        feature, length = self.feature.copy(), self.length.copy()
        feature[cut[twin]] = -1
        length[cut[twin]] = self._below(cut[twin])[1]
        place = becomes[self.place]
        moved = np.flatnonzero(place.ravel() < 0)
        place = _numbered(~gone)[place]
        rest = replace(self, feature=feature[~gone], threshold=self.threshold[~gone], length=length[~gone], place=place)
        row, tree = np.divmod(moved, place.shape[1])
        place[row, tree] = rest.descend(rest.roots[tree], row)
        return rest.without_bare_trees()

    def without_bare_trees(self) -> Cut:
        """A tree without splits gives all rows the same: its length goes into the base.  The last tree stays."""
        bare = ~self.inner[self.roots]
        if not bare.any() or len(bare) == 1:
            return self
        bare[0] &= not bare.all()
        gone = self.roots[bare]
        kept = np.ones(self.n_nodes, dtype=bool)
        kept[gone] = False
        place = _numbered(kept)[self.place[:, ~bare]]
        base = self.base + float(self.length[gone].sum())
        return Cut(self.task, self.feature[kept], self.threshold[kept], self.length[kept], place, base)

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

    def _below(self, node: Ints) -> tuple[Floats, Floats]:
        """Weight of the rows below each node, and their mean length."""
        weight, length = (np.append(0.0, np.cumsum(held)) for held in (self.rows_in, self.rows_in * self.length))
        rows = weight[self.ends[node]] - weight[node]
        return rows, (length[self.ends[node]] - length[node]) / rows


def _numbered(kept: Mask) -> NDArray[np.int32]:
    """New position of each node that stays."""
    return np.cumsum(kept, dtype=np.int32) - np.int32(1)

"""Path lengths of rows in a forest: row by row where there are few, all nodes at once where there are many; the same bits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels import forest as trees
from tsprune.kernels.forest_program import Program, compile_program

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tsprune.types import Ints, Matrix

#: Rows from which the batch kernel, and the loading of numba, pay off.
BATCH = 2_000
#: Nodes per tree up to which evaluating all of them beats walking past most; leaves that 16 bits count; columns read at once.
FLAT, COUNTED, WIDE = 2_000, 2**16, 2**14


@dataclass(frozen=True)
class Paths:
    """The trees of a forest, ready to score; what a way of scoring needs is prepared when it is first taken."""

    feature: Ints  #: (n_nodes,) in pre-order; negative at a leaf
    threshold: NDArray[np.float32]  #: (n_nodes,)
    worth: Ints  #: (n_nodes,) what a leaf adds to the sum of a row
    narrow: bool  #: whether the worth of every leaf fits 15 bits

    def sums(self, rows: Matrix) -> Ints:
        """Sum of what each row's leaves are worth, shape (n_samples,); rows are contiguous float64."""
        if not self._in_batch(rows):
            return np.asarray(self.worth.take(trees.leaves(singles(rows), self._walk)).sum(axis=1))
        from tsprune.kernels import compiled_forest

        program = self._program if self.narrow else self._numbering
        return compiled_forest.path_sums(rows, program) + (self._first_leaves if self.narrow else 0)

    def leaves(self, rows: Matrix) -> Ints:
        """Position of the leaf in which each row ends in each tree, shape (n_samples, n_trees)."""
        if not self._in_batch(rows):
            return trees.leaves(singles(rows), self._walk)
        from tsprune.kernels import compiled_forest

        numbers = compiled_forest.leaf_numbers(rows, self._numbering)
        return self._leaf_at[numbers.T + self._numbering.worth_starts]

    def _in_batch(self, rows: Matrix) -> bool:
        return len(rows) >= BATCH and self._is_flat

    @cached_property
    def _roots(self) -> Ints:
        return trees.roots(trees.subtree_ends(self.feature >= 0))

    @cached_property
    def _leaf_at(self) -> Ints:
        return np.flatnonzero(self.feature < 0)

    @cached_property
    def _is_flat(self) -> bool:
        """Whether the batch kernel fits: it visits every node."""
        sizes = np.diff(np.append(self._roots, len(self.feature)))
        return bool(sizes.mean() <= FLAT and (sizes.max() + 1) // 2 <= COUNTED and len(np.unique(self.feature)) <= WIDE)

    @cached_property
    def _walk(self) -> trees.Walk:
        return trees.walk_of(self.feature, self.threshold)

    @cached_property
    def _program(self) -> Program:
        return compile_program(self.feature, self.threshold, self.worth, direct=True)

    @cached_property
    def _numbering(self) -> Program:
        return compile_program(self.feature, self.threshold, self.worth, direct=False)

    @cached_property
    def _first_leaves(self) -> int:
        """What nodes hand up is counted from the first leaf of each tree."""
        return int(self.worth[self._leaf_at[np.searchsorted(self._leaf_at, self._roots)]].sum())


def singles(rows: Matrix) -> NDArray[np.float32]:
    """Values as scikit-learn compares them; one beyond float32 becomes infinite."""
    with np.errstate(over="ignore"):
        return rows.astype(np.float32)

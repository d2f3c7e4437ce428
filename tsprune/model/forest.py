"""An isolation forest as a part of a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from tsprune.errors import BadModelFile, BadParameter
from tsprune.kernels import forest as trees
from tsprune.kernels.forest_packed import KINDS, packed, unpacked
from tsprune.kernels.forest_paths import Paths
from tsprune.model.part import Part, Spec, complete_rows, read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from tsprune.types import AnyArray, Floats, Ints, Json, Mask, Matrix

#: Path length of one unit where leaves hold counts: the sums of a forest of MANY nodes still fit 63 bits.
FINE = 2.0**-38
MANY = 2**24
#: Largest learned path length, in steps: differences of two fit 16 bits.
LARGEST = 2**14 - 1
#: Training rows that a leaf may hold at the most.
MOST_ROWS = 2**31 - 1


@dataclass(frozen=True)
class Forest(Part):
    """Isolation trees; score = 2^-(mean path length / normal) + shift.  One part is one node.

    Nodes stand in pre-order, tree after tree (see `kernels.forest`).  As grown, a leaf holds the number of training rows that
    ended in it, and its path length follows; once pruned, it holds a learned path length in whole steps.

    Parameters
    ----------
    n_features : int
        Columns of the rows to score.
    feature : ndarray of integers, shape (n_nodes,)
        Column that an inner node compares; -1 at a leaf.  Read from a file, it and `leaf` are as narrow as they can be.
    threshold : ndarray of float32, shape (n_nodes,)
        A row goes right where its value, as float32, is above; 0 at a leaf.
    leaf : ndarray of signed integers, shape (n_nodes,)
        Training rows, or learned path length in steps, of a leaf; 0 at an inner node.
    step : float
        Path length of one step; 0 where leaves hold training rows.
    base : float
        Path length that every row has on top: that of the trees which were pruned altogether.
    mean_of : float
        Number of trees that the sum of path lengths is divided by.
    normal : float
        Average path length among as many rows as one tree was grown on.
    shift : float
        Added to the score (PyOD's offset; 0 for scikit-learn).

    Examples
    --------
    One tree: three of the four rows that it was grown on lie at or below 0.5.

    >>> import numpy as np
    >>> from tsprune.model.forest import Forest
    >>> forest = Forest(
    ...     n_features=1,
    ...     feature=np.array([0, -1, -1]),
    ...     threshold=np.array([0.5, 0, 0], dtype=np.float32),
    ...     leaf=np.array([0, 3, 1]),
    ...     step=0.0, base=0.0, mean_of=1.0, normal=2.33, shift=0.0,
    ... )
    >>> forest.anomaly_score([[0.0], [1.0]]).round(3)
    array([0.519, 0.743])
    """

    n_features: int
    feature: Ints
    threshold: NDArray[np.float32]
    leaf: Ints
    step: float
    base: float
    mean_of: float
    normal: float
    shift: float

    @property
    def n_parts(self) -> int:
        """Number of nodes."""
        return len(self.feature)

    @property
    def n_trees(self) -> int:
        """Number of trees that are left."""
        return len(self.roots)

    @property
    def n_out(self) -> int:
        """One score per row."""
        return 1

    @property
    def used_features(self) -> Ints:
        """Columns that any node compares; the others are never read."""
        return np.unique(self.feature[self.feature >= 0]).astype(np.int64)

    def anomaly_score(self, X: ArrayLike) -> Floats:
        """Score complete rows; the same bits for one row as within any batch.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)

        Returns
        -------
        ndarray, shape (n_samples,)
            Higher = more anomalous.

        Raises
        ------
        BadParameter
            If the number of columns is another one.
        """
        sums = self._paths.sums(complete_rows(X, self.n_features))
        return np.exp2((self.base + sums * self._unit) / (-self.mean_of * self.normal)) + self.shift

    def part_scores(self, X: ArrayLike) -> Matrix:
        """Path length of each row in each tree, shape (n_samples, n_trees)."""
        return self.lengths.take(self.leaves(X))

    def leaves(self, X: ArrayLike) -> Ints:
        """Position of the leaf in which each row ends in each tree, shape (n_samples, n_trees)."""
        return self._paths.leaves(complete_rows(X, self.n_features))

    def keep(self, mask: Mask) -> Self:
        """The forest of some of its trees (a bool for each tree); the score stays on its scale.

        Raises
        ------
        BadParameter
            If the mask is of another length or keeps no tree.
        """
        mask = np.asarray(mask, dtype=bool)
        if mask.shape != (self.n_trees,) or not mask.any():
            raise BadParameter(
                f"mask has shape {mask.shape} and keeps {mask.sum()}; it has a bool for each of {self.n_trees} trees, one of them True."
            )
        nodes = np.repeat(mask, np.diff(np.append(self.roots, self.n_parts)))
        share = float(mask.mean())
        return replace(
            self,
            feature=self.feature[nodes],
            threshold=self.threshold[nodes],
            leaf=self.leaf[nodes],
            base=self.base * share,
            mean_of=self.mean_of * share,
        )

    @cached_property
    def ends(self) -> Ints:
        """Position behind the last node of each node's subtree, shape (n_nodes,)."""
        return trees.subtree_ends(self.feature >= 0)

    @cached_property
    def roots(self) -> Ints:
        """Position of each tree's root, shape (n_trees,)."""
        return trees.roots(self.ends)

    @property
    def lengths(self) -> Floats:
        """Path length of each leaf, shape (n_nodes,); 0 at an inner node."""
        lengths: Floats = self._worth.astype(np.float64) * self._unit
        return lengths

    @property
    def _unit(self) -> float:
        return self.step or FINE

    @cached_property
    def _worth(self) -> Ints:
        if self.step:
            return self.leaf.astype(np.int64, copy=False)
        inner = self.feature >= 0
        lengths = trees.depths(inner, self.ends) + trees.average_path_length(self.leaf)
        return np.where(inner, 0, np.rint(lengths / FINE)).astype(np.int64)

    @cached_property
    def _paths(self) -> Paths:
        return Paths(self.feature, self.threshold, self._worth, narrow=self.step > 0)

    def check(self) -> None:
        """Raise ValueError where a walk could leave the arrays or a score could be no number.

        Nothing is made here that grows with the forest: a file that was written to fill the memory comes by, too.
        """
        n, n_trees = len(self.feature), trees.count_trees(self.feature)
        if n + 64 * n_trees > MANY or self.leaf.shape != (n,) or self.threshold.shape != (n,):
            raise ValueError(f"a forest of {n} nodes, {len(self.leaf)} leaves and {len(self.threshold)} thresholds")
        if (
            self.n_features < 1
            or self.feature.max() >= self.n_features
            or not np.isfinite([self.threshold.min(), self.threshold.max()]).all()
        ):
            raise ValueError("a node compares a column that is not there, or with no number")
        least, most = int(self.leaf.min()), int(self.leaf.max())
        divisor = self.mean_of * self.normal
        if not (self.step >= 0 and 1e-9 <= divisor < np.inf and self.normal > 0 and np.isfinite([self.step, self.base, self.shift]).all()):
            raise ValueError("a scale of the forest is out of range")
        n_leaves = (n + n_trees) // 2
        if max(most, -least) > LARGEST if self.step else (least < 0 or most > MOST_ROWS or np.count_nonzero(self.leaf) != n_leaves):
            raise ValueError("what a leaf holds is out of range")
        learned = max(most, -least) * self.step * n_trees  # path lengths that follow from counts are never negative, and at most MANY
        if not abs(self.base) + learned <= 1000 * divisor:
            raise ValueError("the path lengths are out of range")

    def to_spec(self) -> Spec:
        """Shape as one bit per node; 5 bytes per inner node of up to 256 columns, 1 or 2 per leaf."""
        arrays = packed(self.feature, self.threshold, self.leaf, self.n_features, narrow=self.step > 0)
        facts: dict[str, Json] = {name: getattr(self, name) for name in ("n_features", *_SCALES)}
        return Spec("Forest", facts, arrays)

    @classmethod
    def from_spec(cls, facts: Mapping[str, Json], arrays: Mapping[str, AnyArray], parts: tuple[Part, ...] = ()) -> Self:
        """Build the forest from data that may be damaged or hostile.

        Raises
        ------
        BadModelFile
            If the arrays do not fit together.
        """
        if parts or set(facts) != {"n_features", *_SCALES} or set(arrays) != set(KINDS):
            raise BadModelFile("the forest is not of the known form.")
        if any(array.ndim != 1 or array.dtype.kind not in KINDS[name] for name, array in arrays.items()):
            raise BadModelFile("an array of the forest is of another type.")
        feature, threshold, leaf = unpacked(arrays)
        scales = {name: read("float", facts[name], f"Forest.{name}") for name in _SCALES}
        forest = cls(read("int", facts["n_features"], "Forest.n_features"), feature, threshold, leaf, **scales)
        forest.check()
        return forest


_SCALES = ("step", "base", "mean_of", "normal", "shift")

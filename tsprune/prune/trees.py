"""Cuts by whole trees and by depth: fewer node visits per row, before or instead of a collapse of nodes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tsprune.errors import NotPrunable
from tsprune.kernels.forest import depths
from tsprune.params import check_count

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tsprune.model.forest import Forest
    from tsprune.types import Floats, Ints


def follow(lengths: NDArray[np.float32], target: Floats, weights: Floats, n_trees: int) -> tuple[Ints, Floats, float]:
    """Trees that together follow a target, chosen one by one, all weights being fitted again each time.

    Parameters
    ----------
    lengths : float32 ndarray, shape (n_rows, n_trees_before)
        Path length of each row in each tree.
    target, weights : ndarray, shape (n_rows,)
        What the sum of path lengths should be on each row, and how much the row matters.
    n_trees : int

    Returns
    -------
    chosen : ndarray of int64, shape (n_trees,)
        Rising.
    weight : ndarray, shape (n_trees,)
    base : float
        The target is nearly `lengths[:, chosen] @ weight + base`.

    Source
    ------
    Orthogonal matching pursuit: Pati, Rezaiifar & Krishnaprasad, 1993; on trees: Giffon et al., 2020.
    """
    check_count(trees=n_trees, high=lengths.shape[1])
    share = weights / weights.sum()
    centre, wanted = share @ lengths, float(share @ target)
    root = np.sqrt(share).astype(np.float32)[:, None]
    scaled = (lengths - centre.astype(np.float32)) * root
    gram = (scaled.T @ scaled).astype(np.float64)
    towards = scaled.T.astype(np.float64) @ (np.sqrt(share) * (target - wanted))
    spread = np.sqrt(np.diag(gram)) + 1e-12
    ridge = 1e-6 * np.trace(gram) / len(gram)
    chosen: list[int] = []
    weight = np.empty(0)
    for _ in range(n_trees):
        left = np.abs(towards - gram[:, chosen] @ weight) / spread
        left[chosen] = -1.0
        chosen.append(int(np.argmax(left)))
        weight = np.linalg.solve(gram[np.ix_(chosen, chosen)] + ridge * np.eye(len(chosen)), towards[chosen])
    order = np.argsort(chosen)
    trees = np.array(chosen)[order]
    return trees, weight[order], wanted - float(centre[trees] @ weight[order])


def cap_depth(forest: Forest, depth: int) -> Forest:
    """Cut every tree at a depth; a row that gets there is taken to go on as far as the average row would.

    The cheap way to shorten trees: no training rows needed.  `collapse` gives a closer forest of the same size.

    Raises
    ------
    NotPrunable
        If the forest holds learned path lengths.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> from tsprune.detect.forest import to_forest
    >>> from tsprune.prune.trees import cap_depth
    >>> forest = to_forest(IsolationForest(random_state=0).fit(np.random.default_rng(0).normal(size=(600, 3))))
    >>> cap_depth(forest, 4).n_parts < 0.3 * forest.n_parts
    True
    """
    check_count(depth=depth, low=0)
    if forest.step:
        raise NotPrunable("the forest holds learned path lengths, not the rows in each leaf; cap its depth before nodes are cut.")
    inner = forest.feature >= 0
    level = depths(inner, forest.ends)
    below = np.append(0, np.cumsum(forest.leaf))
    ends_here, kept = inner & (level == depth), level <= depth
    return replace(
        forest,
        feature=np.where(ends_here, -1, forest.feature)[kept],
        threshold=np.where(ends_here, np.float32(0), forest.threshold)[kept],
        leaf=np.where(ends_here, below[forest.ends] - below[:-1], forest.leaf)[kept],
    )

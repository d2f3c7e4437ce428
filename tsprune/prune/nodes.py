"""Cut nodes of an isolation forest, over the whole forest, where the score can do without them.

Round by round the splits go whose rows would change their path length least; then all path lengths are learned anew, on
training rows and on label-free rows around them, so that what is left follows the whole.  Scale and threshold stay.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tsprune.errors import BadParameter
from tsprune.kernels.forest_paths import singles
from tsprune.model.forest import LARGEST, Forest
from tsprune.params import check_count, check_number
from tsprune.prune.queries import jittered
from tsprune.prune.splits import Cut, Task
from tsprune.prune.trees import follow

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from tsprune.types import Floats, Matrix

#: Share of the splits that go in one round.
ROUND = 0.1
#: Share of the nodes below which lengths are learned after each round; above it cuts cost next to nothing.
LEARN = 0.35
#: How exactly lengths are learned between rounds, and in the end.
ROUGH, EXACT = 0.1, 0.01
#: Rows that are drawn at most of those seen, and number of those that nobody saw.
SEEN, UNSEEN = 4_000, 8_000
#: Weight of a row that nobody saw.
QUERY_WEIGHT = 0.5
#: Share of the rows that `tail_weight` is for.
TAIL = 0.05
#: Rows sent down the trees at a time.
CHUNK = 4_096

Queries = Callable[["Matrix", int, np.random.Generator], "Matrix"]


class Collapse:
    """All the forests that are left when ever more nodes go, each within the one before.

    Preparing costs one scoring of the rows; `to` goes on from where it stood, so falling numbers of nodes cost one descent.

    Parameters
    ----------
    forest : Forest
    X : array_like, shape (n_samples, n_features)
        Complete training rows; best those that the forest was grown on.  Of more than 4,000 so many are drawn.
    trees : int or None
        Choose so many trees first, by orthogonal matching pursuit: fewer visits per row, and the way to prune a large teacher.
    queries : callable or None
        `queries(X, n, rng)` gives n rows that nobody saw, where the cut forest must follow the whole one too.
    tail_weight : float
        How much more each of the most anomalous 5 % of the rows matters: alarms are made of them.  1 follows the order of all rows best.
    relearn : bool
        Whether path lengths are learned anew; without, leaves that merge take their mean.
    random_state : int or None

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> from tsprune.detect.forest import to_forest
    >>> from tsprune.prune.nodes import Collapse
    >>> X = np.random.default_rng(0).normal(size=(600, 3))
    >>> forest = to_forest(IsolationForest(random_state=0).fit(X))
    >>> path = Collapse(forest, X, random_state=0)
    >>> [0.99 * n < path.to(n).n_parts <= n for n in (4000, 1000)]
    [True, True]
    """

    def __init__(
        self,
        forest: Forest,
        X: ArrayLike,
        *,
        trees: int | None = None,
        queries: Queries | None = jittered,
        tail_weight: float = 3.0,
        relearn: bool = True,
        random_state: int | None = None,
    ):
        check_number(tail_weight=tail_weight, low=1.0)
        self.forest = forest
        self.relearn = relearn
        rng = np.random.default_rng(random_state)
        rows = np.asarray(X, dtype=np.float64)
        if len(rows) == 0:
            raise BadParameter("X has no row; give the rows that the forest was grown on.")
        rows = rows if len(rows) <= SEEN else rows[np.sort(rng.permutation(len(rows))[:SEEN])]
        n_seen = len(rows)
        if queries is not None:
            rows = np.concatenate([rows, queries(rows, UNSEEN, rng)])
        whole = _uncut(forest, rows, n_seen, tail_weight)
        if trees is not None:
            chosen, weight, base = follow(whole.length.astype(np.float32)[whole.place], whole.task.target, whole.task.weights, trees)
            whole = whole.of_trees(chosen, weight, base)
        self._passed = [(forest.n_parts, whole.without_bare_trees())]

    def to(self, n_nodes: int) -> Forest:
        """The forest with `n_nodes` nodes (a few less where trees vanish); the whole one where it has no more than that."""
        check_count(n_nodes=n_nodes)
        if n_nodes >= self.forest.n_parts:
            return self.forest
        cut = next(passed for leads_to, passed in reversed(self._passed) if leads_to >= n_nodes)
        while 2 * _in_a_round(cut) <= cut.n_nodes - n_nodes:
            leads_to = cut.n_nodes - 2 * _in_a_round(cut)
            cut = self._after(cut, _in_a_round(cut), ROUGH)
            self._remember(leads_to, cut)
        while cut.n_nodes > n_nodes:
            cut = self._after(cut, min(_in_a_round(cut), -(-(cut.n_nodes - n_nodes) // 2)), EXACT)
        return _as_forest(self.forest, cut)

    def _remember(self, leads_to: int, cut: Cut) -> None:
        """The latest cut, and of those before it one for each halving: whatever was asked before, the way down is the same."""
        if len(self._passed) > 1 and self._passed[-1][1].n_nodes > self._passed[-2][1].n_nodes / 2:
            self._passed.pop()
        self._passed.append((leads_to, cut))

    def _after(self, cut: Cut, n_splits: int, tolerance: float) -> Cut:
        shorter = cut.shorter(n_splits)
        learns = self.relearn and shorter.n_nodes <= LEARN * self._passed[0][1].n_nodes
        return shorter.learned(tolerance) if learns else shorter


def _in_a_round(cut: Cut) -> int:
    return max(1, int(ROUND * len(cut.splits)))


def _uncut(forest: Forest, rows: Matrix, n_seen: int, tail_weight: float) -> Cut:
    """The whole forest, with the leaf of each row and what is wanted of it."""
    parts = [forest.leaves(rows[start : start + CHUNK]).astype(np.int32) for start in range(0, len(rows), CHUNK)]
    place = np.ascontiguousarray(np.concatenate(parts))
    target = forest.base + np.concatenate([forest.lengths.take(part).sum(axis=1) for part in parts])
    task = Task(np.ascontiguousarray(singles(rows).T), target, importance(target, n_seen, tail_weight))
    return Cut(task, forest.feature, forest.threshold, forest.lengths, place, forest.base)


def collapse(
    forest: Forest,
    X: ArrayLike,
    n_nodes: int,
    *,
    trees: int | None = None,
    queries: Queries | None = jittered,
    tail_weight: float = 3.0,
    relearn: bool = True,
    random_state: int | None = None,
) -> Forest:
    """The forest with at most `n_nodes` nodes that follows the whole one best; see `Collapse`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> from tsprune.detect.forest import to_forest
    >>> from tsprune.prune.nodes import collapse
    >>> X = np.random.default_rng(0).normal(size=(600, 3))
    >>> forest = to_forest(IsolationForest(random_state=0).fit(X))
    >>> small = collapse(forest, X, round(0.1 * forest.n_parts), random_state=0)
    >>> bool(np.corrcoef(small.anomaly_score(X), forest.anomaly_score(X))[0, 1] > 0.98)
    True
    """
    path = Collapse(forest, X, trees=trees, queries=queries, tail_weight=tail_weight, relearn=relearn, random_state=random_state)
    return path.to(n_nodes)


def importance(target: Floats, n_seen: int, tail_weight: float = 1.0) -> Floats:
    """How much each row matters: as the root of how many seen rows have nearly its path length, mean 1.

    An error moves a row past more others where they lie dense, and the order of rows is what has to be kept.  Rows
    in thin air, the anomalies, keep at least three tenths of the weight of a typical one, and more with `tail_weight`.
    """
    seen = np.sort(target[:n_seen])
    reach = max(1, n_seen // 40)
    at = np.searchsorted(seen, target)
    high, low = np.clip([at + reach, at - reach], 0, n_seen - 1)
    width = seen[high] - seen[low]
    density = (high - low) / np.maximum(width, 1e-3 * max(seen[-1] - seen[0], 1e-300))
    weights = np.clip(np.sqrt(density / max(np.median(density[:n_seen]), 1e-300)), 0.3, 4.0)
    weights[target <= seen[int(TAIL * n_seen)]] *= tail_weight
    weights[n_seen:] *= QUERY_WEIGHT
    return weights / weights.mean()


def _as_forest(whole: Forest, cut: Cut) -> Forest:
    """Lengths in whole steps, a power of two, so that what is saved is what is scored."""
    longest = max(float(np.abs(cut.length[~cut.inner]).max()), 1e-9)
    step = 2.0 ** math.ceil(math.log2(longest / LARGEST))
    leaf = np.where(cut.inner, 0, np.rint(cut.length / step)).astype(np.int64)
    return replace(whole, feature=cut.feature, threshold=cut.threshold, leaf=leaf, step=step, base=cut.base)

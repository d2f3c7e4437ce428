"""Cut nodes of an isolation forest, over the whole forest, where the score can do without them.

Round by round the splits go whose rows would change their path length least; then all path lengths are learned anew, on
training rows and on label-free rows around them, so that what is left follows the whole.  Scale and threshold stay.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tsprune.model.forest import LARGEST, Forest
from tsprune.params import check_count, check_number
from tsprune.prune.queries import jittered
from tsprune.prune.splits import Cut, Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

    from tsprune.types import Floats, Matrix

#: Share of the splits that go in one round.
ROUND = 0.15
#: Share of the nodes below which lengths are learned after each round; above it cuts cost next to nothing.
LEARN = 0.5
#: How exactly lengths are learned between rounds, and in the end.
ROUGH, EXACT = 0.2, 0.03
#: Weight of a row that nobody saw, in training rows, and the number of such rows.
UNSEEN, QUERIES = 0.5, 8_000
#: Share of the rows that `tail_weight` is for.
TAIL = 0.05


class Collapse:
    """All the forests that are left when ever more nodes go, each within the one before.

    Preparing costs one scoring of the rows; `to` goes on from where it stood, so falling numbers of nodes cost one descent.

    Parameters
    ----------
    forest : Forest
    X : array_like, shape (n_samples, n_features)
        Complete training rows; best those that the forest was grown on.
    queries : callable or None
        `queries(X, n, rng)` gives n rows that nobody saw, where the cut forest must follow the whole one too.
    tail_weight : float
        How much more each of the most anomalous 5 % of the rows matters; 10 keeps more of the top alarms at some cost elsewhere.
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
    >>> [path.to(n).n_parts for n in (4000, 1000)]
    [4000, 1000]
    """

    def __init__(
        self,
        forest: Forest,
        X: ArrayLike,
        *,
        queries: Callable[[Matrix, int, np.random.Generator], Matrix] | None = jittered,
        tail_weight: float = 1.0,
        relearn: bool = True,
        random_state: int | None = None,
    ):
        check_number(tail_weight=tail_weight, low=1.0)
        self.forest = forest
        self.relearn = relearn
        rows = np.asarray(X, dtype=np.float64)
        n_seen = len(rows)
        if queries is not None:
            rows = np.concatenate([rows, queries(rows, QUERIES, np.random.default_rng(random_state))])
        place = np.ascontiguousarray(forest.leaves(rows))
        target = forest.base + forest.lengths.take(place).sum(axis=1)
        weights = importance(target, n_seen, tail_weight)
        task = Task(np.ascontiguousarray(rows.T, dtype=np.float32), target, weights)
        self._whole = self._main = Cut(task, forest.feature, forest.threshold, forest.lengths, place, forest.base)

    def to(self, n_nodes: int) -> Forest:
        """The forest with at most so many nodes (at most two fewer, or as trees vanish); with all of them, the whole one."""
        check_count(n_nodes=n_nodes)
        if n_nodes >= self.forest.n_parts:
            return self.forest
        if n_nodes > len(self._main.feature):
            self._main = self._whole
        while (n := self._in_a_round(self._main)) * 2 <= len(self._main.feature) - n_nodes:
            self._main = self._after(self._main, n, ROUGH)
        cut = self._main
        while (excess := len(cut.feature) - n_nodes) > 0:
            cut = self._after(cut, min(self._in_a_round(cut), -(-excess // 2)), EXACT)
        return _as_forest(self.forest, cut)

    @staticmethod
    def _in_a_round(cut: Cut) -> int:
        return max(1, int(ROUND * len(cut.splits)))

    def _after(self, cut: Cut, n_splits: int, tolerance: float) -> Cut:
        shorter = cut.shorter(n_splits)
        learns = self.relearn and len(shorter.feature) <= LEARN * self.forest.n_parts
        return shorter.learned(tolerance) if learns else shorter


def collapse(
    forest: Forest,
    X: ArrayLike,
    n_nodes: int,
    *,
    queries: Callable[[Matrix, int, np.random.Generator], Matrix] | None = jittered,
    tail_weight: float = 1.0,
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
    return Collapse(forest, X, queries=queries, tail_weight=tail_weight, relearn=relearn, random_state=random_state).to(n_nodes)


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
    weights[n_seen:] *= UNSEEN
    return weights / weights.mean()


def _as_forest(whole: Forest, cut: Cut) -> Forest:
    """Lengths in whole steps, a power of two, so that what is saved is what is scored."""
    longest = max(float(np.abs(cut.length[~cut.inner]).max()), 1e-9)
    step = 2.0 ** math.ceil(math.log2(longest / LARGEST))
    leaf = np.where(cut.inner, 0, np.rint(cut.length / step)).astype(np.int64)
    return replace(whole, feature=cut.feature, threshold=cut.threshold, leaf=leaf, step=step, base=cut.base)

"""An isolation forest that we grow ourselves: the same kind of forest as scikit-learn's, many times sooner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from sklearn.utils import check_array

from tsprune.detect.standard import OwnDetector
from tsprune.kernels.forest import average_path_length
from tsprune.kernels.forest_grow import Grown, grow
from tsprune.model.forest import Forest
from tsprune.params import check_count

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Rows that a tree is grown on where nothing is said, as in scikit-learn.
DRAWN = 256


class GrownForest(OwnDetector):
    """An isolation forest with the statistics of scikit-learn's (depths, sizes, scores), not its random numbers.

    Whole levels of all trees are grown at a time by numpy, or node by node by numba where it is loaded: the same forest for the same
    seed in either way.  `anomaly_score` is scikit-learn's `score_samples` with the sign turned.

    Parameters
    ----------
    n_estimators : int
    max_samples : int or "auto"
        Rows that each tree is grown on, drawn without replacement; "auto": 256.  All where there are fewer.
    random_state : int or None

    Attributes
    ----------
    part_ : Forest

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.detect import GrownForest
    >>> X = np.random.default_rng(0).normal(size=(500, 2))
    >>> far, near = GrownForest(random_state=0).fit(X).anomaly_score(np.array([[6.0, 6.0], [0.0, 0.0]]))
    >>> bool(far > near + 0.3)
    True
    """

    def __init__(self, n_estimators: int = 100, max_samples: int | Literal["auto"] = "auto", random_state: int | None = None):
        self.n_estimators = n_estimators
        self.max_samples = max_samples
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Grow the trees on complete rows X, shape (n, d)."""
        growing = GrowingOurs(self, X, self.random_state)
        self.part_ = growing.more(check_count(n_estimators=self.n_estimators))
        self.n_features_in_ = self.part_.n_features
        return self


class GrowingOurs:
    """A forest of ours that is grown block by block; the trees are those of one fit of as many."""

    def __init__(self, detector: GrownForest, X: Any, random_state: int | None = None):
        self._rows: NDArray[np.float32] = check_array(X, dtype=np.float32, ensure_min_samples=2)
        n_drawn = DRAWN if detector.max_samples == "auto" else check_count(max_samples=detector.max_samples)
        self._n_drawn = min(n_drawn, len(self._rows))
        seed = detector.random_state if random_state is None else random_state
        self._rng = np.random.default_rng(None if seed is None else check_count(random_state=seed, low=0))
        self._blocks: list[Grown] = []

    def more(self, n_trees: int) -> Forest:
        """Grow so many trees, and return these alone."""
        seeds = self._rng.integers(2**64 - 1, size=n_trees, dtype=np.uint64, endpoint=True)
        self._blocks.append(grow(self._rows, seeds, self._n_drawn))
        return self._of(self._blocks[-1])

    def whole(self) -> Forest:
        """All trees grown so far."""
        return self._of(Grown(*(np.concatenate(own) for own in zip(*self._blocks, strict=True))))

    def _of(self, trees: Grown) -> Forest:
        n_trees = (2 * np.count_nonzero(trees.feature < 0)) - len(trees.feature)
        normal = float(average_path_length(np.array([self._n_drawn]))[0])
        return Forest(
            n_features=self._rows.shape[1],
            feature=trees.feature,
            threshold=trees.threshold,
            leaf=trees.leaf,
            step=0.0,
            base=0.0 if normal else float(n_trees),  # grown on one row each: the score is 2^-1 everywhere
            mean_of=float(n_trees),
            normal=normal or 1.0,
            shift=0.0,
        )

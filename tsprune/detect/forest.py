"""From a fitted isolation forest of scikit-learn or PyOD to a part of a model.

The part owns its trees and columns.  scikit-learn's own object cannot be pruned in place: its scores go through private
caches that keep the length of the whole forest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import IsolationForest

from tsprune.detect.grown import GrowingOurs, GrownForest
from tsprune.errors import NotPrunable
from tsprune.kernels.forest import average_path_length
from tsprune.model.forest import Forest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tsprune.types import Floats, Ints, Matrix


def to_forest(detector: Any) -> Forest:
    """The trees of a fitted isolation forest, with higher = more anomalous.

    Parameters
    ----------
    detector : sklearn.ensemble.IsolationForest or pyod.models.iforest.IForest
        Fitted.

    Returns
    -------
    Forest
        `anomaly_score` equals `-score_samples` of scikit-learn and `decision_function` of PyOD, to 1e-12.

    Raises
    ------
    NotPrunable
        If it is another detector, or not fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> from tsprune.detect.forest import to_forest
    >>> X = np.random.default_rng(0).normal(size=(500, 3))
    >>> fitted = IsolationForest(random_state=0).fit(X)
    >>> bool(np.allclose(to_forest(fitted).anomaly_score(X), -fitted.score_samples(X), rtol=0, atol=1e-12))
    True
    """
    inner = _scikit_learn_s(detector)
    return _part(inner, shift=0.0 if inner is detector else float(inner.offset_))


def _part(inner: IsolationForest, shift: float, first: int = 0) -> Forest:
    """The trees from the first one asked for on."""
    own = zip(inner.estimators_[first:], inner.estimators_features_[first:], strict=True)
    trees = [(estimator.tree_, columns) for estimator, columns in own]
    normal = float(average_path_length(np.array([inner.max_samples_]))[0])
    return Forest(
        n_features=int(inner.n_features_in_),
        feature=np.concatenate([_columns(tree.feature, columns) for tree, columns in trees]),
        threshold=np.concatenate([floored(tree.threshold, tree.feature) for tree, _ in trees]),
        leaf=np.concatenate([np.where(tree.feature < 0, tree.n_node_samples, 0) for tree, _ in trees]).astype(np.int64),
        step=0.0,
        base=0.0 if normal else float(len(trees)),  # grown on one row each: scikit-learn's score is 2^-1 everywhere
        mean_of=float(len(trees)),
        normal=normal or 1.0,
        shift=shift,
    )


class Growing:
    """An isolation forest with the user's parameters that is grown block by block; the trees are those of one fit of as many.

    Parameters
    ----------
    detector : sklearn.ensemble.IsolationForest or pyod.models.iforest.IForest, fitted
    X : ndarray, shape (n_samples, n_features)
        The rows that the detector was fitted on.
    random_state : int, RandomState or None
        None: that of the detector.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> from tsprune.detect.forest import Growing, grow_teacher
    >>> X = np.random.default_rng(0).normal(size=(500, 3))
    >>> small = IsolationForest(n_estimators=5, random_state=0).fit(X)
    >>> growing = Growing(small, X)
    >>> growing.more(10).n_trees, growing.more(20).n_trees, growing.whole().n_trees
    (10, 20, 30)
    >>> bool(np.array_equal(growing.whole().threshold, grow_teacher(small, X, 30).threshold))
    True
    """

    def __init__(self, detector: Any, X: Matrix, random_state: Any = None):
        inner = _scikit_learn_s(detector)
        self._X, self._wrapped = X, inner is not detector
        self._forest = clone(inner).set_params(warm_start=True)
        if random_state is not None:
            self._forest.set_params(random_state=random_state)

    def more(self, n_trees: int) -> Forest:
        """Grow so many trees, and return these alone."""
        there = len(getattr(self._forest, "estimators_", ()))
        self._forest.set_params(n_estimators=there + n_trees).fit(self._X)
        return self._of(there)

    def whole(self) -> Forest:
        """All trees grown so far."""
        return self._of(0)

    def _of(self, first: int) -> Forest:
        return _part(self._forest, float(self._forest.offset_) if self._wrapped else 0.0, first)


def growing(detector: Any, X: Matrix, random_state: Any = None) -> Growing | GrowingOurs:
    """A forest like a fitted one that is grown block by block; arguments as for `Growing`, or a `GrownForest`."""
    return GrowingOurs(detector, X, random_state) if isinstance(detector, GrownForest) else Growing(detector, X, random_state)


def grow_teacher(detector: Any, X: Matrix, n_trees: int = 1000, random_state: Any = None) -> Forest:
    """A larger isolation forest with the user's parameters, to be pruned and thrown away.

    Its ranking is steadier than that of a small one, and a pruned part of it is too.

    Parameters
    ----------
    detector, X, random_state
        As for `growing`.
    n_trees : int
    """
    return growing(detector, X, random_state).more(n_trees)


def _scikit_learn_s(detector: Any) -> IsolationForest:
    """The scikit-learn forest: the detector itself, or the one that PyOD wraps."""
    inner = getattr(detector, "detector_", detector)
    if not isinstance(inner, IsolationForest) or not hasattr(inner, "estimators_"):
        raise NotPrunable(f"{type(detector).__name__} is no fitted isolation forest: give a fitted IsolationForest or a PyOD IForest.")
    return inner


def _columns(feature: Ints, columns: Ints) -> Ints:
    """A tree numbers the columns that it was grown on; -1 at a leaf."""
    return np.where(feature < 0, -1, np.asarray(columns, dtype=np.int64)[np.maximum(feature, 0)])


def floored(threshold: Floats, feature: Ints) -> NDArray[np.float32]:
    """The largest float32 not above each threshold: a float32 value is above the one exactly where it is above the other."""
    single = threshold.astype(np.float32)
    too_high = single.astype(np.float64) > threshold
    single[too_high] = np.nextafter(single[too_high], np.float32(-np.inf))
    single[feature < 0] = 0.0
    return single

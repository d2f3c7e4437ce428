"""From a fitted isolation forest of scikit-learn or PyOD to a part of a model.

The part owns its trees and columns.  scikit-learn's own object cannot be pruned in place: its scores go through private
caches that keep the length of the whole forest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import IsolationForest

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


def _part(inner: IsolationForest, shift: float) -> Forest:
    trees = [(estimator.tree_, columns) for estimator, columns in zip(inner.estimators_, inner.estimators_features_, strict=True)]
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


def grow_teacher(detector: Any, X: Matrix, n_trees: int = 1000, random_state: Any = None) -> Forest:
    """A larger isolation forest with the user's parameters, to be pruned and thrown away.

    Its ranking is steadier than that of a small one, and a pruned part of it is too.

    Parameters
    ----------
    detector : sklearn.ensemble.IsolationForest or pyod.models.iforest.IForest, fitted
    X : ndarray, shape (n_samples, n_features)
        The rows that the detector was fitted on.
    n_trees : int
    random_state : int, RandomState or None
        None: that of the detector.
    """
    inner = _scikit_learn_s(detector)
    larger = clone(inner).set_params(n_estimators=n_trees)
    if random_state is not None:
        larger.set_params(random_state=random_state)
    larger.fit(X)
    return _part(larger, shift=0.0 if inner is detector else float(larger.offset_))


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

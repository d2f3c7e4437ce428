"""One-class SVMs of scikit-learn and PyOD as a part of a model."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.svm import OneClassSVM

from tsprune.errors import NotPrunable
from tsprune.model.boundary import Boundary


def to_boundary(detector: Any) -> Boundary:
    """The decision function of a fitted one-class SVM, with higher = more anomalous.

    Parameters
    ----------
    detector : sklearn.svm.OneClassSVM or pyod.models.ocsvm.OCSVM
        Fitted, with `kernel="rbf"`.

    Returns
    -------
    Boundary
        `anomaly_score` equals `-decision_function` of scikit-learn and `decision_function` of PyOD, to rounding.

    Raises
    ------
    NotPrunable
        If it is another detector, not fitted, or of another kernel.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.svm import OneClassSVM
    >>> from tsprune.detect.boundary import to_boundary
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> svm = OneClassSVM(nu=0.1).fit(X)
    >>> bool(np.allclose(to_boundary(svm).anomaly_score(X), -svm.decision_function(X)))
    True
    """
    svm = detector.detector_ if is_pyod(detector, "ocsvm", "OCSVM") and hasattr(detector, "detector_") else detector
    if not isinstance(svm, OneClassSVM) or not hasattr(svm, "support_vectors_"):
        raise NotPrunable(
            f"{type(detector).__name__} is no fitted one-class SVM: give a fitted OneClassSVM of scikit-learn or OCSVM of PyOD."
        )
    if svm.kernel != "rbf":
        raise NotPrunable(
            f"{type(detector).__name__}(kernel={svm.kernel!r}) has no form of ours, which is kernel='rbf'. Fit it with that kernel."
        )
    offset = -float(svm.intercept_[0])
    # gamma="scale" leaves its value under no public name
    return Boundary(_dense(svm.support_vectors_), _dense(svm.dual_coef_)[0], float(svm._gamma), offset)


def is_pyod(detector: Any, module: str, name: str) -> bool:
    """Whether a detector is of this class of PyOD, or of one derived from it; PyOD itself is not imported, which takes seconds."""
    return any(kind.__module__ == f"pyod.models.{module}" and kind.__name__ == name for kind in type(detector).__mro__)


def _dense(values: Any) -> Any:
    return np.ascontiguousarray(values.toarray() if issparse(values) else values, dtype=np.float64)

"""LOF and nearest-neighbour detectors of scikit-learn and PyOD as parts of a model."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

from tsprune.detect.boundary import is_pyod
from tsprune.errors import NotPrunable
from tsprune.model.density import Density, Neighbours


def to_density(detector: Any) -> Density:
    """The local outlier factor of a fitted LOF, with higher = more anomalous.

    Densities are computed anew from the training rows, in double precision.

    Parameters
    ----------
    detector : sklearn.neighbors.LocalOutlierFactor or pyod.models.lof.LOF
        Fitted with `novelty=True`, with Euclidean distances.

    Returns
    -------
    Density
        `anomaly_score` equals `-score_samples` of scikit-learn and `decision_function` of PyOD, to rounding.

    Raises
    ------
    NotPrunable
        If it is another detector, not fitted, of another metric, fitted with `novelty=False` or on a sparse matrix.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import LocalOutlierFactor
    >>> from tsprune.detect.density import to_density
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> lof = LocalOutlierFactor(novelty=True).fit(X)
    >>> bool(np.allclose(to_density(lof).anomaly_score(X + 0.1), -lof.score_samples(X + 0.1)))
    True
    """
    lof = detector.detector_ if is_pyod(detector, "lof", "LOF") and hasattr(detector, "detector_") else detector
    name = type(detector).__name__
    if not isinstance(lof, LocalOutlierFactor) or not hasattr(lof, "n_samples_fit_"):
        raise NotPrunable(f"{name} is no fitted LOF: give a fitted LocalOutlierFactor of scikit-learn or LOF of PyOD.")
    if not lof.novelty:
        raise NotPrunable(f"{name} was fitted with novelty=False and scores no new rows. Fit it with novelty=True.")
    return Density.of(_training_rows(lof, name), lof.n_neighbors_)


def to_neighbours(detector: Any) -> Neighbours:
    """The distance to neighbours of a fitted detector that scores by it.

    Parameters
    ----------
    detector : pyod.models.knn.KNN or sklearn.neighbors.NearestNeighbors
        Fitted, with Euclidean distances; of scikit-learn the distance to the last of its `n_neighbors` is taken.

    Returns
    -------
    Neighbours
        `anomaly_score` equals `decision_function` of PyOD, to rounding.

    Raises
    ------
    NotPrunable
        If it is another detector, not fitted, of another metric or fitted on a sparse matrix.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import NearestNeighbors
    >>> from tsprune.detect.density import to_neighbours
    >>> search = NearestNeighbors(n_neighbors=2).fit(np.array([[0.0], [1.0], [3.0]]))
    >>> to_neighbours(search).anomaly_score(np.array([[9.0]]))
    array([8.])
    """
    pyod = is_pyod(detector, "knn", "KNN")
    search, summary = (detector.neigh_, detector.method) if pyod else (detector, "largest")
    name = type(detector).__name__
    if not isinstance(search, NearestNeighbors) or not hasattr(search, "n_samples_fit_"):
        raise NotPrunable(f"{name} is no fitted search of neighbours: give a fitted KNN of PyOD or NearestNeighbors of scikit-learn.")
    return Neighbours(_training_rows(search, name), search.n_neighbors, summary)


def _training_rows(search: Any, name: str) -> Any:
    """The rows that a neighbour search of scikit-learn was fitted on."""
    if search.effective_metric_ not in ("euclidean", "l2") or search.effective_metric_params_:
        raise NotPrunable(
            f"{name}(metric={search.metric!r}, p={search.p!r}) has no form of ours, which is Euclidean: metric='minkowski' with p=2."
        )
    rows = search._fit_X  # kept under no public name
    if issparse(rows):
        raise NotPrunable(f"{name} was fitted on a sparse matrix. Fit it on X.toarray().")
    return np.ascontiguousarray(rows, dtype=np.float64)

"""Distances by covariance: Mahalanobis, and the error of a reconstruction by few principal components (Sub-PCA on windows)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from tsprune.detect.standard import OwnDetector, rows_of, standard
from tsprune.model.subspace import CLIP, Subspace
from tsprune.params import check_choice, check_share

if TYPE_CHECKING:
    from tsprune.types import Floats

#: A variance counts as no smaller than this share of their mean: a direction without variance has not the whole say.
RIDGE = 0.01


class SubspaceDistance(OwnDetector):
    """Squared distance from the mean along principal components.

    Parameters
    ----------
    kind : "mahalanobis" or "residual"
        "mahalanobis" weighs every component by the inverse of its variance, as PyOD's PCA does; "residual" takes what the
        components that explain `explained` of the variance leave over.
    explained : float
        In (0, 1]; used by "residual".

    Attributes
    ----------
    part_ : Subspace

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.detect import SubspaceDistance
    >>> X = np.random.default_rng(0).normal(size=(500, 2)) * [1.0, 10.0]
    >>> one, other = SubspaceDistance().fit(X).anomaly_score(np.array([[5.0, 0.0], [0.0, 5.0]]))
    >>> bool(one > 20 * other)
    True
    """

    def __init__(self, kind: Literal["mahalanobis", "residual"] = "mahalanobis", explained: float = 0.9):
        self.kind = kind
        self.explained = explained

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the components of complete rows X, shape (n, d)."""
        check_choice(("mahalanobis", "residual"), kind=self.kind)
        share = check_share(explained=self.explained, way_out="For nine tenths of the variance, give 0.9.")
        rows = rows_of(X)
        centre, scale = standard(rows)
        z = np.clip((rows - centre) / scale, -CLIP, CLIP)
        z -= z.mean(axis=0)
        variances, directions = np.linalg.eigh(z.T @ z / len(z))
        self.n_features_in_ = rows.shape[1]
        self.part_ = Subspace(
            centre, scale, np.ascontiguousarray(directions, dtype=np.float32), self._weights(np.maximum(variances, 0.0), share)
        )
        return self

    def _weights(self, variances: Floats, share: float) -> Floats:
        """One weight per component, the least variance first."""
        mean = float(variances.mean())
        if self.kind == "mahalanobis":
            return 1.0 / (variances + RIDGE * mean + 1e-9)
        from_largest = np.cumsum(variances[::-1])
        n_left_out = int(np.searchsorted(from_largest, share * from_largest[-1]) + 1)
        weights = np.ones(len(variances))
        weights[max(1, len(variances) - n_left_out) :] = 0.0  # one component stays: an error of nothing is none
        return weights

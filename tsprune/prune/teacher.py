"""What the settings of a one-class SVM do to its scores, beside what a cut does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sklearn.base import clone

from tsprune.detect.boundary import to_boundary
from tsprune.kernels.agreement import spearman

if TYPE_CHECKING:
    from tsprune.model.boundary import Boundary
    from tsprune.types import Floats, Matrix

#: Settings that people choose between: the share of training rows outside, and multiples of the inverse squared width.
NUS, WIDTHS = (0.05, 0.3), (0.25, 4.0)


@dataclass(frozen=True)
class SettingsEffect:
    """How far a cut changes the order of rows, and how far other settings of the detector would.

    Parameters
    ----------
    cut : float
        Spearman correlation of the cut with the detector.
    settings : dict of str to float
        The same of the detector with another setting.
    """

    cut: float
    settings: dict[str, float]

    @property
    def matters_more(self) -> bool:
        """Whether some other setting changes the order more than the cut does."""
        return min(self.settings.values()) < self.cut

    def __str__(self) -> str:
        told = ", ".join(f"{setting} to {agreement:.3f}" for setting, agreement in self.settings.items())
        verdict = "nu and gamma matter more than this cut" if self.matters_more else "the cut matters more than nu and gamma"
        return f"the cut follows the detector to {self.cut:.3f}; {told}: {verdict}"


def settings_effect(detector: Any, cut: Boundary, X: Matrix, held: Matrix) -> SettingsEffect:
    """Compare what a cut changes with what other settings of a one-class SVM would; needs no labels.

    Parameters
    ----------
    detector : sklearn.svm.OneClassSVM or pyod.models.ocsvm.OCSVM
        Fitted; left as it is.
    cut : Boundary
    X : ndarray, shape (n_samples, n_features)
        The rows it was fitted on.
    held : ndarray, shape (n_held, n_features)
        Other rows, to compare scores on.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.svm import OneClassSVM
    >>> from tsprune.detect.boundary import to_boundary
    >>> from tsprune.prune.reduce import reduce
    >>> from tsprune.prune.teacher import settings_effect
    >>> X = np.random.default_rng(0).normal(size=(800, 3))
    >>> svm = OneClassSVM(nu=0.1).fit(X[:600])
    >>> cut = reduce(to_boundary(svm), X[:600], 16, random_state=0)
    >>> settings_effect(svm, cut, X[:600], X[600:]).matters_more
    True
    """
    whole = to_boundary(detector)
    scores = whole.anomaly_score(held)

    def agreement(**settings: float) -> float:
        changed = clone(detector).set_params(**settings).fit(X)
        other: Floats = to_boundary(changed).anomaly_score(held)
        return spearman(scores, other)

    settings = {f"nu={nu:g}": agreement(nu=nu) for nu in NUS if nu != detector.nu}
    settings |= {f"gamma x {width:g}": agreement(gamma=width * whole.gamma) for width in WIDTHS}
    return SettingsEffect(spearman(scores, cut.anomaly_score(held)), settings)

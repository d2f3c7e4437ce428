"""Before a one-class SVM is cut: learn it from a sample where there are very many rows, and see what its settings do.

The time a one-class SVM takes to learn grows with the square of the rows; its score is an average over them, which a
sample estimates well.  How well is measured: by a second teacher, learned from other rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone

from tsprune.detect.boundary import to_boundary
from tsprune.kernels.agreement import spearman
from tsprune.params import check_count

if TYPE_CHECKING:
    from tsprune.model.boundary import Boundary
    from tsprune.types import Floats, Matrix

#: Rows that a sampled teacher learns from, and held-out rows that judge it.
SAMPLE, JUDGES = 10_000, 5_000
#: Settings that people choose between: the share of training rows outside, and multiples of the inverse squared width.
NUS, WIDTHS = (0.05, 0.3), (0.25, 4.0)


@dataclass(frozen=True)
class SampledTeacher:
    """A detector learned from some of the rows.

    Parameters
    ----------
    detector : estimator
        Fitted on the sample.
    boundary : Boundary
        Its part of a model.
    n_rows : int
        Rows in the sample.
    fidelity : float
        Spearman correlation, on rows in neither sample, with a detector learned from a second sample of other rows: how far the
        score hangs on which rows were drawn.  1 where all rows were used.
    """

    detector: Any
    boundary: Boundary
    n_rows: int
    fidelity: float

    def __str__(self) -> str:
        return (
            f"learned from {self.n_rows:,} rows; a second sample of other rows orders new rows the same to {self.fidelity:.4f} (Spearman)"
        )


def sampled_teacher(detector: Any, X: Matrix, *, n_rows: int = SAMPLE, random_state: int | None = None) -> SampledTeacher:
    """Learn a one-class SVM from a random sample of the rows.

    Parameters
    ----------
    detector : sklearn.svm.OneClassSVM or pyod.models.ocsvm.OCSVM
        Left as it is; a clone is fitted.
    X : ndarray, shape (n_samples, n_features)
    n_rows : int
        Rows of the sample; all of them where there are no more.
    random_state : int or None

    Raises
    ------
    NotPrunable
        If the detector is no one-class SVM with an RBF kernel.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.svm import OneClassSVM
    >>> from tsprune.prune.teacher import sampled_teacher
    >>> X = np.random.default_rng(0).normal(size=(20_000, 3))
    >>> teacher = sampled_teacher(OneClassSVM(nu=0.1), X, n_rows=2_000, random_state=0)
    >>> teacher.n_rows, teacher.fidelity > 0.7
    (2000, True)
    """
    check_count(n_rows=n_rows, low=2)
    if len(X) <= n_rows:
        fitted = clone(detector).fit(X)
        return SampledTeacher(fitted, to_boundary(fitted), len(X), 1.0)
    order = np.random.default_rng(random_state).permutation(len(X))
    first, rest = order[:n_rows], order[n_rows:]
    judges = rest[-min(JUDGES, -(-len(rest) // 2)) :]
    second = rest[: min(n_rows, len(rest) - len(judges))]
    fitted = clone(detector).fit(X[np.sort(first)])
    boundary = to_boundary(fitted)
    if len(second) < 2:
        return SampledTeacher(fitted, boundary, n_rows, float("nan"))
    other = to_boundary(clone(detector).fit(X[np.sort(second)]))
    return SampledTeacher(fitted, boundary, n_rows, spearman(boundary.anomaly_score(X[judges]), other.anomaly_score(X[judges])))


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

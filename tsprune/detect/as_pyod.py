"""Ours behind PyOD's face: for code that expects a PyOD detector, such as darts, aeon, or a script that you have.

This module alone inherits from PyOD, which takes seconds to import: it is loaded when `tsp.as_pyod` is first used.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pyod.models.base import BaseDetector
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from tsprune.errors import BadParameter, BadSeries
from tsprune.model import Model
from tsprune.params import check_number
from tsprune.series.rows import model_scores

if TYPE_CHECKING:
    from tsprune.types import Floats, Ints


def as_pyod(model: Any, contamination: float | None = None) -> AsPyod:
    """Show a pipeline, a `Pruned` or a model as a PyOD detector.

    A pipeline that is fitted stays so: `decision_scores_`, `labels_` and `threshold_` are those of its history.  `fit(X)` fits a
    clone; a frozen model cannot learn, and `fit(X)` gives it the scores and labels of X.

    Parameters
    ----------
    model : Pipeline, Pruned or Model
    contamination : float, optional
        Share of the training rows above the threshold, in (0, 0.5], as PyOD has it.  Without, the threshold is the model's
        own: not a tenth of the rows whatever they are.

    Returns
    -------
    AsPyod
        A `pyod.models.base.BaseDetector`: rows of shape (n, d) in, one score each out, higher = more anomalous.  A DataFrame
        keeps its times; the rows of an array are counted from 0, which suits detectors without signal stages.  A row that has
        no score, such as the first ones of a window, gets the lowest score of the training rows.

    Raises
    ------
    BadParameter
        If `model` is none of these, or `contamination` is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> import tsprune as tsp
    >>> from tsprune.detect.as_pyod import as_pyod
    >>> X = np.random.default_rng(0).normal(size=(400, 3))
    >>> detector = as_pyod(tsp.Pruned("iforest", keep=0.25, guard=None, random_state=0), contamination=0.05).fit(X)
    >>> int(detector.labels_.sum()), detector.predict_proba(X[:2]).shape
    (20, (2, 2))
    """
    if not hasattr(model, "anomaly_score"):
        raise BadParameter(f"model is {model!r}; it is a Pipeline, a Pruned or a Model of tsprune.")
    detector = AsPyod(model, contamination)
    if hasattr(model, "history_"):
        return detector._judged(model, model.history_)
    if isinstance(model, Model):
        detector.fitted_, detector.threshold_ = model, _limit(model)
    return detector


class AsPyod(BaseDetector):
    """A pipeline, a `Pruned` or a model as a PyOD detector; see `as_pyod`."""

    def __init__(self, model: Any, contamination: float | None = None):
        self.model = model
        self.contamination = contamination

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from rows, shape (n, d); `y` is not used."""
        fitted = self.model if isinstance(self.model, Model) else clone(self.model).fit(X)
        return self._judged(fitted, X)

    def decision_function(self, X: Any) -> Floats:
        """Score rows, shape (n,); higher = more anomalous."""
        check_is_fitted(self, "fitted_")
        return self._known(_scores(self.fitted_, X))

    def predict(self, X: Any, return_confidence: bool = False) -> Any:
        """Label rows, shape (n,): 1 above `threshold_`, else 0; with PyOD's confidence where asked for."""
        check_is_fitted(self, "threshold_")
        labels: Ints = (self.decision_function(X) > self.threshold_).astype(int)
        return (labels, self.predict_confidence(X)) if return_confidence else labels

    def predict_proba(self, X: Any, method: str = "linear", return_confidence: bool = False) -> Any:
        """PyOD's probabilities of the labels 0 and 1, shape (n, 2)."""
        return super().predict_proba(X if hasattr(X, "shape") else np.asarray(X), method, return_confidence)

    def predict_confidence(self, X: Any) -> Floats:
        """How sure PyOD's rule is that other training rows would have led to the same labels."""
        return BaseDetector.predict_confidence(self._counted(), X)

    def predict_with_rejection(
        self, X: Any, T: float = 32, return_stats: bool = False, delta: float = 0.1, c_fp: float = 1, c_fn: float = 1, c_r: float = -1
    ) -> Any:
        """Labels 0 and 1, and -2 where PyOD's rule is not sure enough."""
        return BaseDetector.predict_with_rejection(self._counted(), X, T, return_stats, delta, c_fp, c_fn, c_r)

    def compute_rejection_stats(
        self, T: float = 32, delta: float = 0.1, c_fp: float = 1, c_fn: float = 1, c_r: float = -1, verbose: bool = False
    ) -> Any:
        """Expected rate of rejections, and upper bounds of the rate and of the cost."""
        return BaseDetector.compute_rejection_stats(self._counted(), T, delta, c_fp, c_fn, c_r, verbose)

    def _judged(self, fitted: Any, X: Any) -> Self:
        """What is learned, with scores, threshold and labels of the training rows."""
        if self.contamination is not None:
            check_number(contamination=self.contamination, low=0.0, high=0.5, open_low=True)
        scores = _scores(fitted, X)
        if np.isnan(scores).all():
            raise BadSeries("no row of X has a score: every window misses a value. Give more rows or fill the gaps.")
        self._set_n_classes(None)
        self.fitted_ = fitted
        self.n_features_in_ = np.shape(X)[1] if np.ndim(X) > 1 else 1
        self.decision_scores_: Floats = np.where(np.isnan(scores), np.nanmin(scores), scores)
        if self.contamination is None:
            self._mu, self._sigma = float(self.decision_scores_.mean()), float(self.decision_scores_.std())
            self.threshold_ = _limit(fitted)
            self.labels_: Ints = (self.decision_scores_ > self.threshold_).astype(int)
        else:
            self._process_decision_scores()
        return self

    def _known(self, scores: Floats) -> Floats:
        quiet = self.decision_scores_.min() if hasattr(self, "decision_scores_") else -np.inf
        return np.where(np.isnan(scores), quiet, scores)

    def _counted(self) -> Self:
        """For PyOD's formulas, which count with a contamination: the share that is above the threshold."""
        check_is_fitted(self, ["decision_scores_", "threshold_", "labels_"])
        if self.contamination is not None:
            return self
        twin = copy(self)
        twin.contamination = max(float(np.mean(self.labels_)), 1 / len(self.labels_))
        return twin


def _limit(fitted: Any) -> float:
    """The threshold of a pipeline, a `Pruned` or a model, where each row by itself is above it or not."""
    level = getattr(getattr(fitted, "model_", fitted), "level", None)
    if level is not None and level.lookback:
        raise BadParameter(
            "the model's threshold looks back on other scores (min_length or recalibrate), and PyOD knows one number. "
            "Give as_pyod a contamination, or leave these out of the Threshold."
        )
    return float(fitted.threshold if isinstance(fitted, Model) else fitted.threshold_)


def _scores(fitted: Any, X: Any) -> Floats:
    return model_scores(fitted, X) if isinstance(fitted, Model) else np.asarray(fitted.anomaly_score(X), dtype=np.float64)

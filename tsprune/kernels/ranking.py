"""Metrics of the order of single rows: average precision, ROC AUC, best F1.

Only the scores within events matter as thresholds: between two of them, one more predicted row is one more false alarm.  So
each metric is a few sums over the positives, counted in the two sorted arrays of `Labelled`, and needs no argsort.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels.labelled import Labelled

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from tsprune.types import Floats, Ints


def average_precision(labels: ArrayLike, scores: ArrayLike) -> float:
    """Mean precision over the rows within events, each at its own score as threshold (AUC-PR).

    Parameters
    ----------
    labels : array_like of 0/1 or bool, shape (n_samples,)
    scores : array_like of float, shape (n_samples,)
        Higher = more anomalous.  NaN: not scored, never predicted; such a row within an event counts as missed.

    Returns
    -------
    float
        In [0, 1].  A random score gets about the share of anomalous rows.  NaN without an event.

    Raises
    ------
    BadParameter
        If labels are not 0 or 1, or the lengths differ.

    Source
    ------
    ``sklearn.metrics.average_precision_score`` (equal values; it gives 0 without an event).

    Examples
    --------
    >>> from tsprune.metrics import average_precision
    >>> average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.8333333333333333
    """
    return mean_precision(Labelled.of(labels, scores))


def roc_auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Chance that a row within an event scores higher than a row outside; ties count half.

    Parameters
    ----------
    labels : array_like of 0/1 or bool, shape (n_samples,)
    scores : array_like of float, shape (n_samples,)
        Higher = more anomalous.  NaN: not scored, below every scored row, equal among themselves.

    Returns
    -------
    float
        In [0, 1].  A random score gets 0.5.  NaN without an event, or without a normal row.

    Raises
    ------
    BadParameter
        If labels are not 0 or 1, or the lengths differ.

    Source
    ------
    ``sklearn.metrics.roc_auc_score`` (equal values).

    Examples
    --------
    >>> from tsprune.metrics import roc_auc
    >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    return share_of_ordered_pairs(Labelled.of(labels, scores))


def best_f1(labels: ArrayLike, scores: ArrayLike) -> float:
    """Largest point-wise F1 over all thresholds, the labels being known: an upper bound, not a forecast.

    Parameters
    ----------
    labels : array_like of 0/1 or bool, shape (n_samples,)
    scores : array_like of float, shape (n_samples,)
        Higher = more anomalous.  NaN: not scored, never predicted.

    Returns
    -------
    float
        In [0, 1].  A random score gets at least 2 p / (1 + p) with p the share of anomalous rows: predict every row.
        NaN without an event.

    Raises
    ------
    BadParameter
        If labels are not 0 or 1, or the lengths differ.

    Source
    ------
    The largest F1 on ``sklearn.metrics.precision_recall_curve`` (equal values).

    Examples
    --------
    >>> from tsprune.metrics import best_f1
    >>> best_f1([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.8
    """
    return best_threshold(Labelled.of(labels, scores))[0]


def mean_precision(case: Labelled) -> float:
    """Average precision of labels and scores."""
    if case.n_positive == 0:
        return float("nan")
    hits, predicted = _counts(case)
    return float(np.sum(hits / predicted)) / case.n_positive


def share_of_ordered_pairs(case: Labelled) -> float:
    """ROC AUC of labels and scores."""
    if case.n_positive == 0 or case.n_negative == 0:
        return float("nan")
    everywhere = _midranks(case.ascending, case.positives)
    within = _midranks(case.positives, case.positives)
    n_unscored = case.n_negative - (len(case.ascending) - len(case.positives))
    n_missed = case.n_positive - len(case.positives)
    ordered = np.sum(everywhere - within) + (len(case.positives) + n_missed / 2) * n_unscored
    return float(ordered / (case.n_positive * case.n_negative))


def best_threshold(case: Labelled) -> tuple[float, float]:
    """The largest F1, and the highest threshold (score >= threshold) that gives it; infinite where nothing is worth predicting."""
    if case.n_positive == 0 or len(case.positives) == 0:
        return (float("nan") if case.n_positive == 0 else 0.0), float("inf")
    hits, predicted = _counts(case)
    f1 = 2.0 * hits / (case.n_positive + predicted)
    best = len(f1) - 1 - int(np.argmax(f1[::-1]))
    return float(f1[best]), float(case.positives[best])


def _counts(case: Labelled) -> tuple[Ints, Ints]:
    """Rows within events, and all rows, that are predicted at the score of each positive."""
    hits = len(case.positives) - np.searchsorted(case.positives, case.positives, "left")
    return hits, case.n_predicted(case.positives)


def _midranks(ascending: Floats, values: Floats) -> Floats:
    """How many of the sorted numbers lie below each value, equal ones counted half."""
    return (np.searchsorted(ascending, values, "left") + np.searchsorted(ascending, values, "right")) / 2

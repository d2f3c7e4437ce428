"""Metrics that count an event as found when one of its rows is predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels.labelled import harmonic, paired_masks, runs

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from tsprune.types import Mask


def event_f1(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Harmonic mean of event recall and point precision (composite F1).

    Event recall is the share of events with a predicted row, point precision the share of predicted rows that lie in events.

    Parameters
    ----------
    labels, predictions : array_like of 0/1 or bool, shape (n_samples,)

    Returns
    -------
    float
        In [0, 1]; 0 where nothing is predicted.  Random predictions of many rows touch every event, at a precision of the share
        p of anomalous rows: about 2 p / (1 + p).  NaN without an event.

    Raises
    ------
    BadParameter
        If a value is not 0 or 1, or the lengths differ.

    Source
    ------
    Garg et al., An evaluation of anomaly detection and diagnosis in multivariate time series, 2021 (Fc); ``Event-based-F1`` of
    TSB-AD.  The event F1 of other papers differs.

    Examples
    --------
    >>> from tsprune.metrics import event_f1
    >>> event_f1([0, 1, 1, 1, 0, 0, 1, 0], [0, 0, 1, 0, 0, 0, 1, 1])
    0.8
    """
    truth, predicted = paired_masks(labels, predictions)
    return composite_f1(truth, predicted)


def point_adjusted_f1(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Point-wise F1 after every event with one predicted row counts as wholly predicted.  It flatters: report it never alone.

    Parameters
    ----------
    labels, predictions : array_like of 0/1 or bool, shape (n_samples,)

    Returns
    -------
    float
        In [0, 1]; 0 where nothing is predicted.  NaN without an event.

    Raises
    ------
    BadParameter
        If a value is not 0 or 1, or the lengths differ.

    Notes
    -----
    A long event is almost surely touched by chance, and then all its rows are credited.  Predictions drawn at random, 2 %
    of the rows, look like a good detector:

    >>> import numpy as np
    >>> from tsprune.metrics import event_f1, point_adjusted_f1
    >>> labels = np.zeros(10_000, bool)
    >>> for start in (1000, 4000, 8000):
    ...     labels[start : start + 400] = True
    >>> at_random = np.random.default_rng(0).random(10_000) < 0.02
    >>> round(point_adjusted_f1(labels, at_random), 2), round(event_f1(labels, at_random), 2)
    (0.93, 0.2)

    Source
    ------
    Xu et al., Unsupervised anomaly detection via variational auto-encoder, WWW 2018; its trap: Kim et al., Towards a rigorous
    evaluation of time-series anomaly detection, AAAI 2022.

    Examples
    --------
    >>> from tsprune.metrics import point_adjusted_f1
    >>> point_adjusted_f1([0, 1, 1, 1, 1, 0], [0, 0, 0, 1, 0, 0])
    1.0
    """
    truth, predicted = paired_masks(labels, predictions)
    return adjusted_f1(truth, predicted)


def composite_f1(truth: Mask, predicted: Mask) -> float:
    """Event recall and point precision, as one number."""
    events = runs(truth)
    if len(events) == 0:
        return float("nan")
    hits = events.count(predicted)
    recall = np.count_nonzero(hits) / len(events)
    precision = hits.sum() / max(np.count_nonzero(predicted), 1)
    return float(harmonic(precision, recall))


def adjusted_f1(truth: Mask, predicted: Mask) -> float:
    """F1 with touched events counted as wholly predicted."""
    events = runs(truth)
    if len(events) == 0:
        return float("nan")
    hits = events.count(predicted)
    found = events.lengths[hits > 0].sum()
    false = np.count_nonzero(predicted) - hits.sum()
    return float(2.0 * found / (found + false + events.lengths.sum()))

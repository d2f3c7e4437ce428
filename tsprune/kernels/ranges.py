"""Precision and recall of ranges: events and predicted runs judged as wholes, by overlap, position and number of pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels.labelled import PrecisionRecall, Runs, harmonic, paired_masks, ranges, runs
from tsprune.params import check_choice, check_number

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from tsprune.types import Floats, Ints, Mask

BIASES = ("flat", "front", "middle", "back")
CARDINALITIES = ("reciprocal", "one")


def range_precision_recall(
    labels: ArrayLike, predictions: ArrayLike, *, alpha: float = 0.0, bias: str = "flat", cardinality: str = "reciprocal"
) -> PrecisionRecall:
    """Range-based precision, recall and F1.

    An event scores alpha x [touched] + (1 - alpha) x g(k) x (weight of its predicted rows / weight of its rows), where k predicted
    runs touch it.  Recall is the mean over events.  Precision is the mean over predicted runs of the same with events and
    predicted runs exchanged and alpha 0.

    Parameters
    ----------
    labels, predictions : array_like of 0/1 or bool, shape (n_samples,)
    alpha : float
        The share, in [0, 1], that an event gets for being touched at all.
    bias : {"flat", "front", "middle", "back"}
        Which rows of a range weigh most: none, the first, the middle ones, the last.
    cardinality : {"reciprocal", "one"}
        What k pieces cost: g(k) = 1 / k, or nothing.

    Returns
    -------
    PrecisionRecall
        ``.precision``, ``.recall``, ``.f1``, each in [0, 1].  Nothing predicted: precision is NaN, recall and F1 are 0.  All NaN
        without an event.

    Raises
    ------
    BadParameter
        If a value is not 0 or 1, the lengths differ, or a parameter is outside its range.

    Source
    ------
    Tatbul et al., Precision and recall for time series, NeurIPS 2018 (values of the package prts).

    Examples
    --------
    >>> from tsprune.metrics import range_precision_recall
    >>> range_precision_recall([0, 1, 1, 1, 1, 0], [0, 1, 0, 1, 0, 0])
    PrecisionRecall(precision=1.0, recall=0.25, f1=0.4)
    """
    check_number(alpha=alpha, low=0.0, high=1.0)
    check_choice(BIASES, bias=bias)
    check_choice(CARDINALITIES, cardinality=cardinality)
    truth, predicted = paired_masks(labels, predictions)
    events, alarms = runs(truth), runs(predicted)
    if len(events) == 0:
        return PrecisionRecall(float("nan"), float("nan"), float("nan"))
    recall = float(_credit(events, predicted, alpha, bias, cardinality).mean())
    if len(alarms) == 0:
        return PrecisionRecall(float("nan"), recall, 0.0)
    precision = float(_credit(alarms, truth, 0.0, bias, cardinality).mean())
    return PrecisionRecall(precision, recall, float(harmonic(precision, recall)))


def _credit(ranges_: Runs, other: Mask, alpha: float, bias: str, cardinality: str) -> Floats:
    """What each range gets for its overlap with the runs of another mask."""
    rows = ranges(ranges_.first, ranges_.stop)
    starts = np.cumsum(ranges_.lengths) - ranges_.lengths
    length = np.repeat(ranges_.lengths, ranges_.lengths)
    position = np.arange(len(rows)) - np.repeat(starts, ranges_.lengths) + 1
    weight = _weight(position, length, bias)
    covered = other[rows]
    overlap = np.add.reduceat(weight * covered, starts) / np.add.reduceat(weight, starts)
    pieces = np.add.reduceat(covered & ((position == 1) | ~other[rows - 1]), starts, dtype=np.int64)
    factor = 1.0 / np.maximum(pieces, 1) if cardinality == "reciprocal" else 1.0
    return alpha * (pieces > 0) + (1.0 - alpha) * factor * overlap


def _weight(position: Ints, length: Ints, bias: str) -> Ints:
    """Weight of the rows of ranges; positions count from 1."""
    from_end = length - position + 1
    if bias == "flat":
        return np.ones_like(position)
    if bias == "middle":
        return np.where(2 * position <= length, position, from_end)
    return from_end if bias == "front" else position

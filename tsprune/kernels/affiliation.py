"""Affiliation: how near the predictions are to the events, and the events to the predictions, per event and against chance.

The arithmetic is in `tsprune.kernels.zones`; here thresholds become precision, recall and F1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels.labelled import Labelled, PrecisionRecall, Runs, harmonic, paired_masks, runs, steps
from tsprune.kernels.zones import Pieces, ZonePrecision, Zones, zone_recall
from tsprune.params import check_count

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from tsprune.types import Floats

#: Rows are visited in blocks of so many: they stay in the cache, and memory does not grow with their number.
BLOCK = 2**13


def affiliation(labels: ArrayLike, predictions: ArrayLike) -> PrecisionRecall:
    """Affiliation precision, recall and F1 of predicted rows.

    Row i is the interval [i, i + 1).  Each event owns the zone that reaches to the middle of the gaps beside it.  Precision
    is the mean over predicted points of the share of the zone that is at least as far from the event; recall the mean over
    points of the event of the chance that a random point of the zone is at least as far as the nearest prediction.

    Parameters
    ----------
    labels, predictions : array_like of 0/1 or bool, shape (n_samples,)

    Returns
    -------
    PrecisionRecall
        ``.precision`` (mean over zones with a prediction), ``.recall`` (mean over all zones), ``.f1``, each in [0, 1].  Random
        predictions get a precision of about 0.5 and, if they are many, a recall near 1.  Nothing predicted: precision
        and F1 are NaN, recall is 0.  All NaN without an event.

    Raises
    ------
    BadParameter
        If a value is not 0 or 1, or the lengths differ.

    Source
    ------
    Huet, Navarro & Rossi, Local evaluation of time series anomaly detection algorithms, KDD 2022.

    Examples
    --------
    >>> from tsprune.metrics import affiliation
    >>> near = affiliation([0, 0, 0, 1, 1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 0, 0, 0, 0])
    >>> round(near.precision, 3), round(near.recall, 3), round(near.f1, 3)
    (0.7, 0.8, 0.747)
    """
    truth, predicted = paired_masks(labels, predictions)
    precision, recall, f1 = curves(runs(truth), predicted.astype(np.float64), np.zeros(1))
    return PrecisionRecall(float(precision[0]), float(recall[0]), float(f1[0]))


def affiliation_best_f1(labels: ArrayLike, scores: ArrayLike, *, thresholds: int = 100) -> float:
    """Largest affiliation F1 over evenly spaced thresholds, the labels being known: an upper bound, not a forecast.

    Parameters
    ----------
    labels : array_like of 0/1 or bool, shape (n_samples,)
    scores : array_like of float, shape (n_samples,)
        Higher = more anomalous.  NaN: not scored, never predicted.
    thresholds : int
        How many, from the smallest to the largest finite score; rows with score > threshold are predicted.

    Returns
    -------
    float
        In [0, 1].  A random score gets about 0.68.  NaN without an event, and where no threshold predicts anything
        (a constant score).

    Raises
    ------
    BadParameter
        If labels are not 0 or 1, the lengths differ, or `thresholds` is not at least 1.

    Source
    ------
    Huet, Navarro & Rossi, KDD 2022, with the thresholds of TSB-AD.  One large score leaves all others below the first
    thresholds: the result then says little.

    Examples
    --------
    >>> from tsprune.metrics import affiliation_best_f1
    >>> round(affiliation_best_f1([0, 0, 1, 1, 0, 0], [0.1, 0.2, 0.9, 0.8, 0.5, 0.1]), 6)
    1.0
    """
    return best_over_grid(Labelled.of(labels, scores), thresholds)


def best_over_grid(case: Labelled, thresholds: int = 100) -> float:
    """Largest affiliation F1 over thresholds between the smallest and the largest finite score."""
    f1 = curves(case.events, case.scores, linear_grid(case.scores, thresholds))[2]
    return float(np.fmax.reduce(f1))


def linear_grid(scores: Floats, thresholds: int) -> Floats:
    """Evenly spaced thresholds between the smallest and the largest finite score, in descending order."""
    finite = scores[np.isfinite(scores)]
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 0.0)
    grid = 2.0 * np.linspace(low / 2, high / 2, check_count(thresholds=thresholds))  # halves: the span may exceed every float
    return grid[::-1]


def curves(events: Runs, scores: Floats, thresholds: Floats) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and F1 when rows with score > threshold are predicted, per descending threshold."""
    n_steps = len(thresholds)
    if len(events) == 0:
        precision, recall = np.full((2, n_steps), np.nan)
        return precision, recall, precision
    zones = Zones.of(events, len(scores))
    worth, splitting = ZonePrecision(zones, n_steps), []
    for start in range(0, len(scores), BLOCK):
        step = steps(scores[start : start + BLOCK], thresholds, strict=True)
        predicted = np.flatnonzero(step < n_steps)
        pieces = zones.pieces(start + predicted, step[predicted])
        worth.add(pieces)
        splitting.append(pieces.taken(zones.may_split(pieces, n_steps)))
    precision, recall = worth.mean(), zone_recall(zones, Pieces.joined(splitting), n_steps)
    return precision, recall, harmonic(precision, recall)

"""Volume under the surface: areas under ROC and PR curves with buffered labels, over all buffer widths.

The definition asks, for each of W + 1 windows and 250 thresholds, how much buffered label the predicted rows carry, and which
share of the grown events they touch.  `tsprune.kernels.buffers` counts both; here they become curves.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels.buffers import Near, Weights, rows_near, segment_steps
from tsprune.kernels.labelled import Labelled
from tsprune.params import check_count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike

    from tsprune.kernels.buffers import Counts
    from tsprune.types import Floats, Ints

#: The curves of so many (window, threshold) pairs at a time: they stay in the cache.
BLOCK = 2**13

#: Thresholds are taken so many at a time, or as many as a table of rows by distance and threshold of so many cells allows:
#: memory does not grow with their number.
N_STEPS, TABLE = 2048, 2**18


def vus_pr(labels: ArrayLike, scores: ArrayLike, *, buffer: int, thresholds: int | None = 250) -> float:
    """Volume under the precision-recall surface (VUS-PR): the mean of the areas over the windows 0, 1, ..., `buffer`.

    For a window w, labels get ramps sqrt(1 - d / w) at the distances d = 1 ... w // 2 from an event, and recall is multiplied
    by the share of (merged, grown) events with a prediction.

    Parameters
    ----------
    labels : array_like of 0/1 or bool, shape (n_samples,)
    scores : array_like of float, shape (n_samples,)
        Higher = more anomalous.  NaN: not scored, never predicted.
    buffer : int
        The widest window, in samples, at least 0; of the order of the event length.  Where buffers fill the gaps between
        events, every score gets a high value: see `tsprune.metrics.chance`.
    thresholds : int or None
        How many of the sorted scores are thresholds, evenly spaced (250 in the literature); None: every one.

    Returns
    -------
    float
        In [0, 1].  NaN without an event, or without a normal row.

    Raises
    ------
    BadParameter
        If labels are not 0 or 1, the lengths differ, or `buffer` or `thresholds` is no such number.

    Source
    ------
    Paparrizos et al., Volume under the surface, PVLDB 15(11), 2022; as in TSB-AD, ``generate_curve(..., "opt", 250)``.  Packages
    with other buffers or thresholds (aeon) give other numbers under this name.

    Examples
    --------
    >>> from tsprune.metrics import vus_pr
    >>> round(vus_pr([0, 0, 1, 1, 0, 0, 0, 0], [0, 0, 0, 3, 2, 1, 0, 0], buffer=4), 4)
    0.7669
    """
    return float(volumes(Labelled.of(labels, scores), _windows(buffer), thresholds)[1].mean())


def vus_roc(labels: ArrayLike, scores: ArrayLike, *, buffer: int, thresholds: int | None = 250) -> float:
    """Volume under the ROC surface (VUS-ROC): the mean of the areas over the windows 0, 1, ..., `buffer`.

    Parameters, errors and source are those of `vus_pr`.

    Returns
    -------
    float
        In [0, 1].  A random score gets 0.5 or more, the more the wider the buffer.  NaN without an event, or without a normal row.

    Examples
    --------
    >>> from tsprune.metrics import vus_roc
    >>> round(vus_roc([0, 0, 1, 1, 0, 0, 0, 0], [0, 0, 0, 3, 2, 1, 0, 0], buffer=4), 4)
    0.8008
    """
    return float(volumes(Labelled.of(labels, scores), _windows(buffer), thresholds)[0].mean())


def range_auc_pr(labels: ArrayLike, scores: ArrayLike, *, buffer: int, thresholds: int | None = 250) -> float:
    """Area under the precision-recall curve for the one window `buffer`: a slice of the surface of `vus_pr`.

    Parameters, errors and source are those of `vus_pr`.  Not ``RangeAUC`` of the package vus, which counts buffers
    and averages precisions in another way.

    Returns
    -------
    float
        In [0, 1].  NaN without an event, or without a normal row.

    Examples
    --------
    >>> from tsprune.metrics import range_auc_pr
    >>> round(range_auc_pr([0, 0, 1, 1, 0, 0, 0, 0], [0, 0, 0, 3, 2, 1, 0, 0], buffer=4), 4)
    0.9325
    """
    return float(volumes(Labelled.of(labels, scores), _windows(buffer)[-1:], thresholds)[1][0])


def range_auc_roc(labels: ArrayLike, scores: ArrayLike, *, buffer: int, thresholds: int | None = 250) -> float:
    """Area under the ROC curve for the one window `buffer`: a slice of the surface of `vus_roc`.

    Parameters, errors and source are those of `vus_pr`.

    Returns
    -------
    float
        In [0, 1].  NaN without an event, or without a normal row.

    Examples
    --------
    >>> from tsprune.metrics import range_auc_roc
    >>> round(range_auc_roc([0, 0, 1, 1, 0, 0, 0, 0], [0, 0, 0, 3, 2, 1, 0, 0], buffer=4), 4)
    0.9607
    """
    return float(volumes(Labelled.of(labels, scores), _windows(buffer)[-1:], thresholds)[0][0])


def volumes(case: Labelled, windows: range, thresholds: int | None = 250) -> tuple[Floats, Floats]:
    """Areas under the ROC and the PR curve for each window of a rising range, each of shape (len(windows),)."""
    if thresholds is not None:
        check_count(thresholds=thresholds)
    if case.n_positive == 0 or case.n_negative == 0:
        return np.full(len(windows), np.nan), np.full(len(windows), np.nan)
    reach = min(windows[-1] // 2, len(case.labels))
    rows = rows_near(case.events, reach, len(case.labels))
    grid = _thresholds(case, rows, thresholds)
    near = Near.of(case.events, rows, case.scores, grid, reach)
    curves = _Curves(case, windows)
    size = max(N_STEPS, TABLE // (reach + 1))
    for start in range(0, len(grid), size):
        curves.extend(near, start, case.n_predicted(grid[start : start + size]))
    return curves.roc + (1.0 - curves.false) * (1.0 + curves.recall) / 2, curves.pr


def _windows(buffer: int) -> range:
    return range(check_count(buffer=buffer, low=0) + 1)


def _thresholds(case: Labelled, rows: Ints, thresholds: int | None) -> Floats:
    """Thresholds in descending order.

    For "every score", those at which a row near an event is first predicted, and the ones right before: from the one to
    the other only the false alarms grow, which is a straight line of the ROC curve and no step of the PR curve.
    """
    ascending = case.ascending
    if len(ascending) == 0:
        return ascending
    if thresholds is not None:
        picks = np.linspace(0, len(ascending) - 1, thresholds)
        return ascending[::-1][picks.astype(np.int64)]
    near = case.scores[rows]
    near = near[~np.isnan(near)]
    above = np.searchsorted(ascending, near, "right")
    before = ascending[above[above < len(ascending)]]
    return np.unique(np.concatenate([near, before, ascending[:1]]))[::-1]


class _Curves:
    """The ROC and PR curves of all windows so far: their areas, and the point each has come to."""

    def __init__(self, case: Labelled, windows: range) -> None:
        self.case, self.windows = case, windows
        self.inside = np.float64(0.0)
        self.outside, self.recall, self.false, self.roc, self.pr = np.zeros((5, len(windows)))

    def extend(self, near: Near, first: int, predicted: Ints) -> None:
        """Go on by the thresholds first, first + 1, ..., which predict so many rows."""
        n = len(predicted)
        within = np.bincount(near.step[near.nearest == 0], minlength=first + n)[first : first + n]
        inside = self.inside + np.cumsum(within)
        weights, segments = Weights(near, first, n), segment_steps(self.case.events, near)
        size = 2 * max(1, BLOCK // (2 * n))
        for start in range(0, self.windows.stop, size):
            stop = min(start + size, self.windows.stop)
            shares = _shares(islice(segments, (stop - start + 1) // 2), first, n)
            windows = np.arange(max(start, self.windows.start), stop)
            if len(windows):
                rows = slice(windows[0] - self.windows.start, stop - self.windows.start)
                outside = self.outside[rows, None] + np.cumsum(weights.of(windows), axis=1)
                self._advance(rows, inside, outside, shares[(windows - start) // 2], predicted)
        self.inside = np.float64(inside[-1])

    def _advance(self, rows: slice, inside: Floats, outside: Floats, share: Floats, predicted: Ints) -> None:
        """Add the areas of some windows; arrays of shape (n_windows, n_thresholds)."""
        hits = inside + outside
        positives = self.case.n_positive + outside / 2
        recall = np.minimum(hits / positives, 1.0) * share
        false = (predicted - hits) / (len(self.case.labels) - positives)
        before = np.column_stack([self.recall[rows], recall[:, :-1]])
        wider = np.diff(false, prepend=self.false[rows, None])
        self.roc[rows] += np.sum(wider * (recall + before), axis=1) / 2
        self.pr[rows] += np.sum((recall - before) * hits / predicted, axis=1)
        self.outside[rows], self.recall[rows], self.false[rows] = outside[:, -1], recall[:, -1], false[:, -1]


def _shares(segments: Iterator[Counts], first: int, n: int) -> Floats:
    """The share of segments with a prediction, per growth and threshold, from the threshold that first predicts in each."""
    touched = [np.bincount(np.minimum(np.maximum(step - first, 0), n), minlength=n + 1) / len(step) for step in segments]
    return np.cumsum(touched, axis=1)[:, :n]

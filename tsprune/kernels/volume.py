"""Volume under the surface: areas under ROC and PR curves with buffered labels, over all buffer widths.

The definition asks, for each of W + 1 windows and 250 thresholds, how much buffered label the predicted rows carry.  Three
facts make that cheap and keep it exact:

- rows further than W / 2 from every event carry no weight in any window: they are counted by the sort, and never visited;
- the weight up to each threshold is a cumulative histogram over the thresholds at which rows are first predicted;
- a ramp is at least sqrt(1/2) where it is not 0, so two ramps on one row always reach the cut at 1: the distances to the
  nearest and to the second nearest event say everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels.labelled import Labelled, Runs, ranges, steps
from tsprune.params import check_count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike

    from tsprune.types import Floats, Ints

#: Windows are evaluated in blocks of about so many (window, threshold) pairs: they stay in the cache.
BLOCK = 2**15

#: A distance that no series has.
_FAR = 2**48


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
    0.7675
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
    0.7878
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
    0.8884
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
    0.8766
    """
    return float(volumes(Labelled.of(labels, scores), _windows(buffer)[-1:], thresholds)[0][0])


def volumes(case: Labelled, windows: range, thresholds: int | None = 250) -> tuple[Floats, Floats]:
    """Areas under the ROC and the PR curve for each window of a rising range, each of shape (len(windows),)."""
    roc, pr = np.full((2, len(windows)), np.nan)
    if case.n_positive == 0 or case.n_negative == 0:
        return roc, pr
    reach = min(windows[-1] // 2, len(case.labels))
    rows, nearest, second = _near(case.events, reach, len(case.labels))
    grid = _thresholds(case, rows, thresholds)
    step = steps(case.scores[rows], grid, strict=False)
    surface = _Surface(case, rows, nearest, second, step, len(grid))
    predicted = case.n_predicted(grid)
    size = max(1, BLOCK // max(len(grid), 1))
    slices = surface.slices(windows)
    for start in range(0, len(windows), size):
        block = slice(start, min(start + size, len(windows)))
        outside, share = np.empty((2, block.stop - block.start, len(grid)))
        for row in range(len(outside)):
            outside[row], share[row] = next(slices)
        roc[block], pr[block] = _areas(case, surface.inside, outside, share, predicted)
    return roc, pr


def _windows(buffer: int) -> range:
    return range(check_count(buffer=buffer, low=0) + 1)


def _near(events: Runs, reach: int, n: int) -> tuple[Ints, Ints, Ints]:
    """Rows in or within `reach` of an event, ascending; their distance to the nearest event, and to the second nearest one."""
    segment = _segments(events, reach)
    ends = np.concatenate([segment[1:], [len(events)]]) - 1
    rows = ranges(np.maximum(events.first[segment] - reach, 0), np.minimum(events.last[ends] + reach, n - 1) + 1)
    before = np.concatenate([[-_FAR, -_FAR], events.last])
    after = np.concatenate([events.first, [_FAR, _FAR]])
    event = np.searchsorted(events.first, rows, "right")  # events that have begun
    left, right = rows - before[event + 1], after[event] - rows
    others = np.minimum(rows - before[event], after[event + 1] - rows)
    return rows, np.maximum(np.minimum(left, right), 0), np.minimum(np.maximum(left, right), others)


def _segments(events: Runs, growth: int) -> Ints:
    """The first event of each segment, when events grown by so many rows on both sides are merged where they meet."""
    apart = events.first[1:] - events.last[:-1] > 2 * growth
    return np.concatenate([[0], np.flatnonzero(apart) + 1])


def _thresholds(case: Labelled, rows: Ints, thresholds: int | None) -> Floats:
    """Thresholds in descending order.

    For "every score", those at which a row near an event is first predicted, and the ones right before: from the one to
    the other only the false alarms grow, which is a straight line of the ROC curve and no step of the PR curve.
    """
    ascending = case.ascending
    if len(ascending) == 0:
        return ascending
    if thresholds is not None:
        count = check_count(thresholds=thresholds)
        return ascending[::-1][np.linspace(0, len(ascending) - 1, count).astype(np.int64)]
    near = case.scores[rows]
    near = near[~np.isnan(near)]
    above = np.searchsorted(ascending, near, "right")
    before = ascending[above[above < len(ascending)]]
    return np.unique(np.concatenate([near, before, ascending[:1]]))[::-1]


@dataclass(frozen=True)
class _Surface:
    """Weights and touched segments per threshold, window by window."""

    case: Labelled
    rows: Ints
    nearest: Ints
    second: Ints
    step: Ints  # the threshold that first predicts a row
    n_thresholds: int

    @property
    def inside(self) -> Floats:
        """Predicted rows within events, per threshold."""
        return self._cumulated(self.step[self.nearest == 0], None)

    def slices(self, windows: range) -> Iterator[tuple[Floats, Floats]]:
        """Per window: the weight of predicted rows outside events, and the share of segments with a prediction, per threshold."""
        order = np.argsort(self.nearest, kind="stable")
        order = order[np.count_nonzero(self.nearest == 0) :]
        nearest, second, step = self.nearest[order], self.second[order], self.step[order]
        within = np.searchsorted(nearest, np.arange(windows[-1] // 2 + 1), "right")
        for growth, share in enumerate(self._shares(windows[-1] // 2)):
            near = slice(0, within[growth])
            sure = np.flatnonzero(second[near] <= growth)
            for window in (2 * growth, 2 * growth + 1):
                if window in windows:
                    ramp = np.sqrt(1.0 - np.arange(growth + 1) / max(window, 1))
                    weight = ramp[nearest[near]]
                    weight[sure] = 1.0
                    yield self._cumulated(step[near], weight), share

    def _shares(self, growth: int) -> Iterator[Floats]:
        """The share of segments with a prediction per threshold, for events grown by 0, 1, ... rows."""
        events, n = self.case.events, len(self.case.labels)
        first, last = np.searchsorted(self.rows, events.first), np.searchsorted(self.rows, events.last)
        best = np.minimum.reduceat(np.where(self.nearest == 0, self.step, self.n_thresholds), first)
        for grown in range(growth + 1):
            left, right = np.flatnonzero(events.first >= grown), np.flatnonzero(events.last < n - grown)
            best[left] = np.minimum(best[left], self.step[first[left] - grown])
            best[right] = np.minimum(best[right], self.step[last[right] + grown])
            touched = np.minimum.reduceat(best, _segments(events, grown))
            yield self._cumulated(touched, None) / len(touched)

    def _cumulated(self, step: Ints, weight: Floats | None) -> Floats:
        return np.cumsum(np.bincount(step, weight, self.n_thresholds + 1)[:-1], dtype=np.float64)


def _areas(case: Labelled, inside: Floats, outside: Floats, share: Floats, predicted: Ints) -> tuple[Floats, Floats]:
    """Areas under the ROC and the PR curve of some windows; arrays of shape (n_windows, n_thresholds)."""
    hits = inside + outside
    positives = case.n_positive + outside / 2
    recall = np.minimum(hits / positives, 1.0) * share
    false = (predicted - hits) / (len(case.labels) - positives)
    pr = np.sum(np.diff(recall, prepend=0.0, axis=1) * hits / predicted, axis=1)
    recall, false = (np.pad(curve, ((0, 0), (1, 1)), constant_values=((0, 0), (0.0, 1.0))) for curve in (recall, false))
    return np.trapezoid(recall, false, axis=1), pr

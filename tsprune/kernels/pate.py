"""PATE: proximity-aware evaluation, an area under a precision-recall curve with graded credit around and within events.

What a predicted row adds to the true positives does not depend on the threshold, but for rows before an event: they
count from the threshold on at which the event itself is found.  So true positives are cumulative histograms, and true and false ones
together are simply the predicted rows.  Only what is missed of an event, graded by how early it was found, is looked at
threshold by threshold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels.labelled import Labelled, Runs, ranges, steps
from tsprune.params import check_count

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from tsprune.types import Floats, Ints

#: Thresholds of the reference: percentiles of the distinct scores.
N_THRESHOLDS = 250

#: Infinite scores count as this: percentiles between finite numbers are numbers.
LARGEST = 1e300


def pate(labels: ArrayLike, scores: ArrayLike, *, early: int = 20, delay: int = 20) -> float:
    """Proximity-aware area under the precision-recall curve (PATE).

    A predicted row counts 1 within an event, falls off to 0 over `delay` rows behind it and over `early` rows before it (there
    only if the event itself is found); rows of an event that are missed count the less, the later they are and the
    longer its first predicted run.  The area is averaged over the four buffers (0 or `early`, 0 or `delay`).

    Parameters
    ----------
    labels : array_like of 0/1 or bool, shape (n_samples,)
    scores : array_like of float, shape (n_samples,)
        Higher = more anomalous.  NaN: not scored, never predicted.
    early, delay : int
        Rows before and behind an event that earn credit, at least 0.

    Returns
    -------
    float
        In [0, 1].  A constant score gets more than 0.5: a straight line from (0, 1) to the one point it has.  NaN without an event,
        or without a normal row.

    Raises
    ------
    BadParameter
        If labels are not 0 or 1, the lengths differ, or a buffer is no such number.

    Source
    ------
    Ghorbani et al., PATE: proximity-aware time series anomaly evaluation, KDD 2024 (values of PATE 0.1.1).

    Examples
    --------
    >>> from tsprune.metrics import pate
    >>> round(pate([0, 0, 0, 1, 1, 0, 0, 0], [0.1, 0.2, 0.7, 0.3, 0.9, 0.8, 0.2, 0.1], early=2, delay=2), 3)
    0.776
    """
    case = Labelled.of(labels, scores)
    return mean_area(case, check_count(early=early, low=0), check_count(delay=delay, low=0))


def mean_area(case: Labelled, early: int = 20, delay: int = 20) -> float:
    """PATE of labels and scores."""
    if case.n_positive == 0 or case.n_negative == 0:
        return float("nan")
    case = Labelled(case.labels, np.clip(case.scores, -LARGEST, LARGEST))
    grid = _thresholds(case)
    predicted = case.n_predicted(grid)
    missed = _missed(case, grid)
    areas = [_area(_true_positives(case, grid, before, behind), missed, predicted) for before in (0, early) for behind in (0, delay)]
    return float(np.mean(areas))


def _thresholds(case: Labelled) -> Floats:
    """Percentiles of the distinct scores at which the number of true positives changes, or changes next; descending."""
    distinct = np.unique(case.ascending)[::-1]
    if len(distinct) == 0:
        return distinct
    hits = len(case.positives) - np.searchsorted(case.positives, distinct, "left")
    changes = np.diff(hits) != 0
    corner = np.ones(len(distinct), np.bool_)
    corner[1:-1] = changes[:-1] | changes[1:]
    return np.percentile(distinct[corner], np.linspace(100, 0, N_THRESHOLDS))


def _true_positives(case: Labelled, grid: Floats, early: int, delay: int) -> Floats:
    """Credit of the predicted rows per threshold."""
    events, n_steps = case.events, len(grid)
    behind = np.minimum(events.last + delay, np.append(events.first[1:], len(case.labels)) - 1)
    before = np.maximum(events.first - early, np.append(0, behind[:-1] + 1))
    total = np.zeros(n_steps + 1)
    within = steps(case.scores[case.labels], grid, strict=False)
    total += np.bincount(within, minlength=n_steps + 1)
    rows, credit = _zone(events.stop, behind + 1, behind, events)
    total += np.bincount(steps(case.scores[rows], grid, strict=False), credit, n_steps + 1)
    rows, credit = _zone(before, events.first, before, events)
    found = np.repeat(np.minimum.reduceat(within, np.cumsum(events.lengths) - events.lengths), events.first - before)
    total += np.bincount(np.maximum(steps(case.scores[rows], grid, strict=False), found), credit, n_steps + 1)
    return np.cumsum(total[:n_steps])


def _zone(first: Ints, stop: Ints, farthest: Ints, events: Runs) -> tuple[Ints, Floats]:
    """Rows beside events, and their credit: 1 less the mean distance to the event's rows, in units of that of the farthest row."""
    rows, lengths = ranges(first, stop), np.maximum(stop - first, 0)
    middle = np.repeat((events.first + events.last) / 2, lengths)
    return rows, 1.0 - np.abs(rows - middle) / np.abs(np.repeat(farthest, lengths) - middle)


def _missed(case: Labelled, grid: Floats) -> Floats:
    """Graded number of missed rows of events, per threshold."""
    lengths = case.events.lengths
    starts = np.cumsum(lengths) - lengths
    place = np.arange(lengths.sum()) - np.repeat(starts, lengths)  # rows since the event began
    length = np.repeat(lengths, lengths)
    step = steps(case.scores[case.labels], grid, strict=False)
    missed = np.empty(len(grid))
    for k in range(len(grid)):
        absent = step > k
        begin = np.minimum.reduceat(np.where(absent, length, place), starts)
        run_end = np.minimum.reduceat(np.where(absent & (place > np.repeat(begin, lengths)), place, length), starts)
        run = run_end - begin  # rows of the first predicted run, 0 where nothing is predicted
        late = absent & (place > np.repeat(run, lengths))
        n_late = np.add.reduceat(late, starts, dtype=np.int64)
        late_places = np.add.reduceat(place * late, starts)
        spared = (run + 1) * (late_places - n_late * run / 2) / np.maximum(lengths * (lengths - 1) / 2, 1)
        missed[k] = np.count_nonzero(absent) - np.sum(spared[run > 0])
    return missed


def _area(true: Floats, missed: Floats, predicted: Ints) -> float:
    """Area under the curve from (recall 0, precision 1), by trapezoids; points with a smaller recall than before are left out."""
    precision, recall = np.append(1.0, true / predicted), np.append(0.0, true / (true + missed))
    rising = recall >= np.maximum.accumulate(recall)
    return float(np.trapezoid(precision[rising], recall[rising]))

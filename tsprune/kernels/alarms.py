"""What a person on duty asks: was it found, how late, and how often was I woken for nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tsprune.errors import BadParameter
from tsprune.kernels.labelled import Labelled, paired_masks, runs
from tsprune.params import check_count, check_number

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from tsprune.types import Mask

WEEK = 7 * 86400.0  # seconds


def ucr_hit(labels: ArrayLike, scores: ArrayLike, *, train_len: int, tolerance: int = 100) -> float:
    """Whether the largest score lies in the one event, or at most `tolerance` rows from it.

    Parameters
    ----------
    labels : array_like of 0/1 or bool, shape (n_samples,)
        With one event.
    scores : array_like of float, shape (n_samples,)
        Higher = more anomalous.  NaN: not scored.  Of equal scores the first counts.
    train_len : int
        Rows at the beginning that are not looked at.
    tolerance : int
        In rows.

    Returns
    -------
    float
        1.0 for a hit, 0.0 for a miss (also where no row is scored).  NaN unless there is exactly one event: the rule knows no
        other case.

    Raises
    ------
    BadParameter
        If labels are not 0 or 1, the lengths differ, or a parameter is not such a number.

    Source
    ------
    Wu & Keogh, Current time series anomaly detection benchmarks are flawed, TKDE 2021; the rule of the UCR anomaly archive.

    Examples
    --------
    >>> from tsprune.metrics import ucr_hit
    >>> ucr_hit([0, 0, 0, 0, 1, 0], [9.0, 0.1, 0.2, 0.8, 0.3, 0.1], train_len=1, tolerance=1)
    1.0
    """
    case = Labelled.of(labels, scores)
    check_count(train_len=train_len, low=0)
    return hit(case, train_len, check_count(tolerance=tolerance, low=0))


def detection_delay(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Mean number of rows from the first row of an event to its first predicted row, over the events that are found.

    Parameters
    ----------
    labels, predictions : array_like of 0/1 or bool, shape (n_samples,)

    Returns
    -------
    float
        In rows, at least 0.  Events that are not found do not count: read it beside `event_f1`.  NaN without an event, and where
        none is found.

    Raises
    ------
    BadParameter
        If a value is not 0 or 1, or the lengths differ.

    Examples
    --------
    >>> from tsprune.metrics import detection_delay
    >>> detection_delay([0, 1, 1, 1, 0, 1, 1, 0], [0, 0, 0, 1, 0, 1, 0, 0])
    1.0
    """
    return delay(*paired_masks(labels, predictions))


def false_alarms_per_week(labels: ArrayLike, predictions: ArrayLike, *, step: Any) -> float:
    """How many predicted runs touch no event, per seven days.

    Parameters
    ----------
    labels, predictions : array_like of 0/1 or bool, shape (n_samples,)
    step : float, timedelta64, datetime.timedelta or pandas.Timedelta
        Time from one row to the next; a number is in seconds.

    Returns
    -------
    float
        At least 0.  Defined without an event (every predicted run is false then); NaN only where there are no rows.

    Raises
    ------
    BadParameter
        If a value is not 0 or 1, the lengths differ, or `step` is no positive duration.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.metrics import false_alarms_per_week
    >>> labels, alarms = np.zeros(14, int), np.zeros(14, int)
    >>> labels[3:5] = 1
    >>> alarms[[4, 8, 9, 12]] = 1
    >>> false_alarms_per_week(labels, alarms, step=np.timedelta64(1, "D"))
    1.0
    """
    truth, predicted = paired_masks(labels, predictions)
    return false_alarm_rate(truth, predicted, in_seconds(step))


def hit(case: Labelled, train_len: int, tolerance: int = 100) -> float:
    """Whether the largest score from `train_len` on is near the one event."""
    if len(case.events) != 1:
        return float("nan")
    scored = np.flatnonzero(~np.isnan(case.scores[train_len:])) + train_len
    if len(scored) == 0:
        return 0.0
    location = scored[np.argmax(case.scores[scored])]
    return float(case.events.first[0] - tolerance <= location <= case.events.last[0] + tolerance)


def delay(truth: Mask, predicted: Mask) -> float:
    """Mean rows until an event is found, over the events found."""
    first = runs(truth).first
    found = np.flatnonzero(truth & predicted)
    event, earliest = np.unique(np.searchsorted(first, found, "right") - 1, return_index=True)
    return float(np.mean(found[earliest] - first[event])) if len(event) else float("nan")


def false_alarm_rate(truth: Mask, predicted: Mask, seconds: float) -> float:
    """Predicted runs that touch no event, per week of rows `seconds` apart."""
    if len(truth) == 0:
        return float("nan")
    n_false = np.count_nonzero(runs(predicted).count(truth) == 0)
    return float(n_false * WEEK / (len(truth) * seconds))


def in_seconds(step: Any) -> float:
    """A duration in seconds: a number, or whatever can tell its seconds."""
    seconds = step
    try:
        if hasattr(step, "total_seconds"):
            seconds = step.total_seconds()
        elif isinstance(step, np.timedelta64):
            seconds = step / np.timedelta64(1, "s")
        return check_number(step=seconds, low=0.0, open_low=True)
    except (BadParameter, TypeError):  # numpy does not know how long a month is
        raise BadParameter(
            f"step is {step!r}; it is the time from one row to the next: seconds above 0, or a timedelta. For five minutes, give 300."
        ) from None

"""The score of the Numenta Anomaly Benchmark: early detections earn most, false alarms cost less right after a window."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tsprune.kernels.labelled import Runs, paired_masks, runs
from tsprune.params import check_choice

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from tsprune.types import Floats, Ints, Mask


class Profile(NamedTuple):
    """What a window found, a window missed and a false alarm weigh."""

    found: float
    missed: float
    false: float


PROFILES = {"standard": Profile(1.0, 1.0, 0.11), "low_fp": Profile(1.0, 1.0, 0.22), "low_fn": Profile(1.0, 2.0, 0.11)}

#: Share of the rows, and number of rows at most, in the beginning that count for nothing.
PROBATION, LONGEST_PROBATION = 0.15, 750


def nab_score(labels: ArrayLike, predictions: ArrayLike, *, profile: str = "standard", normalised: bool = False) -> float:
    """NAB score of predicted rows, with the events as windows.

    The earliest prediction in a window earns up to 1, the less the later; a missed window costs `missed`; a prediction outside
    costs up to `false`, less right behind a window.  The first min(15 %, 750) rows count for nothing.

    Parameters
    ----------
    labels, predictions : array_like of 0/1 or bool, shape (n_samples,)
    profile : {"standard", "low_fp", "low_fn"}
        Weights of NAB: as they are, false alarms twice, missed windows twice.
    normalised : bool
        Whether 0 stands for "nothing predicted" and 100 for "every window found at its first row, nothing else predicted".

    Returns
    -------
    float
        Raw: at most the number of windows, unbounded below.  Normalised: at most 100.  NaN without an event, where an event of one
        row has a row behind it (the definition divides by its length less 1), and, if normalised, where all windows
        end in the first rows that do not count.

    Raises
    ------
    BadParameter
        If a value is not 0 or 1, the lengths differ, or there is no such profile.

    Source
    ------
    Lavin & Ahmad, Evaluating real-time anomaly detection algorithms, ICMLA 2015; values of NAB's ``Sweeper.scoreDataSet``.

    Examples
    --------
    >>> from tsprune.metrics import nab_score
    >>> labels = [0] * 10 + [1] * 5 + [0] * 5
    >>> early, late = [0] * 10 + [1] + [0] * 9, [0] * 14 + [1] + [0] * 5
    >>> nab_score(labels, early), round(nab_score(labels, late), 3)
    (1.0, 0.468)
    >>> nab_score(labels, early, normalised=True)
    100.0
    """
    weights = PROFILES[check_choice(PROFILES, profile=profile)]
    truth, predicted = paired_masks(labels, predictions)
    return benchmark_score(truth, predicted, weights, normalised=normalised)


def benchmark_score(truth: Mask, predicted: Mask, weights: Profile = PROFILES["standard"], *, normalised: bool = False) -> float:
    """NAB score of a mask of predictions."""
    windows = runs(truth)
    probation = min(int(PROBATION * len(truth)), LONGEST_PROBATION)
    n_scored = np.count_nonzero(windows.last >= probation)
    pointlike = (windows.lengths == 1) & (windows.last < len(truth) - 1)
    if len(windows) == 0 or pointlike.any() or (normalised and n_scored == 0):
        return float("nan")
    earned, n_found = _credit(windows, np.flatnonzero(predicted[probation:]) + probation, weights)
    score = earned - weights.missed * (n_scored - n_found)
    if not normalised:
        return float(score)
    null, perfect = -weights.missed * n_scored, weights.found * n_scored
    return float(100.0 * (score - null) / (perfect - null))


def _credit(windows: Runs, alarms: Ints, weights: Profile) -> tuple[float, int]:
    """What the alarms earn, and how many windows they find."""
    window = np.searchsorted(windows.first, alarms, "right") - 1  # the last one that has begun, or -1
    inside = (window >= 0) & (alarms < windows.stop[window])
    found, earliest = np.unique(window[inside], return_index=True)
    left = windows.stop[found] - alarms[inside][earliest]
    earned = weights.found * np.sum(_decay(-left / windows.lengths[found]) / _decay(np.array(-1.0)))
    after = ~inside & (window >= 0)
    late = (alarms[after] - windows.last[window[after]]) / (windows.lengths[window[after]] - 1)
    lost = np.sum(_decay(late)) - np.count_nonzero(window < 0)
    return earned + weights.false * lost, len(found)


def _decay(position: Floats) -> Floats:
    """From 1 far before the end of a window, through 0 at its end, to -1 three window lengths behind it."""
    return np.where(position > 3.0, -1.0, 2.0 / (1.0 + np.exp(5.0 * np.minimum(position, 3.0))) - 1.0)

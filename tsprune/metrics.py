"""Metrics of anomaly detection, exact and fast: `tsp.metrics`.

Every metric is a function of labels and of scores or predictions, one value per row.  A label is 0 or 1, or a boolean; a
score is a number, higher = more anomalous, NaN = not scored (below every scored row, never predicted).  Without an event a
metric that needs one is NaN, never an error.  `docs/metrics.md` lists definitions, sources and traps; `chance` says what a score
without information gets, which for some metrics is a lot.

>>> from tsprune import metrics
>>> found = metrics.evaluate_all([0, 0, 1, 1, 0, 0], [0.1, 0.3, 0.9, 0.8, 0.2, 0.1], metrics=("vus_pr", "auc_pr", "event_f1"))
>>> {name: round(value, 3) for name, value in found.items()}
{'vus_pr': 1.0, 'auc_pr': 1.0, 'event_f1': 1.0}
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprune.errors import BadParameter
from tsprune.kernels.affiliation import affiliation, affiliation_best_f1, best_over_grid
from tsprune.kernels.alarms import delay, detection_delay, false_alarm_rate, false_alarms_per_week, hit, in_seconds, ucr_hit
from tsprune.kernels.events import adjusted_f1, composite_f1, event_f1, point_adjusted_f1
from tsprune.kernels.labelled import Labelled, PrecisionRecall, as_mask, paired_masks
from tsprune.kernels.nab import benchmark_score, nab_score
from tsprune.kernels.pate import mean_area, pate
from tsprune.kernels.ranges import range_precision_recall
from tsprune.kernels.ranking import average_precision, best_f1, best_threshold, mean_precision, roc_auc, share_of_ordered_pairs
from tsprune.kernels.volume import range_auc_pr, range_auc_roc, volumes, vus_pr, vus_roc
from tsprune.params import check_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import ArrayLike

    from tsprune.types import Floats, Mask

__all__ = [
    "PrecisionRecall",
    "affiliation",
    "affiliation_best_f1",
    "average_precision",
    "best_f1",
    "chance",
    "default_buffer",
    "detection_delay",
    "evaluate_all",
    "event_f1",
    "false_alarms_per_week",
    "nab_score",
    "pate",
    "point_adjusted_f1",
    "range_auc_pr",
    "range_auc_roc",
    "range_precision_recall",
    "roc_auc",
    "ucr_hit",
    "vus_pr",
    "vus_roc",
]


def evaluate_all(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    predictions: ArrayLike | None = None,
    buffer: int | None = None,
    step: Any = None,
    train_len: int = 0,
    metrics: Iterable[str] | None = None,
) -> dict[str, float]:
    """All metrics, or those asked for, from one sort of the scores.

    Parameters
    ----------
    labels : array_like of 0/1 or bool, shape (n_samples,)
    scores : array_like of float, shape (n_samples,)
        Higher = more anomalous.  NaN: not scored, never predicted.
    predictions : array_like of 0/1 or bool, shape (n_samples,), optional
        The alarms.  Without them the metrics of predictions judge the threshold that `best_f1` chooses with the labels in hand:
        an upper bound, not what a detector in use will do.
    buffer : int, optional
        The widest window of ``vus_*`` and the window of ``range_auc_*``, in rows; the median event length by default.
    step : float or timedelta, optional
        Time from one row to the next (seconds): adds ``false_alarms_per_week``, which is NaN without it.
    train_len : int
        Rows at the beginning that ``ucr_hit`` does not look at.
    metrics : iterable of str, optional
        Names of the metrics wanted, those of this module; ``average_precision`` is ``"auc_pr"`` here, and what has three
        numbers has three names, such as ``"affiliation_f1"``.

    Returns
    -------
    dict of str to float
        In the order asked for.  NaN where a metric is not defined.

    Raises
    ------
    BadParameter
        If labels or predictions are not 0 or 1, lengths differ, a name is unknown, or a parameter is outside its range.

    Examples
    --------
    >>> from tsprune.metrics import evaluate_all
    >>> found = evaluate_all([0, 0, 1, 1, 0, 0], [0.1, 0.3, 0.9, 0.2, 0.2, 0.1], metrics=["roc_auc", "best_f1"])
    >>> {name: round(value, 3) for name, value in found.items()}
    {'roc_auc': 0.812, 'best_f1': 0.667}
    """
    names = _checked_names(metrics)
    case = Labelled.of(labels, scores)
    evaluation = _Evaluation(
        case,
        None if predictions is None else paired_masks(case.labels, predictions)[1],
        default_buffer(case.labels) if buffer is None else check_count(buffer=buffer, low=0),
        float("nan") if step is None else in_seconds(step),
        check_count(train_len=train_len, low=0),
    )
    return {name: _BY_NAME[name](evaluation) for name in names}


def default_buffer(labels: ArrayLike) -> int:
    """The median length of the events, in rows, at least 1: a wider buffer rewards chance.

    >>> from tsprune.metrics import default_buffer
    >>> default_buffer([0, 1, 1, 1, 1, 0, 1, 1, 0])
    3
    """
    lengths = Labelled(as_mask(labels, "labels"), np.empty(0)).events.lengths
    return max(1, int(np.median(lengths))) if len(lengths) else 1


def chance(
    metric: Callable[..., Any],
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    n_shuffles: int = 10,
    random_state: int | np.random.Generator | None = 0,
    **definition: Any,
) -> Any:
    """What a metric gives for the same scores, or predictions, in random order: the mean over some shuffles.

    Parameters
    ----------
    metric : callable
        A function of this module, `evaluate_all` included.
    labels, scores : array_like, shape (n_samples,)
        What the metric takes; `scores` are predictions where it takes predictions.
    n_shuffles : int
        At least 1.
    random_state : int, numpy Generator or None
        Seed of the shuffles.
    **definition
        The metric's own parameters, such as ``buffer=100``.  ``predictions`` are shuffled together with the scores.

    Returns
    -------
    float, or dict of str to float for `evaluate_all`, or PrecisionRecall
        Shuffles for which the metric is not defined are left out; NaN where that leaves none.

    Examples
    --------
    With many events, and buffers that fill the gaps between them, chance is worth a VUS-PR of 0.77:

    >>> import numpy as np
    >>> from tsprune.metrics import average_precision, chance, vus_pr
    >>> labels = np.arange(3000) % 50 < 8
    >>> score = np.random.default_rng(0).random(3000)
    >>> round(chance(vus_pr, labels, score, buffer=100), 2), round(chance(average_precision, labels, score), 2)
    (0.77, 0.16)
    """
    rng = np.random.default_rng(random_state)
    values, alarms = np.asarray(scores), definition.pop("predictions", None)
    found = []
    for _ in range(check_count(n_shuffles=n_shuffles)):
        order = rng.permutation(len(values))
        if alarms is not None:
            definition["predictions"] = np.asarray(alarms)[order]
        found.append(metric(labels, values[order], **definition))
    if isinstance(found[0], dict):
        return {name: _mean(each[name] for each in found) for name in found[0]}
    if isinstance(found[0], PrecisionRecall):
        return PrecisionRecall(*(_mean(values) for values in zip(*found, strict=True)))
    return _mean(found)


@dataclass(frozen=True)
class _Evaluation:
    """Labels, scores and definitions, and what several metrics share, found when first asked for."""

    case: Labelled
    predictions: Mask | None
    buffer: int
    seconds: float
    train_len: int

    @cached_property
    def best(self) -> tuple[float, float]:
        return best_threshold(self.case)

    @cached_property
    def predicted(self) -> Mask:
        return self.case.scores >= self.best[1] if self.predictions is None else self.predictions

    @cached_property
    def volumes(self) -> tuple[Floats, Floats]:
        return volumes(self.case, range(self.buffer + 1))

    @cached_property
    def affiliation(self) -> PrecisionRecall:
        return affiliation(self.case.labels, self.predicted)

    @cached_property
    def ranges(self) -> PrecisionRecall:
        return range_precision_recall(self.case.labels, self.predicted)


#: Names of `evaluate_all`, in its order.
_BY_NAME: dict[str, Callable[[_Evaluation], float]] = {
    "vus_pr": lambda e: float(e.volumes[1].mean()),
    "vus_roc": lambda e: float(e.volumes[0].mean()),
    "range_auc_pr": lambda e: float(e.volumes[1][-1]),
    "range_auc_roc": lambda e: float(e.volumes[0][-1]),
    "auc_pr": lambda e: mean_precision(e.case),
    "roc_auc": lambda e: share_of_ordered_pairs(e.case),
    "best_f1": lambda e: e.best[0],
    "pate": lambda e: mean_area(e.case),
    "affiliation_best_f1": lambda e: best_over_grid(e.case),
    "ucr_hit": lambda e: hit(e.case, e.train_len),
    "event_f1": lambda e: composite_f1(e.case.labels, e.predicted),
    "affiliation_precision": lambda e: e.affiliation.precision,
    "affiliation_recall": lambda e: e.affiliation.recall,
    "affiliation_f1": lambda e: e.affiliation.f1,
    "range_precision": lambda e: e.ranges.precision,
    "range_recall": lambda e: e.ranges.recall,
    "range_f1": lambda e: e.ranges.f1,
    "point_adjusted_f1": lambda e: adjusted_f1(e.case.labels, e.predicted),
    "nab_score": lambda e: benchmark_score(e.case.labels, e.predicted),
    "detection_delay": lambda e: delay(e.case.labels, e.predicted),
    "false_alarms_per_week": lambda e: false_alarm_rate(e.case.labels, e.predicted, e.seconds),
}


def _checked_names(metrics: Iterable[str] | None) -> tuple[str, ...]:
    if metrics is None:
        return tuple(_BY_NAME)
    names = (metrics,) if isinstance(metrics, str) else tuple(metrics)
    unknown = [name for name in names if name not in _BY_NAME]
    if unknown:
        raise BadParameter(f"metrics holds {unknown[0]!r}; it holds names of {', '.join(_BY_NAME)}.")
    return names


def _mean(values: Iterable[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")

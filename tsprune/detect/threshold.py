"""Where a score becomes an alarm: by a budget of alarms, from the training scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
from sklearn.base import BaseEstimator

from tsprune.errors import BadParameter, BadSeries
from tsprune.model.clock import NANOSECONDS
from tsprune.model.level import Level
from tsprune.params import check_number, check_share

if TYPE_CHECKING:
    from tsprune.model.clock import Clock
    from tsprune.types import Floats

#: Share of the training rows above the threshold where nothing is said.  Never a tenth of them.
DEFAULT_RATE = 0.005

#: Share of the rows that are above a threshold at the most, whatever the budget: all rows together are one alarm, too.
LARGEST_RATE = 0.2


class Threshold(BaseEstimator):
    """Set the threshold so that the training scores would have spent a given budget of alarms.

    An alarm is a run of neighbouring rows above the threshold: a fault of three hours is one alarm, not 36.

    Parameters
    ----------
    alarms_per_week : float, optional
        Alarms a week that the training series may have raised.  Needs timestamps.
    rate : float, optional
        Share of the training rows above the threshold, in (0, 1]; 0.005 where neither is given.

    Attributes
    ----------
    part_ : Level
    alarms_ : int
        Alarms that the training series would have raised.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.detect import Threshold
    >>> Threshold(rate=0.1).fit(np.arange(100.0)).part_.threshold
    89.0
    """

    def __init__(self, alarms_per_week: float | None = None, rate: float | None = None):
        self.alarms_per_week = alarms_per_week
        self.rate = rate

    def fit(self, scores: Floats, y: None = None, *, clock: Clock | None = None) -> Self:
        """Learn from training scores, shape (n,), in time order; rows without a score count as quiet."""
        if self.alarms_per_week is not None and self.rate is not None:
            raise BadParameter(f"alarms_per_week is {self.alarms_per_week!r} and rate is {self.rate!r}; give one of the two.")
        scores = np.asarray(scores, dtype=np.float64)
        if np.isnan(scores).all():
            raise BadSeries("no training row has a score: every window misses a value. Give a longer history or fill the gaps.")
        if self.alarms_per_week is None:
            rate = DEFAULT_RATE if self.rate is None else check_share(rate=self.rate, way_out="For one row in a thousand, give 0.001.")
            level = _above_share(scores, rate)
        else:
            budget = check_number(alarms_per_week=self.alarms_per_week, low=0.0)
            if clock is None or clock.kind == "index":
                raise BadParameter("alarms_per_week needs timestamps: on an integer index give rate, the share of rows.")
            level = _within_budget(scores, budget * len(scores) * clock.duration(1) / NANOSECONDS["W"])
        self.part_ = Level(float(level))
        self.alarms_ = count_alarms(self.part_.exceeded(scores))
        return self


def count_alarms(exceeded: np.ndarray) -> int:
    """Runs of neighbouring rows above the threshold.

    >>> import numpy as np
    >>> from tsprune.detect.threshold import count_alarms
    >>> count_alarms(np.array([True, True, False, True]))
    2
    """
    return int((np.diff(exceeded.astype(np.int8), prepend=0) == 1).sum())


def _above_share(scores: Floats, rate: float) -> float:
    """The score that at most `rate` of the scored rows are above."""
    ranked = np.sort(scores[~np.isnan(scores)])
    return float(ranked[len(ranked) - 1 - int(rate * len(ranked) + 1e-9)]) if rate < 1.0 else float(np.nextafter(ranked[0], -np.inf))


def _within_budget(scores: Floats, budget: float) -> float:
    """The lowest training score such that every threshold from there up raises at most `budget` alarms on a fifth of the rows.

    Rows are switched on from the highest score down.  A row begins an alarm, joins one, or makes one of two.
    """
    order = np.argsort(-scores, kind="stable")[: int((~np.isnan(scores)).sum())]
    rank = np.full(len(scores) + 2, len(scores))
    rank[order + 1] = np.arange(len(order))
    neighbours_on = (rank[order] < np.arange(len(order))).astype(np.int64) + (rank[order + 2] < np.arange(len(order)))
    alarms = np.cumsum(1 - neighbours_on)
    ranked = scores[order]
    whole = np.append(ranked[1:] < ranked[:-1], True)  # the last of each group of ties
    over = np.flatnonzero(whole & ((alarms > budget) | (np.arange(1, len(ranked) + 1) > LARGEST_RATE * len(ranked))))
    return float(ranked[over[0]])  # with all rows on, the share is exceeded: there is always one
